"""What every change does when somebody asks for it: it waits for a decision, or it is recorded as carried out.

Both are called in a transaction that holds the lock on the environment (guards.lock_open), so that two at once are one
after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from environments.actions import guards
from environments.lib import quantities
from environments.lib.activity import Activity
from environments.models import Change, ChangeKind, ChangeState, Environment, Event, User
from environments.models.changes import MAX_REASON

_SAID = 3  # figures in a sentence; the page has the others

#: What a change is about, as it was and as it shall be: one line for people.
Figure = tuple[str, str, str]


@dataclass(frozen=True)
class Asked:
    """What somebody asks for: the values that `apply` reads, and the lines that people are shown."""

    kind: ChangeKind
    before: dict[str, Any]
    after: dict[str, Any]
    figures: Sequence[Figure]
    what: str  # as in “Dana asked for <another size>: …”
    reason: str = ""
    grounds: str = ""  # why nobody has to decide


def check_reason(reason: str) -> str:
    """The reason without spaces around it. Raises ValidationError at `reason`."""
    reason = reason.strip()
    if len(reason) > MAX_REASON:
        raise ValidationError(
            {"reason": [ValidationError(f"Use at most {MAX_REASON} characters; you entered {len(reason)}.")]}
        )
    if "\x00" in reason:
        raise ValidationError({"reason": [ValidationError("Remove the null character.")]})
    return reason


def lock_granted(environment: Environment) -> Environment:
    """The row, locked. Raises EndedError if it ends or ended, ValidationError while the request itself waits."""
    row = guards.lock_open(environment)
    if row.awaits_approval:
        raise ValidationError("This request is waiting for approval. Change it after the decision.")
    return row


def check_none_open(row: Environment, kind: ChangeKind) -> None:
    """Raise ValidationError (code `open`) if a change of this kind waits for a decision already."""
    earlier = Change.objects.waiting().filter(environment=row, kind=kind).select_related("asked_by").first()
    if earlier:
        who = earlier.asked_by or "Someone"
        text = f"{who} already requested a change of the {kind.label.lower()}. Wait for the decision, or withdraw it."
        raise ValidationError(text, code="open")


def sentence(change: Change) -> str:
    """What a change is about: `size Large, was Small; CPU requests 4 cores, was 500m; and 3 more figures`."""
    return said(change.figures)


def said(figures: Sequence[Sequence[str]]) -> str:
    """The first figures as a sentence, and how many more there are."""
    found = [f"{name} {after}, was {before}" for name, before, after in figures[:_SAID]]
    more = len(figures) - _SAID
    return "; ".join(found + ([f"and {more} more figure{'s' if more > 1 else ''}"] if more > 0 else []))


def quota_figures(before: dict[str, str], after: dict[str, str]) -> list[Figure]:
    """What two quotas have otherwise, main resources first."""
    names = sorted(before | after, key=quantities.rank)
    found = [(quantities.name(name), _amount(name, before), _amount(name, after)) for name in names]
    return [figure for figure in found if figure[1] != figure[2]]


def _amount(name: str, hard: dict[str, str]) -> str:
    return quantities.human(name, quantities.parse(hard[name])) if name in hard else "no limit"


def replace(environment: Environment, kinds: Iterable[ChangeKind], why: str) -> None:
    """Close what waits for a decision and is out of date; whoever asked gets an email. `why` ends a sentence."""
    for change in Change.objects.waiting().filter(environment=environment, kind__in=kinds).select_related("asked_by"):
        now = timezone.now()
        if Change.objects.waiting().filter(pk=change.pk).update(state=ChangeState.REPLACED, decided_at=now):
            text = f"The change ({sentence(change)}) was closed, because {why}."
            people = [change.asked_by.email] if change.asked_by else []
            Event.record(environment, None, Activity.CHANGE_CLOSED, text, {"change": change.pk, "asked": people})


def wait(row: Environment, actor: User, asked: Asked, *, for_admins: bool = False) -> Change:
    """Have a change wait for a decision; the approvers get an email. `for_admins`: only platform admins decide."""
    check_none_open(row, asked.kind)
    now = timezone.now()
    change = _store(row, actor, asked, ChangeState.WAITING, deciders_told_at=now, for_admins=for_admins)
    message = f"{actor} requested {asked.what}: {said(asked.figures)}. It needs approval."
    Event.record(row, actor, Activity.CHANGE_REQUESTED, message, _data(change))
    return change


def applied(row: Environment, actor: User, asked: Asked, kind: Activity) -> Change:
    """Record a change that needed nobody's decision and that the caller carries out."""
    check_none_open(row, asked.kind)
    change = _store(row, actor, asked, ChangeState.APPLIED, decided_at=timezone.now())
    did = "opened the network" if asked.kind == ChangeKind.OPENING else f"changed the {asked.kind.label.lower()}"
    message = f"{actor} {did}: {said(asked.figures)}."
    Event.record(row, actor, kind, message, _data(change))
    return change


def _store(row: Environment, actor: User, asked: Asked, state: ChangeState, **more: Any) -> Change:
    return Change.objects.create(
        environment=row,
        kind=asked.kind,
        state=state,
        before=asked.before,
        after=asked.after,
        figures=[list(each) for each in asked.figures],
        asked_by=actor,
        reason=asked.reason,
        grounds=asked.grounds,
        **more,
    )


def _data(change: Change) -> dict[str, Any]:
    return {"change": change.pk, "figures": change.figures, "reason": change.reason}
