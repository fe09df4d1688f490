"""What the quotas of a page say."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from uuid import UUID

from environments.kube import manifests
from environments.kube.client import Manifest
from environments.kube.manifests import Desired
from environments.lib import quantities
from environments.routine.usage import Figures


def usage(quota: Manifest) -> Figures:
    """A ResourceQuota's figures: resource -> [used, hard]. Empty where the cluster has counted nothing yet.

    What is not said is left out: it is not known to be zero.
    """
    status = quota.get("status") or {}
    used = status.get("used") or {}
    figures = {name: [str(used[name]), str(hard)] for name, hard in (status.get("hard") or {}).items() if name in used}
    return {name: pair for name, pair in figures.items() if all(map(_is_quantity, pair))}


def seen(page: Iterable[Manifest], expected: Mapping[str, Desired], label: str) -> dict[UUID, Figures]:
    """The figures of the environments whose quota is on a page. `label`: the key that holds an environment's id."""
    found = {}
    for item in page:
        metadata = item["metadata"]
        owner = (metadata.get("labels") or {}).get(label, "")
        desired = expected.get(owner)
        its_own = desired and (metadata["namespace"], metadata["name"]) == (desired.namespace, manifests.QUOTA)
        if its_own and (figures := usage(item)):
            found[UUID(owner)] = figures
    return found


@lru_cache(maxsize=65536)
def _is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except ValueError:
        return False
    return True
