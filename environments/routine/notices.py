"""Sends the emails about events, and reminders to approvers, through Django's mail settings."""

import logging
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from environments.actions import deciders
from environments.lib.activity import Activity
from environments.lib.emails import Timing
from environments.models import Change, Environment, Event, Question, StandIn
from environments.routine import digests, messages, recipients

logger = logging.getLogger(__name__)

#: What a mail server says to one message, and not to the next.
_REFUSALS = (SMTPRecipientsRefused, SMTPDataError)
_RELATED = ("owner", "cluster", "team", "version__template")


def deliver(*event_ids: int) -> None:
    """Send the emails that these events still need, and mark each once it was sent. Delivery is at least once.

    An email that cannot be sent is tried again later and does not stop the others, unless the mail server is down.
    Raises the first error.
    """
    related = ("actor", *(f"environment__{name}" for name in _RELATED))
    owed = Event.objects.filter(notice_owed=True)
    events = list(owed.filter(pk__in=event_ids).prefetch_related(*related))
    random.shuffle(events)  # the next sweep may have sent another worker after the same: these two hardly meet
    failed: Exception | None = None
    for event in events:
        try:
            if owed.filter(pk=event.pk).exists():
                _deliver(event)
        except Exception as error:
            if isinstance(error, (OSError, SoftTimeLimitExceeded)) and not isinstance(error, _REFUSALS):
                raise  # the mail server is away (smtplib's errors are OSErrors), or the time is up
            logger.warning("the email about event %s could not be sent (%s)", event.pk, type(error).__name__)
            failed = failed or error
    if failed:
        raise failed


def _deliver(event: Event) -> None:
    """Send the email to the people who get it at once, and store when it is due to the others."""
    now, at_once = timezone.now(), list[str]()
    later: dict[str, datetime] = {}
    for timing, addresses in recipients.by_timing(event).items():
        if timing != Timing.OFF:
            moments = digests.due_at(event, timing, addresses, now)
            later |= moments
            at_once += [each for each in addresses if each not in moments]
    if at_once:
        messages.about(event, at_once).send()
    with transaction.atomic():
        if Event.objects.filter(pk=event.pk, notice_owed=True).update(notice_owed=False):
            digests.keep(event, later)


def remind_deciders(now: datetime) -> None:
    """Email each approver one reminder about all their waiting requests, once one of them has waited too long.

    An approver who cannot be reached does not stop the others and is tried again with the next reminder. While the
    mail server is down, no reminder counts as sent.
    """
    if not settings.APPROVAL_REMINDER_DAYS:
        return
    asked: list[Environment | Change] = [*_waiting(), *_waiting_changes()]
    who = {each: _deciders(each) for each in asked}
    waiting: dict[str, list[Environment | Change]] = defaultdict(list)
    for each, people in who.items():
        for address in people.addresses:
            waiting[address].append(each)
    due = now - timedelta(days=settings.APPROVAL_REMINDER_DAYS)
    asked_of = {address for address, some in waiting.items() if any(_told_before(each, due) for each in some)}
    reached = set(_reached({address: _reminder(address, waiting[address]) for address in sorted(asked_of)}))
    for each, people in who.items():
        addresses = set(people.addresses)
        if addresses & reached and addresses <= asked_of:
            type(each)._default_manager.filter(pk=each.pk).update(deciders_told_at=now)
            environment = each.environment if isinstance(each, Change) else each
            Event.record(environment, None, Activity.REMINDED, f"The portal reminded {people} to decide.")


def _deciders(asked: Environment | Change) -> deciders.Deciders:
    return deciders.of_change(asked) if isinstance(asked, Change) else deciders.of(asked)


def _reminder(address: str, asked: list[Environment | Change]) -> EmailMessage:
    environments = [each for each in asked if isinstance(each, Environment)]
    changes = [each for each in asked if isinstance(each, Change)]
    return messages.asking(environments, [address], changes=changes, again=True)


def escalate(now: datetime) -> None:
    """Ask platform admins, too, about requests on which no manager has decided for days. Once a request.

    Time in which the requester is to answer a question does not lead to an escalation.
    """
    if not settings.APPROVAL_ESCALATION_DAYS:
        return
    overdue = now - timedelta(days=settings.APPROVAL_ESCALATION_DAYS)
    for environment in (
        _waiting()
        .filter(requested_at__lte=overdue, escalated_at=None)
        .exclude(Exists(Question.objects.filter(environment=OuterRef("pk"), answered_at=None)))
    ):
        who = deciders.of(environment)
        if who.team and deciders.admins(environment.owner):  # without a manager, platform admins were asked at first
            _escalate(environment, who, now)
    for change in _waiting_changes().filter(asked_at__lte=overdue, escalated_at=None):
        who = deciders.of_change(change)
        if who.team and deciders.admins(change.asked_by):
            _escalate_change(change, who, now)


def _escalate(environment: Environment, who: deciders.Deciders, now: datetime) -> None:
    days = (now - environment.asked_at).days
    with transaction.atomic():
        rows = Environment.objects.awaiting_approval().filter(pk=environment.pk, escalated_at=None)
        if rows.update(escalated_at=now):
            Event.record(environment, None, Activity.ESCALATED, _undecided(who, days))


def _escalate_change(change: Change, who: deciders.Deciders, now: datetime) -> None:
    with transaction.atomic():
        if Change.objects.waiting().filter(pk=change.pk, escalated_at=None).update(escalated_at=now):
            text = _undecided(who, (now - change.asked_at).days)
            Event.record(change.environment, None, Activity.CHANGE_ESCALATED, text, {"change": change.pk})


def _undecided(who: deciders.Deciders, days: int) -> str:
    return f"{who} did not decide within {days} day{'' if days == 1 else 's'}. Platform admins were asked."


def tell_stand_ins(now: datetime) -> None:
    """Email people who were named as stand-ins and do not know it yet. Raises the mail server's exceptions."""
    for row in StandIn.objects.current().filter(told_at=None).select_related("person", "absent", "named_by"):
        messages.stand_in(row).send()
        StandIn.objects.filter(pk=row.pk).update(told_at=now)


def _waiting() -> QuerySet[Environment]:
    """The requests that wait for approval, oldest first."""
    return Environment.objects.awaiting_approval().select_related(*_RELATED).order_by("requested_at", "pk")


def _waiting_changes() -> QuerySet[Change]:
    """The changes that wait for a decision, oldest first."""
    return Change.objects.waiting().select_related("asked_by", *(f"environment__{name}" for name in _RELATED))


def _told_before(environment: Environment | Change, moment: datetime) -> bool:
    return environment.deciders_told_at is None or environment.deciders_told_at <= moment


def _reached(messages: dict[str, EmailMessage]) -> Iterator[str]:
    """Send the messages one by one; yield the addresses of those that the mail server accepted."""
    for address, message in messages.items():
        try:
            message.send()
        except _REFUSALS as error:
            logger.warning("a reminder was refused (%s)", type(error).__name__)
        except OSError as error:  # smtplib's own among them: the server is away, and everybody else would wait for it
            logger.warning("reminders could not be sent (%s); the next run will try", type(error).__name__)
            return
        else:
            yield address
