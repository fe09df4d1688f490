"""The pages of a list, read while the ones before them are looked at, and what the quotas on a page say."""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from environments.kube import manifests
from environments.kube.client import ClusterClient, Manifest
from environments.kube.manifests import Desired
from environments.lib import quantities
from environments.lib.errors import TemporaryError
from environments.routine.usage import Figures

Page = list[Manifest]


def pages(client: ClusterClient, kind: str, deadline: float) -> Iterator[Page]:
    """The portal's objects of a kind, page by page. `deadline`: when to give up, by the monotonic clock.

    Raises what the client raises, and TemporaryError at the deadline.
    """
    for page in _one_ahead(client.list_pages(kind, labels=manifests.SELECTOR, lean=True)):
        if time.monotonic() > deadline:
            raise TemporaryError("The portal could not read the whole cluster in time.", reason="Timeout")
        yield page


def _one_ahead(source: Iterator[Page]) -> Iterator[Page]:
    """The same, with the next page on its way: the API server works while we do. Two pages are held at most."""
    with ThreadPoolExecutor(1, thread_name_prefix="pages") as reader:
        upcoming = reader.submit(next, source, None)
        while (page := upcoming.result()) is not None:
            upcoming = reader.submit(next, source, None)
            yield page


def usage(quota: Manifest) -> Figures:
    """A ResourceQuota's figures: resource -> [used, hard]. Empty where the cluster has counted nothing yet.

    What is not said is left out: it is not known to be zero.
    """
    status = quota.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    if used.keys() == hard.keys() and _good.issuperset(used.values()) and _good.issuperset(hard.values()):
        return {name: [used[name], amount] for name, amount in hard.items()}
    figures = {name: [str(used[name]), str(amount)] for name, amount in hard.items() if name in used}
    return {name: pair for name, pair in figures.items() if all(map(_is_quantity, pair))}


def seen(page: Iterable[Manifest], expected: Mapping[str, Desired], label: str) -> dict[UUID, Figures]:
    """The figures of the environments whose quota is on a page. `label`: the key that holds an environment's id."""
    found = {}
    for item in page:
        metadata = item["metadata"]
        owner = (metadata.get("labels") or {}).get(label, "")
        desired = expected.get(owner)
        its_own = desired and (metadata.get("namespace"), metadata["name"]) == (desired.namespace, manifests.QUOTA)
        if its_own and (figures := usage(item)):
            found[UUID(owner)] = figures
    return found


#: Texts that are quantities. A pass sees the same few, millions of times.
_good: set[str] = set()
_MOST = 65_536


def _is_quantity(text: str) -> bool:
    if text in _good:
        return True
    try:
        quantities.parse(text)
    except ValueError:
        return False
    if len(_good) < _MOST:
        _good.add(text)
    return True
