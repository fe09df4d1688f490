"""The pass itself: one at a time over a cluster. A kind that it cannot read in full holds up no other."""

import gc
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from environments import kube
from environments.kube import manifests
from environments.kube.answers import ExpiredError
from environments.kube.differing import Difference
from environments.kube.manifests import Desired
from environments.lib import looks
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event
from environments.models.environments import EnvironmentQuerySet
from environments.reconcile import drift
from environments.reconcile.drift import Cause, Entry
from environments.routine import alerts, usage
from environments.routine.observe import expectations
from environments.routine.observe.comparing import Comparison, Drift
from environments.routine.observe.expectations import Recorded, Wanted
from environments.routine.observe.reading import Page, pages, seen
from environments.routine.observe.second_look import SecondLook

_QUOTA = "ResourceQuota"

#: The portal may not read these over a whole cluster. The step applies them again from time to time.
_UNSEEN = frozenset({"ConfigMap"})

MOST_SECONDS = 240  # of a pass; a worker's time limit for it lies above
_RESERVED = 15.0  # seconds of it for each kind, however long those before it take
_TURN = timedelta(seconds=MOST_SECONDS + 60)  # after which a pass that vanished holds up no other
_MOST_WAITS = 5  # intervals between two tries of a cluster that keeps failing
_BATCH = 500  # environments a transaction

#: What no other kind would be spared, and what two kinds in a row say of the whole cluster: reasons of errors.
_REFUSED = frozenset({"Unauthorized", "BadCertificate", "ClusterGone"})
_SILENT = frozenset({"Unreachable", "Timeout"})

#: Something that changes the same fields again and again would fill the activity: 1,440 entries a day.
_MOST_TOLD, _DAY = 3, timedelta(days=1)
_AGAIN = f"The same change was found {_MOST_TOLD} times within a day. Further ones are restored without an entry here."


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
        with _few_collections():
            return _observe(row)
    finally:
        Cluster.objects.filter(pk=row.pk, observing_until=now + _TURN).update(observing_until=None)


