"""Reconciles one environment: makes cluster and directory match its row, and records the result.

Provisioning, changing, repairing and deleting are the same call. Only what the row asks for differs.
"""

import logging
import random
import uuid
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Prefetch
from django.utils import timezone

from environments.lib import log_context, metrics
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment, Event, Member
from environments.reconcile import desired, drift, runner
from environments.reconcile import lease as lifecycle
from environments.reconcile.batch import Batch, Work
from environments.reconcile.drift import Cause, Entry
from environments.reconcile.lease import Lease, Result, Settlement
from environments.reconcile.runner import Attempt, Run, Task
from environments.reconcile.steps import REMOVALS, STEPS, binding, members
from environments.reconcile.steps.base import Step

logger = logging.getLogger(__name__)

_FIRST_DELAY, LAST_DELAY = 1.0, 300.0  # seconds
#: Reasons of steps that wait for the cluster to notice what the portal did a moment ago, and for how many tries.
_CATCHING_UP, _FEW_TRIES = frozenset({"NotCounted", "NotYet", "Recorded"}), 5
FAILED_LOOK, SECOND_LOOK = 900.0, 600.0  # seconds


def reconcile(environment_id: uuid.UUID | str) -> float | None:
    """Reconcile one environment as far as is possible now.

    Returns the seconds until the next reconcile, None if none is needed.
    """
    return next(iter(reconcile_some(environment_id, most=1).values()), None)


def reconcile_some(
    environment_id: uuid.UUID | str, *, most: int, following: Callable[[uuid.UUID], None] = lambda key: None
) -> dict[uuid.UUID, float | None]:
    """Reconcile an environment and, side by side with it, others that need it, up to `most`; nothing if it does not.

    Returns for each the seconds until the next reconcile, None if none is needed. `following` is told first of one
    more that needs it: another worker may begin with that. An environment of which something unexpected goes wrong
    holds up no other; if it was the only one, that is raised.
    """
    leases, another = lifecycle.take_leases(environment_id, most=most)
    if another:
        following(another)
    return Batch(_works(leases)).run() if leases else {}


def backoff(
    attempts: int, *, pace: float | None = None, floor: float | None = None, spread: float | None = None
) -> float:
    """Seconds until the next try: doubling from `pace` (one second) to five minutes, never less than `floor`.

    `spread` (0 to 1, random by default) keeps many environments from returning at the same moment.
    """
    spread = random.random() if spread is None else spread  # noqa: S311
    delay = min(LAST_DELAY, (pace or _FIRST_DELAY) * 2.0 ** min(attempts, 12)) * (0.75 + spread / 2)
    return max(delay, floor or 0.0)


def phase_after(attempts: list[Attempt], expected: int, *, wanted: bool, was_ready: bool) -> Phase:
    """The phase of an environment after these attempts at `expected` steps."""
    statuses = [attempt.status for attempt in attempts]
    complete = len(statuses) == expected and all(status == Status.DONE for status in statuses)
    if complete:
        return Phase.READY if wanted else Phase.DELETED
    if Status.FAILED in statuses:
        return Phase.FAILED
    if not wanted:
        return Phase.DELETING
    return Phase.DEGRADED if was_ready else Phase.PROVISIONING


#: Of an environment, what a reconcile needs.
_COLUMNS = (
    "name", "purpose", "namespace", "spec", "size", "parameters", "phase", "wanted", "next_reconcile_at",
    "namespace_uid", "openings", "applied_objects", "applied_digests", "drift", "ready_at", "deleted_at", "team_id",
    "cluster_id", "directory_id", "owner__email", "version__number", "version__template__slug",
)  # fmt: skip


def _works(leases: list[Lease]) -> list[Work]:
    """What is to be done under these leases. Clusters, directories and teams are read once for all."""
    held = {lease.environment_id: lease for lease in leases}
    members = Prefetch("members", Member.objects.select_related("person"))
    found = Environment.objects.filter(pk__in=list(held)).select_related("owner", "version__template").only(*_COLUMNS)
    # The rest is looked up by its key: to plan a join of seven tables takes PostgreSQL longer than all that. The
    # template's content is the environment's own copy.
    rows = found.order_by("created_at").prefetch_related(
        "team", "cluster", "directory", "groups", "group_members__team", "strangers", "conditions", members
    )
    return [_Work(held[row.pk], row) for row in rows]


