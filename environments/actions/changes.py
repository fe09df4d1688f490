"""Deciding on changes: approve, reject, withdraw. Under the environment's lock: two at once are one decision."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import approvals, asking, ends, guards, moving, openings, resizing, stand_ins
from environments.lib.activity import Activity
from environments.models import Change, ChangeKind, ChangeState, Environment, Event, User

OVERTAKEN = approvals.OVERTAKEN

#: Carries out a change of a kind on the locked row. Raises ValidationError if that is no longer possible.
_APPLY: dict[ChangeKind, Callable[[Environment, Change, User], None]] = {
    ChangeKind.SIZE: resizing.apply,
    ChangeKind.VERSION: moving.apply,
    ChangeKind.END: ends.apply,
    ChangeKind.OPENING: openings.apply,
}

#: What the quota grants before and after a change of a kind. Raises ValidationError if it is no longer possible.
_QUOTAS: dict[ChangeKind, Callable[[Environment, Change], tuple[dict[str, str], dict[str, str]]]] = {
    ChangeKind.SIZE: resizing.quotas,
    ChangeKind.VERSION: moving.quotas,
}


def quotas(change: Change) -> tuple[dict[str, str], dict[str, str]] | None:
    """The quota's `hard` now and after a change; None where it stays as it is, and if that cannot be said."""
    find = _QUOTAS.get(ChangeKind(change.kind))
    try:
        return find(change.environment, change) if find else None
    except ValidationError:
        return None


def approve(change: Change, actor: User, note: str = "") -> None:
    """Have a change carried out. The note is for whoever asked.

    Raises ValidationError if someone decided before (code `overtaken`), the note is too long (code `note`), or it can
    no longer be carried out; then nothing has changed. Raises PermissionDenied; EndedError.
    """
    note = approvals.checked_note(note)
    with transaction.atomic():
        row, open_one = _lock(change, actor)
        _check_asker(row, open_one.asked_by)
        _APPLY[ChangeKind(open_one.kind)](row, open_one, actor)
        _decide(open_one, actor, ChangeState.APPLIED, note, Activity.CHANGE_APPROVED)


def reject(change: Change, actor: User, note: str) -> None:
    """Turn a change down; the environment stays as it is.

    Raises ValidationError if the note does not say why (code `note`), or someone decided before (code `overtaken`).
    Raises PermissionDenied; EndedError.
    """
    note = approvals.checked_note(note)
    if not note:
        raise ValidationError("Tell the requester why.", code="note")
    with transaction.atomic():
        _, open_one = _lock(change, actor)
        _decide(open_one, actor, ChangeState.REJECTED, note, Activity.CHANGE_REJECTED)


def withdraw(change: Change, actor: User) -> None:
    """Take a change back that one could ask for. Raises ValidationError if it was decided on; PermissionDenied."""
    guards.check_editable(change.environment, actor)
    with transaction.atomic():
        guards.lock_open(change.environment)
        open_one = _still_open(change)
        _close(open_one, ChangeState.WITHDRAWN, decided_by=actor)
        message = f"{actor} withdrew the change: {asking.sentence(open_one)}."
        Event.record(change.environment, actor, Activity.CHANGE_WITHDRAWN, message, {"change": change.pk})


def why_not(change: Change) -> str:
    """Why there is nothing to decide: what came before, in a sentence."""
    row = Change.objects.select_related("decided_by", "environment").get(pk=change.pk)
    if row.state == ChangeState.REPLACED:
        return f"This change of {row.environment} is out of date and was closed."
    word = {ChangeState.WITHDRAWN: "withdrew", ChangeState.REJECTED: "has already rejected"}
    did = word.get(ChangeState(row.state), "has already approved")
    return f"{row.decided_by or 'Someone'} {did} this change of {row.environment}."


def _lock(change: Change, actor: User) -> tuple[Environment, Change]:
    if not Change.objects.decidable_by(actor).filter(pk=change.pk).exists():
        raise PermissionDenied("You can't decide on this change.")
    row = guards.lock_open(change.environment)
    return row, _still_open(change)


def _check_asker(row: Environment, asker: User | None) -> None:
    """Raise ValidationError unless whoever asked could ask today."""
    may = asker and asker.is_active and Environment.objects.editable_by(asker).filter(pk=row.pk).exists()
    if not may:
        raise ValidationError(f"{asker or 'The requester'} may no longer change {row}. Reject the change.")


def _still_open(change: Change) -> Change:
    found = Change.objects.waiting().filter(pk=change.pk).select_related("asked_by", "environment").first()
    if found is None:
        raise ValidationError(why_not(change), code=OVERTAKEN)
    return found


def _decide(change: Change, actor: User, state: ChangeState, note: str, kind: Activity) -> None:
    environment = change.environment
    absent = stand_ins.stood_in_for(environment, actor)
    _close(change, state, decided_by=actor, decided_for=absent, note=note)
    word = "approved" if state == ChangeState.APPLIED else "rejected"
    said = f"{actor} {word} the change" + (f" as the stand-in of {absent}" if absent else "")
    said += f" ({asking.sentence(change)})" + (f": {note}" if note else ".")
    people = [change.asked_by.email] if change.asked_by else []
    data = {"change": change.pk, "note": note, "asked": people}
    Event.record(environment, actor, kind, said, data | ({"stood_in_for": absent.email} if absent else {}))


def _close(change: Change, state: ChangeState, **more: object) -> None:
    Change.objects.filter(pk=change.pk).update(state=state, decided_at=timezone.now(), **more)