_USUAL = gc.get_threshold()
_FEW = (20_000, *_USUAL[1:])


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for circles among objects less often: a pass makes hundreds of thousands of maps, and no circle of them.

    Otherwise an eighth of its time goes into looking through them and all else in the process.
    """
    gc.set_threshold(*_FEW)
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL)


def _observe(row: Cluster) -> list[str]:
    try:
        reading = _Reading(row, expectations.load(row))
        reading.run()
    except ReconcileError as error:
        now = timezone.now()
        failed = dict.fromkeys(row.kind_looks, error.message)
        changes = {"check_error": error.message, "kind_looks": looks.after(row.kind_looks, {}, failed, now)}
        Cluster.objects.filter(pk=row.pk).update(checked_at=now, **changes)
        return []
    Cluster.objects.filter(pk=row.pk).update(**reading.result())
    return _conclude(row, reading)


@dataclass
class _Reading:
    """One cluster, kind by kind. Raises an adapter's error where the cluster itself does not answer."""

    row: Cluster
    expected: dict[str, Desired]
    drift: Drift = field(default_factory=dict)
    complete: dict[str, datetime] = field(default_factory=dict)  # kinds that were read in full, and when that began
    failed: dict[str, ReconcileError] = field(default_factory=dict)  # kinds that were not, and why

    def run(self) -> None:
        """Read everything. Usage is written down on the way, what differs is in `drift`."""
        self._client = kube.connect(self.row)
        self._end = time.monotonic() + MOST_SECONDS
        self._wanted = Wanted(self._portal_user())
        more = expectations.more_kinds(self.expected.values()) - _UNSEEN - set(looks.GOVERNING)
        kinds = [*looks.GOVERNING, *sorted(more)]  # whoever may create what templates add may make that hard to read
        for number, kind in enumerate(kinds):
            self._look(kind, self._deadline(len(kinds) - number))
            self._refuse_silence()
        if not self.complete:
            raise next(iter(self.failed.values()))

    def result(self) -> dict[str, Any]:
        """What the row keeps of the pass. *Observed at* moves on if all quotas were read."""
        now = timezone.now()
        errors = {kind: error.message for kind, error in self.failed.items()}
        changes: dict[str, Any] = {
            "checked_at": now,
            "check_error": " ".join(f"{kind}: {message}" for kind, message in errors.items()),
            "kind_looks": looks.after(self.row.kind_looks, self.complete, errors, now),
        }
        if _QUOTA in self.complete:
            changes["observed_at"] = changes["checked_at"] = self.complete[_QUOTA]
        return changes

    def second_look(self) -> SecondLook:
        """For what differs, before anything is said of it."""
        return SecondLook(self._client, self.expected, self._wanted, self._end)

    def _portal_user(self) -> str:
        """Asked for only where a template has objects; without an answer, the portal's own binding is not compared."""
        if not any(each.spec.manifests for each in self.expected.values()):
            return ""
        with suppress(ReconcileError):
            return self._client.whoami()
        return ""

    def _deadline(self, left: int) -> float:
        """When the next of so many kinds has to be done: each later one keeps a part of the time."""
        seconds = self._end - time.monotonic()
        return self._end - (left - 1) * min(_RESERVED, max(0.0, seconds) / left)

    def _look(self, kind: str, deadline: float) -> None:
        """Compare a kind. A list that expires half-way (410: the cluster forgets) is begun once more."""
        began = timezone.now()
        try:
            try:
                found = self._compare(kind, began, deadline)
            except ExpiredError:
                found = self._compare(kind, began, deadline)
        except ReconcileError as error:
            self.failed[kind] = error
            return
        self.complete[kind] = began
        self._note(found)

    def _refuse_silence(self) -> None:
        """Raises the error of the last kind where the cluster as a whole does not answer: the rest is not tried."""
        if self.complete or not self.failed:
            return
        errors = list(self.failed.values())
        if errors[-1].reason in _REFUSED or (len(errors) > 1 and all(each.reason in _SILENT for each in errors)):
            raise errors[-1]

    def _compare(self, kind: str, began: datetime, deadline: float) -> Drift:
        comparison = Comparison(kind, self.expected, self._wanted)
        try:
            for page in pages(self._client, kind, deadline):
                comparison.see(page)
                if kind == _QUOTA:
                    self._store_usage(page, began)
        except ExpiredError:
            raise
        except ReconcileError:
            self._note(comparison.seen())
            raise
        return comparison.finish()

    def _note(self, found: Drift) -> None:
        for owner, differences in found.items():
            self.drift.setdefault(owner, []).extend(differences)

    def _store_usage(self, page: Page, as_of: datetime) -> None:
        """Write down what the quotas of a page say, and tell who should know."""
        label = manifests.environment_label(settings.LABEL_DOMAIN)
        if figures := seen(page, self.expected, label):
            alerts.check(usage.record(figures, as_of))


def _conclude(row: Cluster, reading: _Reading) -> list[str]:
    """Record what drifted. Where something else is wanted by now, the comparison says nothing.

    What differs because the portal itself wants something else than it applied is applied without a word.
    """
    owed: list[str] = []
    look = reading.second_look()
    for batch in batched(sorted(reading.drift), _BATCH, strict=False):
        now_wanted, known = expectations.load(row, batch), expectations.recorded(batch)
        found: Drift = {}
        wishes: list[str] = []
        for owner in batch:
            if owner not in known or now_wanted.get(owner) != reading.expected[owner]:
                continue
            unexpected = _confirmed(look, owner, reading.drift[owner], known[owner])
            changed = [each for each in unexpected if not _is_wished(look, owner, each, known[owner])]
            if changed:
                found[owner] = changed
            elif unexpected:
                wishes.append(owner)
        owed += _record(found) + _owe(wishes)
    return owed


