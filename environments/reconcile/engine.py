"""Reconciles one environment: makes cluster and directory match its row, and records the result.

Provisioning, changing, repairing and deleting are the same call. Only what the row asks for differs.
"""

import logging
import random
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from environments.lib import log_context, metrics
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase, Status
from environments.models import Condition, Departure, Environment, Event
from environments.reconcile import desired, drift, runner
from environments.reconcile import lease as lifecycle
from environments.reconcile.drift import Cause, Entry
from environments.reconcile.lease import Lease, LeaseLostError, SupersededError
from environments.reconcile.runner import Attempt, Task
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
    lease = lifecycle.take_lease(environment_id)
    if lease is None:
        return None
    with log_context.bound(environment=str(lease.environment_id)), metrics.reconciling() as outcomes:
        try:
            return _reconcile(lease, outcomes)
        except LeaseLostError:
            logger.warning("environment %s: another worker took over", environment_id)
            outcomes.append("LeaseLost")
            Environment.objects.filter(pk=environment_id).owe()  # what this run carried out too late is found then
            return 0.0
        except SupersededError:
            lifecycle.release(lease, next_reconcile_at=timezone.now())
            outcomes.append("Superseded")
            return 0.0
        except Exception:
            with suppress(DatabaseError, InterfaceError):  # maybe it is the database that is gone: the lease runs out
                lifecycle.release(lease, next_reconcile_at=timezone.now() + timedelta(seconds=60))
            raise


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


def _reconcile(lease: Lease, outcomes: list[str]) -> float | None:
    # The rest is looked up by its key: to plan a join of seven tables takes PostgreSQL longer than all that. The
    # template's content is the environment's own copy.
    related = Environment.objects.select_related("owner", "version__template")
    environment = related.defer("version__spec", "version__template__readme").get(pk=lease.environment_id)
    log_context.add(namespace=environment.namespace)
    steps = STEPS if environment.wanted else REMOVALS
    recorder = _Recorder(lease, list(environment.conditions.all()))
    attempts = _attempts(environment, steps, recorder)
    phase = phase_after(attempts, len(steps), wanted=environment.wanted, was_ready=environment.ready_at is not None)
    before = drift.read(environment.drift)
    after = _drift(before, phase, attempts)
    changes = _applied(environment, phase, attempts) | ({} if after == before else {"drift": drift.as_data(after)})
    if phase == Phase.DEGRADED and environment.phase == Phase.READY and recorder.only_catches_up(attempts):
        phase = Phase.READY
    events = [*_events_of_drift(environment, before, after), *_event(environment, phase, attempts)]
    with transaction.atomic():
        recorder.rest_of(attempts)
        next_at = recorder.next_at or _look_again_at(environment, phase)
        is_owed = lifecycle.settle(lease, phase=phase, next_reconcile_at=next_at, events=events, **changes)
        if environment.ready_at and not is_owed and _is_done(attempts, members.STEP):
            Departure.objects.confirm(environment)
    outcomes.append(phase.value)
    if is_owed:
        return 0.0
    return max(0.0, (next_at - timezone.now()).total_seconds()) if next_at else None


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
    """Writes attempts down as they happen, and remembers the earliest next try."""

    def __init__(self, lease: Lease, conditions: list[Condition]) -> None:
        self.next_at: datetime | None = None
        self._lease = lease
        self._conditions = {condition.type: condition for condition in conditions}
        self._tries = {condition.type: condition.attempts for condition in conditions}
        self._written = 0
        self.was_warned = any(runner.WARNS in condition.message for condition in conditions)

    def rest_of(self, attempts: list[Attempt]) -> None:
        """Write down those of a run's attempts that are not written yet. For inside the transaction of its result."""
        if rest := attempts[self._written :]:
            self(rest)

    def only_catches_up(self, attempts: list[Attempt]) -> bool:
        """Whether all that is not done is that the cluster has to count or to see what was just applied: no problem."""
        waiting = [attempt for attempt in attempts if attempt.status != Status.DONE]
        return all(
            attempt.reason in _CATCHING_UP and self._tries.get(attempt.step.type, 0) < _FEW_TRIES for attempt in waiting
        )

    def __call__(self, attempts: list[Attempt]) -> None:
        next_tries = [self._next_try(attempt) for attempt in attempts]
        for attempt, next_at in zip(attempts, next_tries, strict=True):
            metrics.tried(attempt.step.type, attempt.status.value, attempt.duration_ms)
            if attempt.status != Status.DONE:
                words = (self._lease.environment_id, attempt.step.type, attempt.status, attempt.reason, next_at)
                said = {"step": attempt.step.type}
                logger.info("environment %s, step %s: %s (%s), next try at %s", *words, extra={"fields": said})
        self.next_at = min((at for at in (self.next_at, *next_tries) if at), default=None)
        self._write(attempts, next_tries)
        self._written += len(attempts)

    def withdrawn(self, attempt: Attempt) -> None:
        """Record the people who were removed first. Where that failed, the step itself says so in its turn."""
        if attempt.status == Status.DONE:
            self._write([attempt], [None])

    def _write(self, attempts: list[Attempt], next_tries: list[datetime | None]) -> None:
        for attempt, next_at in zip(attempts, next_tries, strict=True):
            name = attempt.step.type
            before = self._conditions.get(name) or Condition(environment_id=self._lease.environment_id, type=name)
            self._conditions[name] = lifecycle.condition_after(before, attempt, self._lease.told(next_at))
        lifecycle.record(self._lease, attempts, [self._conditions[attempt.step.type] for attempt in attempts])

    def _next_try(self, attempt: Attempt) -> datetime | None:
        if attempt.status == Status.WAITING:
            tries = self._tries.get(attempt.step.type, 0)
            delay: float | None = backoff(tries, pace=attempt.pace, floor=attempt.floor)
        else:
            delay = attempt.look_again
        return None if delay is None else timezone.now() + timedelta(seconds=delay)


def _attempts(environment: Environment, steps: tuple[Step, ...], record: _Recorder) -> list[Attempt]:
    try:
        context = replace(desired.context(environment), insists=record.was_warned)
    except ReconcileError as error:  # a credential that cannot be read holds up the first step
        attempt = Attempt(steps[0], Status.FAILED, error.reason, error.message, 0)
        record([attempt])
        return [attempt]
    if environment.wanted and binding.is_leaving(context):
        record.withdrawn(runner.attempt(Task(binding.STEP, binding.withdraw, frozenset()), context))
    tasks = runner.ensuring(steps) if environment.wanted else runner.removing(steps)
    return runner.run(tasks, context, record, workers=settings.RECONCILE_WORKERS)


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
