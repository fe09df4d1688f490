"""In which order steps run, and when what became of them is handed over."""

import threading

from environments import runner
from environments.errors import PermanentError
from environments.phases import Status
from environments.runner import Attempt, Task
from environments.steps.base import Context, Outcome, Step
from tests.environments.test_manifests import DESIRED

CONTEXT = Context(desired=DESIRED, cluster=None, directory=None, naming=None)
PATIENCE = 30.0  # seconds


def task(name: str, call=lambda context: Outcome(), *after: str, inline: bool = False) -> Task:
    return Task(Step(name, name, "", call, inline=inline), call, frozenset(after))


def run(*tasks: Task) -> list[set[str]]:
    """The types of the steps that were handed over together."""
    batches: list[list[Attempt]] = []
    attempts = runner.run(list(tasks), CONTEXT, batches.append, workers=4)
    assert attempts == [attempt for batch in batches for attempt in batch]
    return [{attempt.step.type for attempt in batch} for batch in batches]


def test_what_ends_within_a_blink_is_handed_over_together(monkeypatch):
    monkeypatch.setattr(runner, "_BLINK", PATIENCE)
    first = [task("a"), task("b"), task("inline", inline=True)]
    assert run(*first, task("after", lambda context: Outcome(), "a", "inline")) == [{"a", "b", "inline"}, {"after"}]


def test_what_has_ended_waits_for_nobody_that_takes_longer():
    known = threading.Event()
    batches: list[set[str]] = []

    def slow(context):
        assert known.wait(PATIENCE)
        return Outcome()

    def record(attempts: list[Attempt]) -> None:
        batches.append({attempt.step.type for attempt in attempts})
        known.set()

    runner.run([task("slow", slow), task("fast"), task("inline", inline=True)], CONTEXT, record, workers=4)
    assert "slow" not in batches[0]
    assert set.union(*batches) == {"fast", "inline", "slow"}


def test_what_failed_holds_up_only_what_needs_it():
    def refused(context):
        raise PermanentError("no")

    batches = run(task("a", refused), task("b"), task("after a", refused, "a"), task("after b", refused, "b"))
    assert set.union(*batches) == {"a", "b", "after b"}


def test_attempts_are_in_the_order_of_the_steps_when_they_are_handed_over_together():
    batches: list[list[Attempt]] = []
    runner.run([task("a", inline=True), task("b", inline=True)], CONTEXT, batches.append, workers=1)
    assert [[(each.step.type, each.status) for each in batch] for batch in batches] == [
        [("a", Status.DONE), ("b", Status.DONE)]
    ]