class _Work:
    """One environment in hand: what is to be done, and what is to be written down of it."""

    def __init__(self, lease: Lease, environment: Environment) -> None:
        self.lease = lease
        self._environment = environment
        self._recorder = _Recorder(lease, list(environment.conditions.all()))
        self._insists = self._recorder.was_warned
        self._steps = STEPS if environment.wanted else REMOVALS
        self._phase, self._next_at = Phase(environment.phase), environment.next_reconcile_at
        with log_context.bound(environment=str(lease.environment_id), namespace=environment.namespace):
            self._log = copy_context()

    def begin(self) -> Run:
        """The steps to run."""
        self._run = self._log.run(self._start)
        return self._run

    def _start(self) -> Run:
        environment, workers = self._environment, settings.RECONCILE_WORKERS
        try:
            context = replace(desired.context(environment, environment.members.all()), insists=self._insists)
        except ReconcileError as error:  # a credential that cannot be read holds up the first step
            return Run.failed(Attempt(self._steps[0], Status.FAILED, error.reason, error.message, 0))
        if not environment.wanted:
            return Run(runner.removing(self._steps), context, workers=workers)
        leaving = Task(binding.STEP, binding.withdraw, frozenset()) if binding.is_leaving(context) else None
        return Run(runner.ensuring(self._steps), context, workers=workers, first=leaving)

    def result(self) -> Result:
        """What is not written down yet; with the phase and what follows from it, if the run is over."""
        return self._log.run(self._result)

    def _result(self) -> Result:
        if withdrawn := self._run.withdrawn:
            return Result(self.lease, [withdrawn], self._recorder.conditions([withdrawn], [None]))
        attempts = self._run.unwritten
        conditions = self._recorder(attempts)
        return Result(self.lease, attempts, conditions, self._settlement() if self._run.is_over else None)

    def _settlement(self) -> Settlement:
        environment, attempts = self._environment, self._run.attempts
        is_new = environment.ready_at is None
        phase = phase_after(attempts, len(self._steps), wanted=environment.wanted, was_ready=not is_new)
        before = drift.read(environment.drift)
        after = _drift(before, phase, attempts)
        changes = _applied(environment, phase, attempts) | ({} if after == before else {"drift": drift.as_data(after)})
        if phase == Phase.DEGRADED and environment.phase == Phase.READY and self._recorder.only_catches_up(attempts):
            phase = Phase.READY
        events = (*_events_of_drift(environment, before, after), *_event(environment, phase, attempts))
        self._phase, self._next_at = phase, self._recorder.next_at or _look_again_at(environment, phase)
        confirms = environment if not is_new and _is_done(attempts, members.STEP) else None
        return Settlement(phase, self._next_at, events, changes, confirms)

    def settled(self, *, is_owed: bool) -> tuple[str, float | None]:
        """The phase, and the seconds until the next reconcile: none if more was asked for in the meantime."""
        if is_owed:
            return self._phase.value, 0.0
        at = self._next_at
        return self._phase.value, max(0.0, (at - timezone.now()).total_seconds()) if at else None


def _is_done(attempts: list[Attempt], step: Step) -> bool:
    return any(attempt.step is step and attempt.status == Status.DONE for attempt in attempts)


def _look_again_at(environment: Environment, phase: Phase) -> datetime | None:
    """When to reconcile an environment again if no step waits; None if it has ended.

    In order: what its directory says is in no list of the cluster's. Failed: what was in the way may have been
    removed, and the one answer that it was judged by may have been wrong. Deleted: once more, for a call of a worker
    that was thought dead, or of a server that was slow to carry it out, may have come after the last look.
    """
    match phase:
        case Phase.READY:
            seconds = settings.RESYNC_SECONDS
        case Phase.FAILED:
            seconds = FAILED_LOOK
        case Phase.DELETED if environment.deleted_at is None:
            seconds = SECOND_LOOK
        case _:
            return None
    return timezone.now() + timedelta(seconds=seconds * (0.75 + random.random() / 2))  # noqa: S311


