"""A longer end than the template lets the owner choose: an approver decides.

While it waits for the decision the environment does not end (routine/lifetimes).
"""

from datetime import UTC, date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import asking, guards
from environments.actions.asking import Asked
from environments.lib import dates
from environments.models import Change, ChangeKind, Environment, User

LONGEST = timedelta(days=3650)


def ask_for_end(environment: Environment, actor: User, last_day: date, *, reason: str) -> Change:
    """Ask for another last day (UTC), a minute before whose end it expires.

    Raises ValidationError by field (`last_day`, `reason`), without a field if a longer end is asked for already (code
    `open`) or the environment has no end date; PermissionDenied; EndedError.
    """
    guards.check_editable(environment, actor)
    reason = asking.check_reason(reason)
    if not reason:
        raise ValidationError({"reason": [ValidationError("Tell the approvers why.", code="required")]})
    with transaction.atomic():
        row = asking.lock_granted(environment)
        until = check_day(row, last_day)
        before = {"ends_at": row.ends_at.isoformat() if row.ends_at else ""}
        figures = [("end", dates.day(row.ends_at) if row.ends_at else "no end date", dates.day(until))]
        after = {"ends_at": until.isoformat()}
        asked = Asked(ChangeKind.END, before, after, figures, "a later end", reason)
        return asking.wait(row, actor, asked)


def check_day(environment: Environment, last_day: date) -> datetime:
    """The last minute of that day. Raises ValidationError at `last_day`, and if the environment has no end."""
    if environment.ends_at is None:
        raise ValidationError("This environment has no end date.")
    now, until = timezone.now(), datetime.combine(last_day, time(23, 59), UTC)
    if until <= environment.ends_at:
        raise _wrong(f"Choose a day after {dates.day(environment.ends_at)}, when it expires now.")
    if until <= now:
        raise _wrong("Choose a day that is still to come.")
    if until > now + LONGEST:
        raise _wrong(f"Choose a day within the next {LONGEST.days} days.")
    return until


def apply(row: Environment, change: Change, actor: User) -> None:
    """Put the end off to what was asked for. Raises ValidationError if that is no longer later."""
    until = datetime.fromisoformat(change.after["ends_at"])
    if row.ends_at is None or until <= row.ends_at or until <= timezone.now():
        raise ValidationError("The end date has changed, and this end would not be later. Reject it, or ask again.")
    Environment.objects.filter(pk=row.pk).update(ends_at=until, noticed_days=None, noticed_at=None)


def _wrong(sentence: str) -> ValidationError:
    return ValidationError({"last_day": [ValidationError(sentence, code="last_day")]})
