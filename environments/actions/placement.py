"""Where an environment lands, and how much of a cluster is spoken for."""

from decimal import Decimal
from typing import Any

from django.db.models import Exists, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from environments.lib import quantities
from environments.lib.phases import LIVE
from environments.models import Cluster, Template

_MOST_CORES = Decimal(10**15 - 1)  # some quotas mean “any number”
_MOST = 2**53  # of bytes and of GPUs: sums of these still fit a 64-bit column


def candidates(template: Template) -> QuerySet[Cluster]:
    """The clusters that a template may land on at the moment."""
    chosen = template.clusters.values("pk")
    return open_clusters().filter(Q(pk__in=chosen) | ~Exists(chosen))


def open_clusters() -> QuerySet[Cluster]:
    """The clusters that accept new environments at the moment."""
    return Cluster.objects.filter(accepts_new=True, lost_at=None)


def least_reserved(clusters: QuerySet[Cluster]) -> Cluster | None:
    """The cluster whose live environments are granted the least CPU, then memory; None where there is none."""
    live = Q(environments__phase__in=LIVE)
    return (
        clusters.annotate(
            cpu=Coalesce(Sum("environments__reserved_cpu", filter=live), Decimal(0)),
            memory=Coalesce(Sum("environments__reserved_memory", filter=live), 0),
        )
        .order_by("cpu", "memory", "name")
        .first()
    )


def reserved(hard: dict[str, str]) -> tuple[Decimal, int]:
    """The cores and bytes that a quota grants, as far as the columns go; what it leaves open counts as nothing."""
    cpu, memory = (_amount(hard, name) for name in ("cpu", "memory"))
    return min(cpu, _MOST_CORES).quantize(Decimal("0.001")), int(memory)


def columns(hard: dict[str, str]) -> dict[str, Any]:
    """An environment's columns about what a quota grants: cores, bytes of memory and of storage, and GPUs.

    GPUs are those of every vendor (`quantities.is_gpu`). What the quota leaves open counts as nothing.
    """
    cpu, memory = reserved(hard)
    gpus = sum((quantities.parse(amount) for name, amount in hard.items() if quantities.is_gpu(name)), Decimal())
    storage = quantities.parse(hard.get("requests.storage", "0"))
    return {
        "reserved_cpu": cpu,
        "reserved_memory": memory,
        "reserved_storage": min(int(storage), _MOST),
        "reserved_gpus": min(int(gpus), _MOST),
    }


def _amount(hard: dict[str, str], name: str) -> Decimal:
    text = hard.get(f"requests.{name}") or hard.get(name) or hard.get(f"limits.{name}") or "0"
    return quantities.parse(text)
