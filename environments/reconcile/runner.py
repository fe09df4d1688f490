"""Runs steps in the order that their needs allow; those that need nothing of each other run at the same time.

Nothing here knows the database: what happened is handed to `write`, in the calling thread. What happens while no step
has to wait is handed over together, that of other environments too, so that it is written down together.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import cast

from environments.directory import OwnAccounts
from environments.kube import api_warnings
from environments.kube.api_warnings import ApiWarning
from environments.lib import log_context
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.phases import Status
from environments.reconcile.facts import Facts
from environments.reconcile.steps.base import Context, Outcome, Step, merge

logger = logging.getLogger(__name__)

BLINK = 0.2  # seconds that what has ended waits for what is still running
GATHER = 0.1  # seconds that a run which has to be written down waits for others, while these are quick
_BESIDE = 8  # tasks of all environments that run at the same time
_SLOW = 0.25  # seconds after which a task counts no longer: a cluster that is slow must not hold up another
_MOST = 128  # threads: steps of eight environments at once, where everything is slow, and then some
_PULSE = 0.02  # seconds between two looks
_LAST = 60.0  # seconds that calls under way may take once everything else is over
WARNS = "The cluster warns about"  # in the message of a step
_UNEXPECTED = "The portal had an unexpected error, which was logged. We retry automatically."


@dataclass(frozen=True)
class Attempt:
    """One attempt at one step, and the delays it asks for in seconds, or None.

    `pace` is the first delay of the back-off, `floor` the shortest (Retry-After), `look_again` the delay after success.
    """

    step: Step
    status: Status
    reason: str
    message: str
    duration_ms: int
    facts: Facts = field(default_factory=Facts)
    pace: float | None = None
    floor: float | None = None
    look_again: float | None = None


@dataclass(frozen=True)
class Task:
    """A step, what to call, and the types of the steps that must be done before."""

    step: Step
    call: Callable[[Context], Outcome]
    after: frozenset[str]


def ensuring(steps: tuple[Step, ...]) -> list[Task]:
    """The tasks that create or repair an environment."""
    return [Task(step, step.ensure, frozenset(step.needs)) for step in steps]


def removing(steps: tuple[Step, ...]) -> list[Task]:
    """The tasks that delete an environment."""
    return [Task(step, step.remove, frozenset(step.removed_after)) for step in steps if step.remove]


class Run:
    """The tasks of one environment: which may start, what has ended, and what is still to be written down.

    Made in the log context of its environment, which its steps get along. Used by one thread.
    """

    def __init__(self, tasks: list[Task], context: Context, *, workers: int, first: Task | None = None) -> None:
        """`workers`: how many tasks run at the same time. `first`: a task that all others wait for, done or not."""
        self.attempts: list[Attempt] = []  # each once, in the order in which they ended
        self.withdrawn: Attempt | None = None  # the first task, if it was done, until that is written down
        self.is_stopped = False
        self._context, self._left, self._first, self._workers = context, list(tasks), first, workers
        self._done: set[str] = set()
        self._running = self._written = 0
        self._since = 0.0  # when the first of what is not written down ended
        self._log = copy_context()

    @classmethod
    def failed(cls, tried: Attempt) -> "Run":
        """A run that ended before it began."""
        run = cls([], cast(Context, None), workers=1)  # no task will ask for it
        run.attempts.append(tried)
        return run

    @property
    def unwritten(self) -> list[Attempt]:
        """What has ended since something was last written down."""
        return self.attempts[self._written :]

    @property
    def is_over(self) -> bool:
        """Whether nothing runs and nothing more will."""
        return not self._running and (self.is_stopped or (self._first is None and not self._ready()))

    def must_be_written(self, blink: float) -> bool:
        """Whether the run waits for that, or what has ended has waited for longer than a blink."""
        if self.is_stopped:
            return False
        held = bool(self.unwritten)
        guards = held and any(task.step.guarded for task in self._ready())
        return guards or self.withdrawn is not None or (held and time.monotonic() - self._since > blink)

    def written(self) -> None:
        """Note that all was written down."""
        self._written, self.withdrawn = len(self.attempts), None

    def stop(self) -> None:
        """Start nothing more: another worker has the lease, or something else is wanted now."""
        self.is_stopped = True

    def start(self) -> list[Task]:
        """The tasks that may start now, which count as running from here on."""
        if self.is_stopped or self.withdrawn:
            return []
        if self._first:
            tasks = [] if self._running else [self._first]
        else:
            free = [task for task in self._ready() if not (task.step.guarded and self.unwritten)]
            tasks = free[: self._workers - self._running]
            self._left = [task for task in self._left if task not in tasks]
        self._running += len(tasks)
        return tasks

    def is_inline(self, task: Task) -> bool:
        """Whether a task needs the thread that holds the database's connection."""
        return task.step.inline and isinstance(self._context.directory, OwnAccounts)

    def call(self, task: Task) -> Callable[[], Attempt]:
        """What tries the task, once, in any thread."""
        return partial(self._log.run(log_context.carried, attempt), task, self._context)

    def skipped(self) -> None:
        """Take note that a task was not tried after all."""
        self._running -= 1

    def ended(self, task: Task, tried: Attempt) -> None:
        """Take what became of a task."""
        self._running -= 1
        if task is self._first:
            self._first, self.withdrawn = None, tried if tried.status == Status.DONE else None
            return
        if not self.unwritten:
            self._since = time.monotonic()
        self.attempts.append(tried)
        self._context = merge(self._context, tried.facts)
        if tried.status == Status.DONE:
            self._done.add(tried.step.type)

    def _ready(self) -> list[Task]:
        return [task for task in self._left if task.after <= self._done]


