"""What should be on a cluster: the facts of each environment, and the objects of one kind that follow from them.

Facts are small and their templates shared; objects are made when there is something to compare them with.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from environments import desired as facts
from environments import manifests
from environments.cluster import Manifest
from environments.manifests import Desired
from environments.models import Cluster, Environment
from environments.models.environments import EnvironmentQuerySet
from environments.phases import Phase
from environments.spec import TemplateSpec, extras
from environments.spec.base import PLACEHOLDER

_NEEDED = (
    *("name", "namespace", "purpose", "spec", "size", "parameters", "cluster_id"),
    *("owner__email", "team__name", "version__template__slug"),
)
_BATCH = 500


def observed(row: Cluster) -> EnvironmentQuerySet:
    """The environments of a cluster that should be as they are wanted."""
    return Environment.objects.filter(cluster=row, phase__in=(Phase.READY, Phase.DEGRADED))


def load(row: Cluster, only: Iterable[str] | None = None) -> dict[str, Desired]:
    """The facts of a cluster's environments by id, all of them or `only` some."""
    rows = observed(row) if only is None else observed(row).filter(pk__in=list(only))
    rows = rows.select_related("owner", "team", "version__template").only(*_NEEDED)
    found = {}
    for environment in rows.prefetch_related("groups", "members").order_by("pk").iterator(chunk_size=_BATCH):
        environment.cluster = row
        found[str(environment.pk)] = facts.desired_with_bindings(environment)
    return found


def more_kinds(expected: Iterable[Desired]) -> set[str]:
    """The kinds that templates in use add to what every environment has."""
    specs = {id(each.spec): each.spec for each in expected}.values()
    kinds = set().union(*(extras.kinds(spec.manifests) for spec in specs))
    return kinds if all(spec.automount_token for spec in specs) else kinds | {"ServiceAccount"}


def _some(manifest: Manifest | None) -> list[Manifest]:
    return [manifest] if manifest else []


_GOVERNING: dict[str, Callable[[Desired], list[Manifest]]] = {
    "Namespace": lambda desired: [manifests.namespace(desired)],
    "ResourceQuota": lambda desired: [manifests.resource_quota(desired)],
    "LimitRange": lambda desired: _some(manifests.limit_range(desired)),
    "NetworkPolicy": manifests.network_policies,
    "ServiceAccount": lambda desired: _some(manifests.default_account(desired)),
    "RoleBinding": manifests.role_bindings,
}


class Wanted:
    """Makes the objects of a kind that an environment should have; `manifests.all_manifests`, a kind at a time."""

    def __init__(self) -> None:
        self._documents: dict[tuple[Any, ...], list[Manifest]] = {}
        self._placeholders: dict[int, tuple[TemplateSpec, list[str]]] = {}

    def of(self, kind: str, desired: Desired) -> list[Manifest]:
        """The objects of this kind."""
        own = _GOVERNING.get(kind, lambda _: [])(desired)
        if not desired.spec.manifests:
            return own
        extra = (manifests.extra_object(desired, each) for each in self._extras(desired) if each["kind"] == kind)
        return list(chain(own, extra))

    def _extras(self, desired: Desired) -> list[Manifest]:
        """A template's own documents, filled in once for all environments that have the same values in them.

        None where something is wrong with them: the step says what.
        """
        spec, values = desired.spec, dict(desired.parameters)
        # The spec is kept beside its names: its id means nothing once it is gone.
        _, names = self._placeholders.setdefault(id(spec), (spec, sorted(set(PLACEHOLDER.findall(spec.manifests)))))
        key = (id(spec), *(values.get(name) for name in names))
        if key not in self._documents:
            try:
                self._documents[key] = extras.documents(spec, values)
            except ValueError:
                self._documents[key] = []
        return self._documents[key]
