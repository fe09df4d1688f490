"""The timeline of an environment's steps, and how soon the page refreshes."""

from dataclasses import dataclass
from datetime import datetime

from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment
from environments.reconcile.steps import BY_TYPE, REMOVALS, STEPS, policies

UNREAD = "Not fully checked"  # instead of Ready
# Seconds between refreshes of a live region
_SETTLED_POLL, _SLOW_POLL, _APPROVAL_POLL, _FAST_POLL = 30, 5, 2, 1


@dataclass(frozen=True)
class TimelineEntry:
    """One entry of a timeline, with a moment, a duration or the next try."""

    title: str
    tone: str = ""
    message: str = ""
    at: datetime | None = None
    took_ms: int | None = None
    next_try_at: datetime | None = None
    attempts: int = 0
    word: str = ""  # the status for screen readers: done, waiting, failed, pending


def timeline(environment: Environment, conditions: list[Condition], deciders: str = "") -> list[TimelineEntry]:
    """The steps in their order, from the request to Ready, or from the deletion to Deleted.

    `deciders`: the approvers by name, if it waits for approval.
    """
    if not environment.is_granted and not environment.awaits_approval:
        return _never_made(environment)
    by_type = {condition.type: condition for condition in conditions}
    steps = STEPS if environment.wanted else REMOVALS
    lines = [_line(environment, by_type[step.type]) for step in steps if step.type in by_type]
    if not environment.wanted:
        return [TimelineEntry("Deletion requested", "ok", word="done"), *lines]
    first = _first(environment, deciders)
    return [first, *lines, _last(environment)]


def _last(environment: Environment) -> TimelineEntry:
    """That it is ready: not said if the portal could not read all of it for too long."""
    if environment.phase != Phase.READY:
        return TimelineEntry("Ready", word="pending")
    if environment.unread:
        return TimelineEntry("Ready", word=UNREAD.lower())
    return TimelineEntry("Ready", "ok", took_ms=_took(environment), word="done")


def _first(environment: Environment, deciders: str) -> TimelineEntry:
    """The request: accepted at once, waiting for approval, or approved."""
    if environment.awaits_approval:
        return TimelineEntry("Waiting for approval", "wait", deciders, at=environment.asked_at, word="waiting")
    message = str(environment.version)
    if environment.requested_at:
        message += f", approved by {environment.decided_by}" if environment.decided_by else ", approved"
    return TimelineEntry("Request accepted", "ok", message, at=environment.created_at, word="done")


def _never_made(environment: Environment) -> list[TimelineEntry]:
    asked = TimelineEntry("Requested", "ok", f"{environment.version}", word="done")
    tone, word = environment.tone, environment.phase
    return [asked, TimelineEntry(word, tone, environment.decision_note, at=environment.deleted_at, word=word.lower())]


def poll_seconds(environment: Environment, lines: list[TimelineEntry]) -> int | None:
    """How soon the page should refresh; None for a closed request, which nothing changes any more."""
    if environment.phase in (Phase.REJECTED, Phase.WITHDRAWN):
        return None
    if environment.awaits_approval:
        return _APPROVAL_POLL
    if environment.is_settled:
        return _SETTLED_POLL
    return _SLOW_POLL if any(line.attempts > 3 for line in lines) else _FAST_POLL


def _line(environment: Environment, condition: Condition) -> TimelineEntry:
    step = BY_TYPE[condition.type]
    done = condition.status == Status.DONE
    warning = _warning(environment, condition) if done else ""
    return TimelineEntry(
        title=step.title if environment.wanted else step.removed_title,
        tone="warn" if warning else condition.tone,
        message=warning or condition.message or _after(step.needs, condition),
        at=condition.last_transition_at if done else None,
        took_ms=condition.duration_ms if done else None,
        next_try_at=condition.next_try_at if not done else None,
        attempts=condition.attempts,
        word={"Done": "done", "Waiting": "waiting", "Failed": "failed"}.get(condition.status, "pending"),
    )


def _warning(environment: Environment, condition: Condition) -> str:
    """Why a namespace is not isolated although its policies are in place; empty if it is, as far as known."""
    if condition.type != policies.NETWORK.type or not environment.wanted:
        return ""
    opened = condition.message if condition.reason == policies.OPENED else ""
    return opened or environment.cluster.isolation_warning


def _took(environment: Environment) -> int | None:
    """Milliseconds from the request to the first Ready."""
    if environment.ready_at is None:
        return None
    return round((environment.ready_at - environment.created_at).total_seconds() * 1000)


def _after(needs: tuple[str, ...], condition: Condition) -> str:
    if condition.status != Status.PENDING or not needs:
        return ""
    return f"starts after “{BY_TYPE[needs[-1]].title}”"
