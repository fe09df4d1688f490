"""Emails that wait for their moment: everything that is due to one person is one email.

A letter is stored in the transaction that marks its event as delivered, once a person and event, so none is lost or
doubled by a crash. Before it is sent, an UPDATE claims it, so that no other worker sends it too; it is marked as sent
once the mail server has taken the email. A worker that dies in between leaves it to be sent again.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet

from environments.actions import memberships
from environments.lib.activity import Activity
from environments.lib.emails import Timing
from environments.models import Event, Letter, clock
from environments.models.environments import Alerts
from environments.routine import messages, recipients
from environments.routine.holding import BAD

TRY_AGAIN = timedelta(minutes=10)  # after a failed try, or a worker that stopped
GATHER = timedelta(hours=1)  # between two emails about alerts to one person, unless one is about the second threshold
_KEPT = timedelta(days=2)  # after it was sent
_MOST = 200  # events in one email; the next one has the rest


def due_at(event: Event, timing: Timing, addresses: list[str], now: datetime) -> dict[str, datetime]:
    """When an event is due to these people with this timing; nothing if it is an email of its own, sent at once."""
    if timing == Timing.DAILY and recipients.mail_of(event).waits:
        return dict.fromkeys(addresses, next_daily(now))
    if event.data.get("taken"):  # until then it can be undone, and then there is nothing to email about
        return dict.fromkeys(addresses, event.at + memberships.UNDO)
    return _gathered(event, addresses, now) if recipients.mail_of(event).gathers else {}


def _gathered(event: Event, addresses: list[str], now: datetime) -> dict[str, datetime]:
    """At once for people who got no such email within the last hour and for what is bad, else after the hour."""
    recent = Letter.objects.filter(address__in=addresses, event__kind__in=_gathering(), sent_at__gt=now - GATHER)
    last = dict(recent.order_by().values("address").annotate(last=Max("sent_at")).values_list("address", "last"))
    urgent = event.tone == BAD
    return {each: now if urgent or each not in last else last[each] + GATHER for each in addresses}


def next_daily(now: datetime) -> datetime:
    """The next time of the daily emails."""
    today = now.astimezone(UTC).replace(hour=settings.DAILY_EMAIL_HOUR, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def keep(event: Event, moments: dict[str, datetime]) -> None:
    """Store when an event is due to which address. Call it in the transaction that marks the event as delivered."""
    letters = [Letter(event=event, address=address, due_at=moment) for address, moment in moments.items()]
    Letter.objects.bulk_create(letters, ignore_conflicts=True)


def due(now: datetime) -> list[int]:
    """One letter's id for each address that something is due to now."""
    rows = _free().filter(due_at__lte=now).order_by().values("address").annotate(first=Min("pk"))
    return list(rows.order_by("first").values_list("first", flat=True))


def send(letter_id: int, now: datetime) -> None:
    """Send everything that is due to the address of a letter, as one email. Raises the mail server's exceptions."""
    address = Letter.objects.filter(pk=letter_id).values_list("address", flat=True).first()
    mine = _claim(address, now) if address else []
    if address is None or not mine:
        return
    if events := [event for event in _events(mine) if _still_due(event, address)]:
        _message(address, events).send()
    Letter.objects.filter(pk__in=mine).update(sent_at=now)


def prune(now: datetime) -> None:
    """Delete what was sent some time ago."""
    Letter.objects.filter(sent_at__lt=now - _KEPT).delete()


def _gathering() -> list[Activity]:
    return [kind for kind in Activity if kind.mail and kind.mail.gathers]


def _free() -> QuerySet[Letter]:
    """What was not sent and what no worker has."""
    by_the_clock: Any = clock.database_now()
    return Letter.objects.filter(Q(tried_at=None) | Q(tried_at__lt=by_the_clock - TRY_AGAIN), sent_at=None)


def _claim(address: str, now: datetime) -> list[int]:
    """The ids of the letters that this worker alone sends from now on: what is due, and alerts that would still wait.

    Locked without a join and filtered by what a faster worker changes, so that PostgreSQL checks it after the wait.
    """
    early = Q(due_at__lte=now + GATHER, event__kind__in=_gathering())
    with transaction.atomic():
        due_ids = list(_free().filter(Q(due_at__lte=now) | early, address=address).values_list("pk", flat=True)[:_MOST])
        rows = _free().filter(pk__in=due_ids).order_by("pk").select_for_update(no_key=True)
        mine = list(rows.values_list("pk", flat=True))
        Letter.objects.filter(pk__in=mine).update(tried_at=clock.database_now())
    return mine


def _events(letters: Iterable[int]) -> list[Event]:
    related = ("owner", "cluster", "team", "version__template")
    found = Event.objects.filter(letters__in=letters).order_by("at", "pk")
    return list(found.prefetch_related("actor", *(f"environment__{name}" for name in related)))


def _still_due(event: Event, address: str) -> bool:
    """Whether the person is still concerned and has not turned such emails off; nobody is alerted about the past."""
    if recipients.mail_of(event).gathers and not (event.environment.wanted and event.environment.alerts == Alerts.MAIL):
        return False
    wanting = recipients.by_timing(event)
    return any(address in wanting[timing] for timing in (Timing.NOW, Timing.DAILY))


def _message(address: str, events: list[Event]) -> Any:
    return messages.about(events[0], [address]) if len(events) == 1 else messages.digest(address, events)
