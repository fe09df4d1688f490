"""Runs steps in the order that their needs allow; those that need nothing of each other run at the same time.

Nothing here knows the database: what happened is handed to `record`, in the calling thread, as it happens. What happens
while no step has to wait is handed over together, so that it is written down together.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from environments.kube import api_warnings
from environments.kube.api_warnings import ApiWarning
from environments.lib import log_context
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.phases import Status
from environments.reconcile.facts import Facts
from environments.reconcile.steps.base import Context, Outcome, Step, merge

logger = logging.getLogger(__name__)

BLINK = 0.2  # seconds that what has ended waits for what is still running
WARNS = "The cluster warns about"  # in the message of a step
PATIENCE = 0.5  # seconds that what was done waits to be written down while the next wave begins
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


def run(
    tasks: list[Task],
    context: Context,
    record: Callable[[list[Attempt]], None],
    *,
    workers: int,
    blink: float = BLINK,
    patience: float = PATIENCE,
) -> list[Attempt]:
    """Try every task whose needs are done, until none is left; what failed holds up only what needs it.

    `record` is called in this thread: where something takes longer than a blink, before a `guarded` step, and between
    waves that take their time; an exception of its own ends the run. Each attempt goes there once, in the order of
    those that are returned, but for the last ones: these are the caller's to write down, with the result.
    """
    attempts: list[Attempt] = []
    held: list[Attempt] = []
    left, done, since = list(tasks), set[str](), time.monotonic()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="step") as pool:
        while wave := [task for task in left if task.after <= done]:
            if held and (time.monotonic() - since > patience or any(task.step.guarded for task in wave)):
                record(held)
                held, since = [], time.monotonic()
            left = [task for task in left if task not in wave]
            for tried, is_over in _wave(pool, wave, context, blink):
                attempts += tried
                held += tried
                for each in tried:
                    context = merge(context, each.facts)
                done |= {each.step.type for each in tried if each.status == Status.DONE}
                if held and not is_over:
                    record(held)
                    held, since = [], time.monotonic()
    return attempts


def _wave(
    pool: ThreadPoolExecutor, wave: list[Task], context: Context, blink: float
) -> Iterator[tuple[list[Attempt], bool]]:
    """What has ended and whether all has, again and again until it has; nothing, where a blink was too short."""
    running = [pool.submit(log_context.carried(attempt), task, context) for task in wave if not task.step.inline]
    tried = [attempt(task, context) for task in wave if task.step.inline]
    while True:
        ended, _ = wait(running, blink)
        tried += [future.result() for future in running if future in ended]
        running = [future for future in running if future not in ended]
        yield tried, not running
        if not running:
            return
        tried = []
        wait(running, return_when=FIRST_COMPLETED)


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