class _Recorder:
    """The conditions as attempts leave them, and the earliest next try."""

    def __init__(self, lease: Lease, conditions: list[Condition]) -> None:
        self.next_at: datetime | None = None
        self._lease = lease
        self._conditions = {condition.type: condition for condition in conditions}
        self._tries = {condition.type: condition.attempts for condition in conditions}
        self.was_warned = any(runner.WARNS in condition.message for condition in conditions)

    def only_catches_up(self, attempts: list[Attempt]) -> bool:
        """Whether all that is not done is that the cluster has to count or to see what was just applied: no problem."""
        waiting = [attempt for attempt in attempts if attempt.status != Status.DONE]
        return all(
            attempt.reason in _CATCHING_UP and self._tries.get(attempt.step.type, 0) < _FEW_TRIES for attempt in waiting
        )

    def __call__(self, attempts: list[Attempt]) -> list[Condition]:
        """Count and log attempts; their conditions, to be written down."""
        next_tries = [self._next_try(attempt) for attempt in attempts]
        for attempt, next_at in zip(attempts, next_tries, strict=True):
            metrics.tried(attempt.step.type, attempt.status.value, attempt.duration_ms)
            if attempt.status != Status.DONE:
                words = (self._lease.environment_id, attempt.step.type, attempt.status, attempt.reason, next_at)
                said = {"step": attempt.step.type}
                logger.info("environment %s, step %s: %s (%s), next try at %s", *words, extra={"fields": said})
        self.next_at = min((at for at in (self.next_at, *next_tries) if at), default=None)
        return self.conditions(attempts, next_tries)

    def conditions(self, attempts: list[Attempt], next_tries: list[datetime | None]) -> list[Condition]:
        """The conditions of these steps from now on."""
        for attempt, next_at in zip(attempts, next_tries, strict=True):
            name = attempt.step.type
            before = self._conditions.get(name) or Condition(environment_id=self._lease.environment_id, type=name)
            self._conditions[name] = lifecycle.condition_after(before, attempt, self._lease.told(next_at))
        return [self._conditions[attempt.step.type] for attempt in attempts]

    def _next_try(self, attempt: Attempt) -> datetime | None:
        if attempt.status == Status.WAITING:
            tries = self._tries.get(attempt.step.type, 0)
            delay: float | None = backoff(tries, pace=attempt.pace, floor=attempt.floor)
        else:
            delay = attempt.look_again
        return None if delay is None else timezone.now() + timedelta(seconds=delay)


_WORDS = {
    Phase.READY: (Activity.READY, "Ready to use. Everything is set up and access has been verified."),
    Phase.DEGRADED: (Activity.DEGRADED, "The portal found a problem and is repairing it."),
    Phase.DELETED: (Activity.DELETED, "The namespace and the access groups were deleted."),
}
_WORDS_AGAIN = {
    Phase.READY: (Activity.REPAIRED, "Everything is in order again."),
    Phase.DELETED: (Activity.CLEANED_UP, "The portal removed what appeared after the deletion."),
}


def _event(environment: Environment, phase: Phase, attempts: list[Attempt]) -> list[Event]:
    """The line of history that a change of phase is worth, none where there was none."""
    if phase == environment.phase:
        return []
    if phase == Phase.FAILED:
        failed = next(attempt for attempt in attempts if attempt.status == Status.FAILED)
        title = failed.step.title if environment.wanted else failed.step.removed_title
        return [Event.new(Activity.FAILED, f"{title}: {failed.message}", environment=environment)]
    by_hand = [each for each in drift.read(environment.drift) if each.cause == Cause.HAND]
    if phase == Phase.READY and by_hand and all(each.quiet for each in by_hand):
        return []
    was_there = environment.ready_at if phase == Phase.READY else environment.deleted_at
    words = _WORDS_AGAIN.get(phase) if was_there else None
    words = words or _WORDS.get(phase)
    return [Event.new(*words, environment=environment)] if words else []


def _drift(before: list[Entry], phase: Phase, attempts: list[Attempt]) -> list[Entry]:
    """What the objects have otherwise than wanted, after this run."""
    altered = {key: found for attempt in attempts for key, found in attempt.facts.altered.items()}
    complete = phase in (Phase.READY, Phase.DELETED)
    return drift.with_altered(before, altered, timezone.now(), complete=complete)


def _applied(environment: Environment, phase: Phase, attempts: list[Attempt]) -> dict[str, Any]:
    """The change of what was last applied; after a run that did not apply everything, the rest stays as it was."""
    known = {} if phase in (Phase.READY, Phase.DELETED) else environment.applied_digests
    made = known | {key: digest for attempt in attempts for key, digest in attempt.facts.digests.items()}
    return {} if made == environment.applied_digests else {"applied_digests": made}


def _events_of_drift(environment: Environment, before: list[Entry], after: list[Entry]) -> list[Event]:
    """Once for everything that the cluster changes; with an email if that loosens a limit."""
    entries = drift.news(before, after, Cause.CLUSTER)
    if not entries:
        return []
    what = "; ".join(f"{each.kind} {each.name}: {each.field} is {each.found or 'missing'}" for each in entries)
    owed, data = any(each.loosens for each in entries), {"drift": drift.as_data(entries)}
    message = f"The cluster changes what the portal applies: {what}"
    made = Event.new(Activity.CHANGED_BY_CLUSTER, message, environment=environment, data=data, notice_owed=owed)
    return [made]
