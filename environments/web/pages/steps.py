"""The timeline of an environment's steps, and how soon to look again."""

from dataclasses import dataclass
from datetime import datetime

from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment
from environments.reconcile.steps import BY_TYPE, REMOVALS, STEPS

_PATIENT_POLL, _SLOW_POLL, _FAST_POLL = 15, 5, 1  # seconds between refreshes of a live region


@dataclass(frozen=True)
class Line:
    """One line of a timeline. `when` is a moment or a duration, in words or as a time."""

    title: str
    tone: str = ""
    message: str = ""
    at: datetime | None = None
    took_ms: int | None = None
    next_try_at: datetime | None = None
    attempts: int = 0
    word: str = ""  # the status for screen readers: done, waiting, failed, not yet


def timeline(environment: Environment, conditions: list[Condition], deciders: str = "") -> list[Line]:
    """The steps in their order, from the request to Ready, or from the deletion to gone.

    `deciders`: who is waited for where it waits for approval, by name.
    """
    if not environment.is_granted and not environment.awaits_approval:
        return _never_made(environment)
    by_type = {condition.type: condition for condition in conditions}
    steps = STEPS if environment.wanted else REMOVALS
    lines = [_line(environment, by_type[step.type]) for step in steps if step.type in by_type]
    if not environment.wanted:
        return [Line("Deletion asked for", "ok", word="done"), *lines]
    first = _first(environment, deciders)
    ready = environment.phase == Phase.READY
    last = Line("Ready", "ok", took_ms=_took(environment), word="done") if ready else Line("Ready", word="not yet")
    return [first, *lines, last]


def _first(environment: Environment, deciders: str) -> Line:
    """The request: accepted at once, waiting for those who decide, or approved."""
    if environment.awaits_approval:
        return Line("Waiting for approval", "wait", deciders, at=environment.asked_at, word="waiting")
    message = str(environment.version)
    if environment.requested_at:
        message += f", approved by {environment.decided_by}" if environment.decided_by else ", approved"
    return Line("Request accepted", "ok", message, at=environment.created_at, word="done")


def _never_made(environment: Environment) -> list[Line]:
    asked = Line("Requested", "ok", f"{environment.version}", word="done")
    tone, word = environment.tone, environment.phase
    return [asked, Line(word, tone, environment.decision_note, at=environment.deleted_at, word=word.lower())]


def poll_seconds(environment: Environment, lines: list[Line]) -> int | None:
    """How soon the page should look again; None once nothing is under way."""
    if environment.awaits_approval:
        return _PATIENT_POLL
    if environment.is_settled:
        return None
    return _SLOW_POLL if any(line.attempts > 3 for line in lines) else _FAST_POLL


def _line(environment: Environment, condition: Condition) -> Line:
    step = BY_TYPE[condition.type]
    done = condition.status == Status.DONE
    return Line(
        title=step.title if environment.wanted else step.removed_title,
        tone=condition.tone,
        message=condition.message or _after(step.needs, condition),
        at=condition.last_transition_at if done else None,
        took_ms=condition.duration_ms if done else None,
        next_try_at=condition.next_try_at if not done else None,
        attempts=condition.attempts,
        word={"Done": "done", "Waiting": "waiting", "Failed": "failed"}.get(condition.status, "not yet"),
    )


def _took(environment: Environment) -> int | None:
    """Milliseconds from the request to the first Ready."""
    if environment.ready_at is None:
        return None
    return round((environment.ready_at - environment.created_at).total_seconds() * 1000)


def _after(needs: tuple[str, ...], condition: Condition) -> str:
    if condition.status != Status.PENDING or not needs:
        return ""
    return f"after {BY_TYPE[needs[-1]].title.lower()}"
