"""Environments that are reconciled side by side: their leases are renewed and their results written for all at once.

Each one's result is written when it is there. One that is slow, fails, or is taken by another worker holds up no other.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from environments.lib import metrics
from environments.models import Environment
from environments.reconcile import lease as lifecycle
from environments.reconcile import runner
from environments.reconcile.lease import Lease, LeaseLostError, Refusal, Result, SupersededError
from environments.reconcile.runner import Run

logger = logging.getLogger(__name__)

_PAUSE = timedelta(seconds=60)  # after an unexpected error


class Work(Protocol):
    """One environment in hand."""

    lease: Lease

    def begin(self) -> Run:
        """What is to be run."""
        ...

    def result(self) -> Result:
        """What is to be written down now: with a settlement, if the run is over."""
        ...

    def settled(self, *, is_owed: bool) -> tuple[str, float | None]:
        """The outcome, and the seconds until the next reconcile. `is_owed`: more was asked for in the meantime."""
        ...


class Batch:
    """Runs the works of leases that one worker took together."""

    def __init__(self, works: list[Work]) -> None:
        self._works = works
        self._of: dict[Run, Work] = {}
        self._held = {work.lease.environment_id: work.lease for work in works}
        self._delays: dict[uuid.UUID, float | None] = {}
        self._refused: dict[uuid.UUID, Exception] = {}  # who may not go on, until the last call has ended
        self._since = self._renewed = time.monotonic()

    def run(self) -> dict[uuid.UUID, float | None]:
        """Seconds until the next reconcile of each, as `engine.reconcile_some`."""
        try:
            for work in self._works:
                with self._alone(work):
                    self._of[work.begin()] = work
            runner.run_all(list(self._of), self._write, tick=self._renew)
        except Exception:
            for lease in list(self._held.values()):
                self._give_back(lease)
            raise
        return self._delays

    def _renew(self) -> None:
        """Hold on to the leases while anything takes its time; before all else, where this process was frozen."""
        if time.monotonic() - self._renewed < settings.LEASE_SECONDS / lifecycle.RENEWALS:
            return
        refused = lifecycle.renew(list(self._held.values()))
        self._renewed = time.monotonic()
        for run, work in self._of.items():
            if refusal := refused.get(work.lease.environment_id):
                self._refuse(run, work, refusal)

    def _write(self, runs: list[Run]) -> None:
        """Write down what has to be of these runs: together, or each by itself where that does not work."""
        over = [run for run in runs if run.is_over]
        results: dict[Run, Result] = {}
        for run in runs:
            if not run.is_stopped:
                with self._alone(self._of[run], run):
                    results[run] = self._of[run].result()
        if len(results) > 1 and (answers := self._together(list(results.values()))) is not None:
            for run, result in results.items():
                with self._alone(self._of[run], run):
                    self._written(run, result, answers[result.lease.environment_id])
        else:
            for run, result in results.items():
                with self._alone(self._of[run], run):
                    self._written(run, result, _by_itself(result))
        for run in over:
            if run.is_stopped:
                self._give_up(self._of[run].lease)

    def _together(self, results: list[Result]) -> dict[uuid.UUID, Refusal | bool] | None:
        try:
            return lifecycle.write(results)
        except (Error, ValueError):  # one's text that the database refuses must not be the others' end
            logger.exception("the results of %s environments could not be written together", len(results))
            return None

    def _written(self, run: Run, result: Result, answer: Refusal | bool) -> None:
        if isinstance(answer, LeaseLostError | SupersededError):
            self._refuse(run, self._of[run], answer)
        elif isinstance(answer, Exception):
            raise answer
        elif result.settlement:
            outcome, delay = self._of[run].settled(is_owed=answer)
            self._end(result.lease, outcome, delay)

    def _refuse(self, run: Run, work: Work, reason: Exception) -> None:
        self._refused[work.lease.environment_id] = reason
        run.stop()

    def _give_up(self, lease: Lease) -> None:
        """End what may not go on. Its last call has ended."""
        reason = self._refused.get(lease.environment_id)
        if isinstance(reason, LeaseLostError):
            logger.warning("environment %s: another worker took over", lease.environment_id)
            # What this run carried out too late is found then.
            Environment.objects.filter(pk=lease.environment_id).owe()
            self._end(lease, "LeaseLost", 0.0)
        elif isinstance(reason, SupersededError):
            lifecycle.release(lease, next_reconcile_at=timezone.now())
            self._end(lease, "Superseded", 0.0)
        else:
            self._give_back(lease)

    def _give_back(self, lease: Lease) -> None:
        """Give the lease back after an unexpected error."""
        self._end(lease, "Error", None)
        with suppress(Error):  # maybe it is the database that is gone: the lease runs out
            lifecycle.release(lease, next_reconcile_at=timezone.now() + _PAUSE)

    def _end(self, lease: Lease, outcome: str, delay: float | None) -> None:
        metrics.reconciled(outcome, time.monotonic() - self._since)
        self._delays[lease.environment_id] = delay
        self._held.pop(lease.environment_id, None)

    @contextmanager
    def _alone(self, work: Work, run: Run | None = None) -> Iterator[None]:
        """An unexpected error is this environment's own. If there is no other, it is raised."""
        try:
            yield
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            if len(self._works) == 1:
                raise
            logger.exception("environment %s: unexpected error", work.lease.environment_id)
            if run is None:
                self._give_back(work.lease)
            else:
                self._refuse(run, work, error)


def _by_itself(result: Result) -> Refusal | bool:
    """The same as `lifecycle.write` for one. Raises IllegalMoveError."""
    end = result.settlement
    try:
        if end is None:
            lifecycle.record(result.lease, result.attempts, result.conditions)
            return False
        with transaction.atomic():
            if result.attempts:
                lifecycle.record(result.lease, result.attempts, result.conditions)
            return lifecycle.settle(
                result.lease,
                phase=end.phase,
                next_reconcile_at=end.next_reconcile_at,
                events=end.events,
                confirms=end.confirms,
                **end.changes,
            )
    except (LeaseLostError, SupersededError) as refusal:
        return refusal
