"""One pass over a cluster: usage figures, and what was changed by hand. Costs a few list calls, however many
environments there are; only those that differ are reconciled.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from environments import cluster, desired, manifests, quantities
from environments.cluster import Manifest
from environments.errors import ReconcileError
from environments.models import Cluster, Environment, Event
from environments.phases import Phase

_KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")

Key = tuple[str, str]  # kind, name
Objects = dict[str, dict[Key, Manifest]]  # by environment id


def observe(cluster_id: int) -> list[str]:
    """Read one cluster. Newest usage is stored; the ids of environments that drifted are returned, owed from now.

    A cluster that does not answer is noted on its row, and nothing is concluded from the silence.
    """
    row = Cluster.objects.get(pk=cluster_id)
    try:
        live = _read(row)
    except ReconcileError as error:
        Cluster.objects.filter(pk=cluster_id).update(checked_at=timezone.now(), check_error=error.message)
        return []
    Cluster.objects.filter(pk=cluster_id).update(checked_at=timezone.now(), check_error="")
    environments = list(
        Environment.objects.filter(cluster=row, phase__in=(Phase.READY, Phase.DEGRADED))
        .select_related("owner", "team", "version__template", "cluster")
        .prefetch_related("groups", "members")
    )
    _store_usage(environments, live)
    return [str(environment.pk) for environment in environments if _drifted(environment, live[str(environment.pk)])]


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


def _read(row: Cluster) -> Objects:
    client = cluster.connect(row)
    label = manifests.environment_label(settings.LABEL_DOMAIN)
    found: Objects = defaultdict(dict)
    for kind in _KINDS:
        for item in client.list_objects(kind, labels=manifests.SELECTOR):
            metadata = item["metadata"]
            owner = (metadata.get("labels") or {}).get(label, "")
            found[owner][(kind, metadata["name"])] = item
    return found


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


def _drifted(environment: Environment, live: dict[Key, Manifest]) -> bool:
    """Whether objects differ from what is wanted; if so it is recorded and a reconcile is owed."""
    lines = drift(manifests.all_manifests(desired.desired_with_bindings(environment)), live)
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
            lines += [f"{kind} {name}: {line}" for line in manifests.differences(content, found)]
    return lines
