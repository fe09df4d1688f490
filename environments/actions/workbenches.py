"""The workbench of each cluster, used by one check at a time: a lease in the cluster's row, which runs out."""

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from environments import kube
from environments.lib.errors import ReconcileError
from environments.models import Cluster, clock
from environments.reconcile import desired, workbench
from environments.reconcile.workbench import Workbench

_LEASE = timedelta(seconds=90)  # longer than one message's work


def of(cluster: Cluster, template: str, owner: str = "") -> Workbench:
    """The workbench of a cluster, for a template. Raises PermanentError if a connection cannot be set up."""
    return Workbench(
        client=kube.connect(cluster),
        name=cluster.workbench_namespace,
        label_domain=settings.LABEL_DOMAIN,
        naming=desired.naming(cluster),
        neighbours=desired.neighbours(cluster),
        account_namespace=cluster.account_namespace,
        template=template,
        owner=owner or "somebody@example.com",
    )


def take(cluster_id: int, holder: uuid.UUID) -> bool:
    """Take the workbench of a cluster, or hold on to it; whether it was free."""
    now: Any = clock.database_now()
    free = Q(workbench_lease=None) | Q(workbench_lease=holder) | Q(workbench_until__lt=now)
    rows = Cluster.objects.filter(free, pk=cluster_id)
    return bool(rows.update(workbench_lease=holder, workbench_until=now + _LEASE))


def holds(cluster_id: int, holder: uuid.UUID) -> bool:
    """Whether nobody else has taken the workbench since this holder did."""
    return Cluster.objects.filter(pk=cluster_id, workbench_lease=holder).exists()


def leave(holder: uuid.UUID) -> None:
    """Bring a workbench to rest and give it back, if this holder has one."""
    cluster = Cluster.objects.filter(workbench_lease=holder).first()
    if cluster is None:
        return
    with suppress(ReconcileError):
        workbench.tidy(of(cluster, "template"))
    Cluster.objects.filter(workbench_lease=holder).update(workbench_lease=None, workbench_until=None)
