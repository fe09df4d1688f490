"""One pass over a cluster: usage figures, and what was changed by hand. Costs a few list calls, however many
environments there are; only those that differ are reconciled.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from environments import alerts, cluster, desired, manifests, quantities
from environments.cluster import ClusterClient, Manifest
from environments.errors import PermanentError, ReconcileError
from environments.models import Cluster, Environment, Event
from environments.models.environments import EnvironmentQuerySet
from environments.phases import Phase
from environments.spec import extras

_KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")

Key = tuple[str, str]  # kind, name
Objects = dict[str, dict[Key, Manifest]]  # by environment id

#: The portal may not read these over a whole cluster. The step applies them again from time to time.
_UNSEEN = frozenset({"ConfigMap"})


def observe(cluster_id: int) -> list[str]:
    """Read one cluster. Newest usage is stored; the ids of environments that drifted are returned, owed from now.

    A cluster that does not answer is noted on its row, and nothing is concluded from the silence.
    """
    row = Cluster.objects.get(pk=cluster_id)
    live = World()
    try:
        live.read(row, (*_KINDS, *_more_kinds(row)))
    except ReconcileError as error:
        Cluster.objects.filter(pk=cluster_id).update(checked_at=timezone.now(), check_error=error.message)
        return []
    Cluster.objects.filter(pk=cluster_id).update(checked_at=timezone.now(), check_error=" ".join(live.refusals))
    environments = list(
        _observed(row)
        .select_related("owner", "team", "version__template", "cluster")
        .prefetch_related("groups", "members")
    )
    _store_usage(environments, live.objects)
    return [str(environment.pk) for environment in environments if _drifted(environment, live)]


def usage(quota: Manifest) -> dict[str, list[str]]:
    """A ResourceQuota's figures: resource -> [used, hard]."""
    status = quota.get("status") or {}
    used = status.get("used") or {}
    return {
        resource: [str(used.get(resource, "0")), str(hard)] for resource, hard in (status.get("hard") or {}).items()
    }


def fullest(figures: dict[str, list[str]]) -> float:
    """The highest used / hard of all resources; 0 where there are none."""
    ratios = [quantities.ratio(quantities.parse(used), quantities.parse(hard)) for used, hard in figures.values()]
    return float(max(ratios, default=Decimal(0)))


@dataclass
class World:
    """What a cluster has of the portal's, as far as it may be read."""

    objects: Objects = field(default_factory=lambda: defaultdict(dict))
    kinds: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)

    def read(self, row: Cluster, kinds: Iterable[str]) -> None:
        """List each kind. Raises an error where the cluster does not answer, or refuses what is always needed."""
        client = cluster.connect(row)
        for kind in kinds:
            try:
                self._list(client, kind)
            except PermanentError as error:
                if kind in _KINDS:
                    raise
                self.refusals.append(error.message)  # an older deploy/rbac: the rest is looked after all the same

    def _list(self, client: ClusterClient, kind: str) -> None:
        label = manifests.environment_label(settings.LABEL_DOMAIN)
        for item in client.list_objects(kind, labels=manifests.SELECTOR):
            metadata = item["metadata"]
            owner = (metadata.get("labels") or {}).get(label, "")
            self.objects[owner][(kind, metadata["name"])] = item
        self.kinds.add(kind)


def _observed(row: Cluster) -> EnvironmentQuerySet:
    return Environment.objects.filter(cluster=row, phase__in=(Phase.READY, Phase.DEGRADED))


def _more_kinds(row: Cluster) -> list[str]:
    """The kinds that templates in use here add: as many calls as there are kinds, not templates or environments."""
    contents = _observed(row).order_by().values_list("spec__manifests", "spec__automount_token").distinct()
    found: set[str] = set()
    for text, automounts in contents:
        found |= extras.kinds(text or "") | (set() if automounts in (None, True) else {"ServiceAccount"})
    return sorted(found - _UNSEEN - set(_KINDS))


def _store_usage(environments: Iterable[Environment], live: Objects) -> None:
    now = timezone.now()
    seen = []
    for environment in environments:
        quota = live[str(environment.pk)].get(("ResourceQuota", manifests.QUOTA))
        if quota is not None:
            environment.usage, environment.usage_at = usage(quota), now
            environment.fullest = fullest(environment.usage)
            seen.append(environment)
    Environment.objects.bulk_update(seen, ["usage", "usage_at", "fullest"], batch_size=500)
    alerts.check(seen)


def _drifted(environment: Environment, live: World) -> bool:
    """Whether objects differ from what is wanted; if so it is recorded and a reconcile is owed."""
    wanted = manifests.all_manifests(desired.desired_with_bindings(environment))
    wanted = [manifest for manifest in wanted if manifest["kind"] in live.kinds]
    lines = drift(wanted, live.objects[str(environment.pk)])
    if not lines:
        return False
    mine = Environment.objects.filter(pk=environment.pk, observed_generation=F("generation"), lease=None)
    if not mine.update(phase=Phase.DEGRADED, next_reconcile_at=timezone.now()):
        return False  # somebody is at it already
    Event.objects.create(
        environment=environment,
        verb="Drift",
        message=f"Changed by hand on the cluster, being put back: {'; '.join(lines)}"[:500],
        data={"differences": lines},
        tone="warn",
    )
    return True


def drift(wanted: list[Manifest], live: dict[Key, Manifest]) -> list[str]:
    """What the cluster does not have as it should, a line each."""
    lines: list[str] = []
    for manifest in wanted:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        found: Any = live.get((kind, name))
        if found is None:
            lines.append(f"{kind} {name} is missing")
        else:
            # The items of a list do not repeat their kind.
            content = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
            open_lists = manifests.OPEN_LISTS if manifests.is_extra(manifest, settings.LABEL_DOMAIN) else frozenset()
            found_lines = manifests.differences(content, found, open_lists=open_lists)
            lines += [f"{kind} {name}: {line}" for line in found_lines]
    return lines
