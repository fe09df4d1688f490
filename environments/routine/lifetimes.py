"""Expiry of environments: the notices before it, and the deletion.

An expired environment is deleted as if its owner had done it, but never without notice: if the notices could not
be sent (the portal or its mail was down), deletion waits for a day after the first one.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string

from environments.actions import removals
from environments.lib import dates
from environments.lib.activity import Activity
from environments.models import Change, ChangeKind, Environment, Event, User
from environments.routine import messages

NOTICE_DAYS = (7, 3, 1)  # before the end; one message a person for everything that is due at the time
_GRACE = timedelta(days=1)


def notice_due(environment: Environment, now: datetime) -> int | None:
    """The notice to send now, in days before the end (7, 3 or 1); None if none is due.

    A notice that is longer than the environment lives is left out: a three-day preview gets the last one only.
    """
    if environment.ends_at is None:
        return None
    lifetime, left = environment.ends_at - environment.created_at, environment.ends_at - now
    due = [days for days in NOTICE_DAYS if left <= timedelta(days=days) < lifetime]
    last = min(due, default=None)
    said = environment.noticed_days
    return last if last is not None and (said is None or last < said) else None


def may_end(environment: Environment, now: datetime) -> bool:
    """Whether the environment has expired and its owner had notice, if there was time for one."""
    if environment.ends_at is None or environment.ends_at > now:
        return False
    announced = environment.noticed_at is not None and now - environment.noticed_at >= _GRACE
    short_lived = environment.ends_at - environment.created_at <= timedelta(days=min(NOTICE_DAYS))
    return (announced or short_lived) and not _waits_for_a_later_end(environment)


def _waits_for_a_later_end(environment: Environment) -> bool:
    """Whether an approver still has to decide on a later end: until then it stays."""
    return Change.objects.waiting().filter(environment=environment, kind=ChangeKind.END).exists()


def send_notices(environments: Iterable[Environment], now: datetime) -> None:
    """Email each owner one notice about all environments that are due, and mark them once it was sent.

    With the last notice, the other members get an email, too.
    """
    due: dict[User, list[tuple[Environment, int]]] = defaultdict(list)
    for environment in environments:
        days = notice_due(environment, now)
        if days is not None:
            due[environment.owner].append((environment, days))
    for owner, pairs in due.items():
        _message(owner, [environment for environment, _ in pairs], now).send()
        for environment, days in pairs:
            with transaction.atomic():
                Environment.objects.filter(pk=environment.pk).update(noticed_days=days, noticed_at=now)
                if days == min(NOTICE_DAYS) and environment.ends_at:
                    message = f"Expires on {dates.date_and_time(environment.ends_at)} UTC, with everything in it."
                    Event.record(environment, None, Activity.EXPIRES_SOON, message)


def end(environment: Environment) -> None:
    """Have an environment removed whose time is over, as if its owner had deleted it."""
    message = "Expired as announced. The environment and everything in it will be deleted."
    removals.ask(environment, None, Activity.EXPIRED, message)


def stranded() -> QuerySet[Environment]:
    """Environments on lost clusters."""
    return Environment.objects.filter(wanted=True, cluster__lost_at__isnull=False)


def end_stranded(environment: Environment) -> None:
    """Have an environment removed whose cluster is no more: its groups go, and its namespace is not waited for."""
    message = "A platform admin marked its cluster as lost, with everything that ran there."
    removals.ask(environment, None, Activity.CLUSTER_LOST, message)


def _message(owner: User, environments: list[Environment], now: datetime) -> EmailMessage:
    ordered = sorted(environments, key=lambda environment: environment.ends_at or now)
    first, *more = ordered
    subject = f"{len(ordered)} of your environments expire soon" if more else f"Environment {first} expires soon"
    context = {"owner": owner, "environments": ordered, "portal_name": settings.PORTAL_NAME}
    return messages.plain(
        owner.mail_addresses, subject, render_to_string("email/ending.txt", context), can_be_off=False
    )
