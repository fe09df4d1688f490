"""In which order steps run, and when what became of them is handed over."""

import threading

from environments.directory.local import LocalClient
from environments.lib.errors import PermanentError
from environments.lib.phases import Status
from environments.reconcile import runner
from environments.reconcile.runner import Attempt, Run, Task
from environments.reconcile.steps.base import Context, Outcome, Step
from tests.environments.refunds import DESIRED

CONTEXT = Context(desired=DESIRED, cluster=None, directory=LocalClient(1), naming=None)
PATIENCE = 30.0  # seconds


def refuse(attempts: list[Attempt]) -> None:
    raise AssertionError("there is nothing to hand over before the end")


def task(name: str, call=lambda context: Outcome(), *after: str, **more: bool) -> Task:
    return Task(Step(name, name, "", call, **more), call, frozenset(after))


def run_one(tasks: list[Task], record, *, workers: int = 4, **more: float) -> list[Attempt]:
    """Run one environment's tasks; what is to be written down before the end goes to `record`."""
    run = Run(tasks, CONTEXT, workers=workers)

    def write(runs: list[Run]) -> None:
        assert runs == [run]
        if not run.is_over:
            record(run.unwritten)

    runner.run_all([run], write, **more)
    return run.attempts


def run(*tasks: Task, blink: float = PATIENCE) -> list[set[str]]:
    """The types of the steps that were handed over together, and last of those that were left to the end."""
    batches: list[list[Attempt]] = []
    attempts = run_one(list(tasks), batches.append, blink=blink)
    written = [attempt for batch in batches for attempt in batch]
    assert attempts[: len(written)] == written
    batches.append(attempts[len(written) :])
    return [{attempt.step.type for attempt in batch} for batch in batches]


def test_what_ends_within_a_blink_is_handed_over_together():
    first = [task("a"), task("b"), task("inline", inline=True)]
    assert run(*first, task("after", lambda context: Outcome(), "a", "inline")) == [{"a", "b", "inline", "after"}]


def test_before_a_guarded_step_all_is_handed_over():
    written: list[str] = []

    def guarded(context):
        assert written == ["a", "b"]
        return Outcome()

    last = task("last", guarded, "b", guarded=True)
    tasks = [task("a"), task("b", lambda context: Outcome(), "a"), last]
    record = lambda attempts: written.extend(attempt.step.type for attempt in attempts)  # noqa: E731
    attempts = run_one(tasks, record, blink=PATIENCE)
    assert [attempt.status for attempt in attempts] == [Status.DONE] * 3
    assert written == ["a", "b"]


def test_what_took_its_time_is_handed_over_before_the_next_begins():
    assert run(task("a"), task("b", lambda context: Outcome(), "a"), blink=-1.0) == [{"a"}, {"b"}]


def test_what_has_ended_waits_for_nobody_that_takes_longer():
    known = threading.Event()  # of what ended in the same wave, and in the one before
    batches: list[set[str]] = []

    def slow(context):
        assert known.wait(PATIENCE)
        return Outcome()

    def record(attempts: list[Attempt]) -> None:
        batches.append({attempt.step.type for attempt in attempts})
        known.set()

    beside = [task("slow", slow), task("fast"), task("inline", inline=True)]
    run_one([*beside, task("after", lambda context: Outcome(), "slow")], record)
    assert set.union(*batches) >= {"fast", "inline"}
    assert "slow" not in batches[0]
    known.clear()
    batches.clear()
    attempts = run_one([task("fast"), task("slow", slow, "fast")], record)
    assert batches == [{"fast"}]
    assert [attempt.status for attempt in attempts] == [Status.DONE] * 2


def test_what_failed_holds_up_only_what_needs_it():
    def refused(context):
        raise PermanentError("no")

    batches = run(task("a", refused), task("b"), task("after a", refused, "a"), task("after b", refused, "b"))
    assert set.union(*batches) == {"a", "b", "after b"}


def test_attempts_are_in_the_order_of_the_steps_when_they_are_handed_over_together():
    left = run_one([task("a", inline=True), task("b", inline=True)], refuse, workers=1)
    assert [(each.step.type, each.status) for each in left] == [("a", Status.DONE), ("b", Status.DONE)]
