"""The pass itself: one at a time over a cluster, to an end or without consequences."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from environments.kube import client as cluster
from environments.kube import manifests
from environments.kube.answers import ExpiredError
from environments.kube.manifests import Desired
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError, ReconcileError
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event
from environments.routine import alerts, usage
from environments.routine.observe import expectations
from environments.routine.observe.comparing import Comparison, Lines
from environments.routine.observe.expectations import Wanted
from environments.routine.observe.reading import Page, pages, seen

#: What every environment has. Quotas come last: their figures are written down page by page, once the rest was read.
_FENCES = ("Namespace", "LimitRange", "NetworkPolicy", "RoleBinding")
_QUOTA = "ResourceQuota"

#: The portal may not read these over a whole cluster. The step applies them again from time to time.
_UNSEEN = frozenset({"ConfigMap"})

MOST_SECONDS = 240  # of a pass; a worker's time limit for it lies above
_TURN = timedelta(seconds=MOST_SECONDS + 60)  # after which a pass that vanished holds up no other
_MOST_WAITS = 5  # intervals between two tries of a cluster that keeps failing
_BATCH = 500  # environments a transaction


def due(now: datetime | None = None) -> list[int]:
    """The clusters to read now, by id. One that keeps failing is tried ever more seldom, and at once when changed."""
    moment = now or timezone.now()
    rows = Cluster.objects.filter(Exists(Environment.objects.filter(cluster=OuterRef("pk"))), lost_at=None)
    return [row.pk for row in rows.order_by("pk") if _wait(row) <= abs(moment - (row.checked_at or moment))]


def observe(cluster_id: int) -> list[str]:
    """Read one cluster. Newest usage is stored; the ids of environments that drifted are returned, owed from now.

    A cluster that does not answer is noted on its row, and nothing is concluded from the silence. While another pass
    is under way nothing happens.
    """
    row = Cluster.objects.get(pk=cluster_id)
    now = timezone.now()
    mine = Cluster.objects.filter(Q(observing_until=None) | Q(observing_until__lt=now), pk=row.pk)
    if not mine.update(observing_until=now + _TURN):
        return []
    try:
        return _observe(row)
    finally:
        Cluster.objects.filter(pk=row.pk, observing_until=now + _TURN).update(observing_until=None)


def _observe(row: Cluster) -> list[str]:
    try:
        reading = _Reading(row, expectations.load(row))
        reading.run()
    except ReconcileError as error:
        Cluster.objects.filter(pk=row.pk).update(checked_at=timezone.now(), check_error=error.message)
        return []
    Cluster.objects.filter(pk=row.pk).update(
        checked_at=timezone.now(), observed_at=reading.as_of, check_error=" ".join(reading.refusals)
    )
    return _conclude(row, reading.lines, reading.expected)


@dataclass
class _Reading:
    """One cluster, kind by kind. Raises the errors of an adapter where a list that is always needed is incomplete."""

    row: Cluster
    expected: dict[str, Desired]
    lines: Lines = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    as_of: datetime | None = None

    def run(self) -> None:
        """Read everything. Usage is written down on the way, what differs is in `lines`."""
        self._client = cluster.connect(self.row)
        self._deadline = time.monotonic() + MOST_SECONDS
        self._wanted = Wanted()
        for kind in _FENCES:
            self._list(kind)
        more = expectations.more_kinds(self.expected.values()) - _UNSEEN - {*_FENCES, _QUOTA}
        for kind in sorted(more):
            try:
                self._list(kind)
            except PermanentError as error:  # an older deploy/rbac: the rest is looked after all the same
                self.refusals.append(error.message)
        self.as_of = timezone.now()
        self._list(_QUOTA, self._store_usage)

    def _list(self, kind: str, look: Callable[[Page], None] | None = None) -> None:
        """Compare a kind. A list that expires half-way (410: the cluster forgets) is begun once more."""
        try:
            found = self._compare(kind, look)
        except ExpiredError:
            found = self._compare(kind, look)
        for owner, lines in found.items():
            self.lines.setdefault(owner, []).extend(lines)

    def _compare(self, kind: str, look: Callable[[Page], None] | None) -> Lines:
        comparison = Comparison(kind, self.expected, self._wanted)
        for page in pages(self._client, kind, self._deadline):
            comparison.see(page)
            if look is not None:
                look(page)
        return comparison.finish()

    def _store_usage(self, page: Page) -> None:
        """Write down what the quotas of a page say, and tell who should know."""
        label = manifests.environment_label(settings.LABEL_DOMAIN)
        if self.as_of is not None and (figures := seen(page, self.expected, label)):
            alerts.check(usage.record(figures, self.as_of))


def _conclude(row: Cluster, lines: Lines, compared: Mapping[str, Desired]) -> list[str]:
    """Record what drifted. Where something else is wanted by now, the comparison says nothing."""
    drifted: list[str] = []
    for batch in batched(sorted(lines), _BATCH, strict=False):
        now_wanted = expectations.load(row, batch)
        drifted += _record([owner for owner in batch if now_wanted.get(owner) == compared[owner]], lines)
    return drifted


def _record(owners: list[str], lines: Lines) -> list[str]:
    """Mark as degraded and owed, with an event each; those that a worker is at already are left to it."""
    idle = Environment.objects.filter(pk__in=owners, observed_generation=F("generation"), lease=None)
    idle = idle.filter(phase__in=(Phase.READY, Phase.DEGRADED))  # its end may have come since it was read
    with transaction.atomic():
        mine = list(idle.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        Environment.objects.filter(pk__in=mine).move_to(Phase.DEGRADED, next_reconcile_at=timezone.now())
        Event.objects.bulk_create(_event(key, lines[str(key)]) for key in mine)
    return [str(key) for key in mine]


def _event(environment_id: uuid.UUID, lines: list[str]) -> Event:
    message = f"The portal is restoring what was changed on the cluster: {'; '.join(lines)}"
    return Event.new(Activity.CHANGED_BY_HAND, message, environment_id=environment_id, data={"differences": lines})


def _wait(row: Cluster) -> timedelta:
    """How long after its last try a cluster is left alone: as long as it has been failing, up to a few intervals."""
    if not row.check_error or row.checked_at is None or row.updated_at > row.checked_at:
        return timedelta(0)
    failing = row.checked_at - (row.observed_at or row.created_at)
    return min(failing, timedelta(seconds=_MOST_WAITS * settings.OBSERVE_SECONDS))