def _confirmed(look: SecondLook, owner: str, first: list[Difference], known: Recorded) -> list[Difference]:
    """What still differs at a second look, except what is known as the cluster's own doing."""
    unexpected = drift.unexpected(first, known.drift, timezone.now())
    return drift.unexpected(look.confirmed(owner, unexpected), known.drift, timezone.now()) if unexpected else []


def _is_wished(look: SecondLook, owner: str, difference: Difference, known: Recorded) -> bool:
    return known.is_wished(difference, look.manifest(owner, difference.kind, difference.name))


def _owe(ids: list[str]) -> list[str]:
    """Have environments reconciled whose phase and history this is no news for."""
    idle = _idle(ids)
    mine = [str(pk) for pk in idle.values_list("pk", flat=True)]
    idle.update(next_reconcile_at=timezone.now())
    return mine


def _idle(ids: Iterable[str]) -> EnvironmentQuerySet:
    """Those that no worker has or is about to have, and that are not over since they were read."""
    idle = Environment.objects.filter(pk__in=list(ids), observed_generation=F("generation"), lease=None)
    return idle.filter(phase__in=(Phase.READY, Phase.DEGRADED))


def _record(found: Drift) -> list[str]:
    """Mark as degraded and owed, with an event each; those that a worker has already are left to it."""
    now = timezone.now()
    with transaction.atomic():
        rows = list(_idle(found).order_by("pk").select_for_update(no_key=True).values_list("pk", "drift"))
        mine = [pk for pk, _ in rows]
        Environment.objects.filter(pk__in=mine).move_to(Phase.DEGRADED, next_reconcile_at=now)
        told = _told(mine, now)
        noted = [_noted(pk, drift.read(stored), found[str(pk)], told, now) for pk, stored in rows]
        Environment.objects.bulk_update([row for row, _ in noted], ["drift"])
        Event.objects.bulk_create(event for _, event in noted if event)
    return [str(key) for key in mine]


_Told = Counter[tuple[uuid.UUID, frozenset[tuple[str, ...]]]]


def _noted(
    pk: uuid.UUID, before: list[Entry], found: list[Difference], told: _Told, now: datetime
) -> tuple[Environment, Event | None]:
    """An environment with its drift as found, and the event if that is news and was not told too often."""
    after = drift.with_found(before, found, now)
    news = drift.news(before, after, Cause.HAND)  # what is still being repaired was told when it was found
    times, event = told[pk, drift.keys(news)], None
    if news and times >= _MOST_TOLD:
        after = [replace(each, quiet=each.quiet or each in news) for each in after]
    elif news:
        event = _event(pk, news, found, is_last=times == _MOST_TOLD - 1)
    return Environment(pk=pk, drift=drift.as_data(after)), event


def _told(ids: list[uuid.UUID], now: datetime) -> _Told:
    """How often the same drift of an environment was told within a day."""
    recent = Event.objects.filter(environment__in=ids, kind=Activity.CHANGED_BY_HAND, at__gte=now - _DAY)
    rows = recent.order_by().values_list("environment_id", "data")
    return Counter((pk, drift.keys(drift.read(data.get("drift")))) for pk, data in rows)


def _event(environment_id: uuid.UUID, entries: list[Entry], found: list[Difference], *, is_last: bool) -> Event:
    message = f"The portal is restoring what was changed on the cluster: {'; '.join(map(str, found))}"
    if is_last:
        message = f"{_AGAIN} {message}"
    data = {"drift": drift.as_data(entries), "again": is_last}
    return Event.new(Activity.CHANGED_BY_HAND, message, environment_id=environment_id, data=data)


def _wait(row: Cluster) -> timedelta:
    """How long after its last try a cluster is left alone: as long as it has been failing, up to a few intervals."""
    if not row.check_error or row.checked_at is None or row.updated_at > row.checked_at:
        return timedelta(0)
    failing = row.checked_at - (row.observed_at or row.created_at)
    return min(failing, timedelta(seconds=_MOST_WAITS * settings.OBSERVE_SECONDS))
