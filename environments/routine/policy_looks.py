"""Checks the admission policies of clusters regularly, and keeps the result on the cluster's row.

Clusters do not report deleted or edited policies. A check takes a small request for each policy and binding.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from environments import kube
from environments.actions import clusters
from environments.kube.admission.standing import Standing, standing
from environments.lib.errors import ReconcileError
from environments.lib.phases import AdmissionState as State
from environments.models import Cluster

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)


def due(now: datetime) -> list[int]:
    """The clusters to look at, by id: not looked at within the hour, or changed since.

    A look in the future is one by a clock that was wrong.
    """
    never_or_long_ago = Q(admission_looked_at=None) | Q(admission_looked_at__lte=now - EVERY)
    doubtful = Q(admission_looked_at__lt=F("updated_at")) | Q(admission_looked_at__gt=now)
    rows = Cluster.objects.filter(never_or_long_ago | doubtful, lost_at=None)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def look(cluster_id: int) -> None:
    """Look at one cluster and keep what was found. Where it does not answer, the last finding stays with its time."""
    row = Cluster.objects.filter(pk=cluster_id, lost_at=None).first()
    if row is None:
        return
    began = timezone.now()
    try:
        found = standing(kube.connect(row), settings.LABEL_DOMAIN, row.account_namespace)
    except ReconcileError as error:
        logger.info("cluster %s: no answer about its admission policies (%s)", row.slug, error.reason)
        return
    keep(row, found, began)


def keep(row: Cluster, found: Standing, began: datetime) -> None:
    """Keep what a look found that began then; of two at once, the one that began later is right.

    That the policies are no longer as installed is logged once, by the worker that finds it first.
    """
    changes = {
        "admission_state": found.state,
        "admission_names": list(found.names),
        "admission_exempt": list(found.exempt),
        "admission_command": found.command,
        "admission_looked_at": began,
    }
    earlier = Q(admission_looked_at=None) | Q(admission_looked_at__lte=began)
    mine = Cluster.objects.filter(earlier | Q(admission_looked_at__gt=timezone.now()), pk=row.pk)
    if found.state is State.INSTALLED:
        mine.update(**changes, admission_installed_at=began)
    elif mine.filter(admission_state=State.INSTALLED).update(**changes):
        names = ", ".join(found.names) or "the portal can no longer read them"
        logger.warning("cluster %s: admission policies are no longer as installed (%s)", row.slug, names)
    else:
        mine.update(**changes)
    _make_up_for(row)


def _make_up_for(row: Cluster) -> None:
    """Where the policy about pods is there no longer, owe each environment the quota of critical pods instead.

    Otherwise the next pass would take the quotas that are missing for deleted by hand.
    """
    if row.guards_pods and not Cluster.objects.get(pk=row.pk).guards_pods:
        clusters.owe_all(row)


def kept(row: Cluster) -> Standing | None:
    """What the last look found; None before the first check."""
    if not row.admission_state:
        return None
    names, exempt = tuple(row.admission_names), tuple(row.admission_exempt)
    return Standing(State(row.admission_state), names, exempt, row.admission_command)