def run_all(
    runs: list[Run],
    write: Callable[[list[Run]], None],
    *,
    tick: Callable[[], None] = lambda: None,
    blink: float = BLINK,
    gather: float = GATHER,
) -> None:
    """Run the tasks of several environments side by side, until every run is over and handed to `write`.

    What failed holds up only what needs it, and no run holds up another. `write` is called in this thread: with runs
    of which something must be written down before they go on, and once with each that is over. They are gathered while
    others are still busy, but not for long. `tick` is called before anything is started. An exception of either ends
    all runs, once what is running has ended.
    """
    _Together(runs, blink, gather).run(write, tick)


class _Together:
    def __init__(self, runs: list[Run], blink: float, gather: float) -> None:
        self._runs, self._blink, self._gather = list(runs), blink, gather
        self._waiting: deque[tuple[Run, Task]] = deque()
        self._started: dict[int, tuple[Run, float]] = {}  # what runs in the pool, by a number, and since when
        self._ended: SimpleQueue[tuple[int, Run, Task, Attempt | BaseException]] = SimpleQueue()
        self._count = 0
        self._due_since = 0.0

    def run(self, write: Callable[[list[Run]], None], tick: Callable[[], None]) -> None:
        try:
            while self._runs:
                tick()
                if due := self._due():
                    over = [run for run in due if run.is_over]
                    write(due)
                    self._close(due, over)
                elif not self._start():
                    self._take()
        finally:
            with suppress(Empty):
                while self._started:  # their calls must not go on after the leases were given back
                    self._started.pop(self._ended.get(timeout=_LAST)[0], None)

    def _due(self) -> list[Run]:
        """The runs that are to be written down now."""
        due = [run for run in self._runs if run.is_over or run.must_be_written(self._blink)]
        if not due:
            self._due_since = 0.0
            return []
        self._due_since = self._due_since or time.monotonic()
        others = [run for run in self._runs if run not in due]
        is_enough = time.monotonic() - self._due_since >= self._gather
        return due if is_enough or not any(map(self._is_quick, others)) else []

    def _is_quick(self, run: Run) -> bool:
        """Whether something of the run is likely to end in a moment."""
        now = time.monotonic()
        mine = [since for owner, since in self._started.values() if owner is run]
        return any(now - since < _SLOW for since in mine) or any(owner is run for owner, _ in self._waiting)

    def _close(self, due: list[Run], over: list[Run]) -> None:
        self._due_since = 0.0
        for run in due:
            run.written()
        self._runs = [run for run in self._runs if run not in over]

    def _start(self) -> bool:
        """Start what may start; whether anything ended meanwhile."""
        has_ended = False
        for run in self._runs:
            for task in run.start():
                if run.is_inline(task):
                    run.ended(task, run.call(task)())
                    has_ended = True
                else:
                    self._waiting.append((run, task))
        now = time.monotonic()
        quick = sum(now - since < _SLOW for _, since in self._started.values())
        while self._waiting and quick < _BESIDE:
            run, task = self._waiting.popleft()
            if run.is_stopped:
                run.skipped()
            else:
                self._submit(run, task, now)
                quick += 1
        return has_ended

    def _submit(self, run: Run, task: Task, now: float) -> None:
        self._count += 1
        self._started[self._count] = run, now
        number, call = self._count, run.call(task)

        def work() -> None:
            try:
                self._ended.put((number, run, task, call()))
            except BaseException as error:  # noqa: BLE001 # it is raised where the run is waited for
                self._ended.put((number, run, task, error))

        _pool().submit(work)

    def _take(self) -> None:
        """Wait for what ends next, but not for long: something may have to be written, renewed or started before."""
        with suppress(Empty):
            found = self._ended.get(timeout=_PULSE)
            while True:
                number, run, task, tried = found
                self._started.pop(number)
                if isinstance(tried, BaseException):
                    raise tried
                run.ended(task, tried)
                found = self._ended.get_nowait()


_kept = threading.local()


def _pool() -> ThreadPoolExecutor:
    """The threads for steps that belong to this thread. Kept: to start them takes longer than a call."""
    pool: ThreadPoolExecutor | None = getattr(_kept, "pool", None)
    if pool is None:
        pool = _kept.pool = ThreadPoolExecutor(max_workers=_MOST, thread_name_prefix="step")
    return pool


def attempt(task: Task, context: Context) -> Attempt:
    """Try one task, and say how that went. Raises nothing."""
    start = time.monotonic()
    with log_context.bound(step=task.step.type):
        tried = _call(task, context)
    return replace(tried, duration_ms=round((time.monotonic() - start) * 1000))


def _call(task: Task, context: Context) -> Attempt:
    try:
        with api_warnings.hearing() as warnings:
            outcome = _with_warnings(task.call(context), warnings)
    except PermanentError as error:
        return Attempt(task.step, Status.FAILED, error.reason, error.message, 0)
    except TemporaryError as error:
        return Attempt(task.step, Status.WAITING, error.reason, error.message, 0, floor=error.retry_after)
    except Exception:
        # A mistake of ours must neither stop the other steps nor leave the environment without a next try.
        logger.exception("step %s failed unexpectedly", task.step.type)
        return Attempt(task.step, Status.WAITING, "Unexpected", _UNEXPECTED, 0)
    status = Status.FAILED if outcome.failed else Status.DONE if outcome.wait is None else Status.WAITING
    return Attempt(
        task.step,
        status,
        outcome.reason,
        outcome.message,
        0,
        outcome.facts,
        pace=outcome.wait,
        look_again=outcome.look_again,
    )


def _with_warnings(outcome: Outcome, warnings: list[ApiWarning]) -> Outcome:
    """What a step reached, with what the API server warned of on the way, unless the step says that itself."""
    unsaid = [warning for warning in warnings if warning.text not in outcome.message]
    if not unsaid:
        return outcome
    told = " ".join(f"{WARNS} {warning}." for warning in unsaid)
    reason = "Warned" if outcome.reason == "Done" else outcome.reason
    return replace(outcome, message=f"{outcome.message.rstrip('.')}. {told}", reason=reason)
