"""Sends the emails about events, and reminders to approvers, through Django's mail settings."""

import logging
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.template.loader import render_to_string

from environments.actions import deciders
from environments.lib.activity import Activity, Audience, Mail
from environments.lib.phases import Role
from environments.models import Environment, Event, Member, User
from environments.routine import alerts

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
    if recipients := _recipients(event):
        _message(event, recipients).send()
    Event.objects.filter(pk=event.pk).update(notice_owed=False)


def remind_deciders(now: datetime) -> None:
    """Email each approver one reminder about all their waiting requests, once one of them has waited too long.

    An approver who cannot be reached does not stop the others and is tried again with the next reminder. While the
    mail server is down, no reminder counts as sent.
    """
    if not settings.APPROVAL_REMINDER_DAYS:
        return
    asked = Environment.objects.awaiting_approval().select_related(*_RELATED).order_by("requested_at", "pk")
    who = {environment: deciders.of(environment) for environment in asked}
    waiting: dict[str, list[Environment]] = defaultdict(list)
    for environment, people in who.items():
        for address in people.addresses:
            waiting[address].append(environment)
    due = now - timedelta(days=settings.APPROVAL_REMINDER_DAYS)
    asked_of = {address for address, some in waiting.items() if any(_told_before(each, due) for each in some)}
    reached = set(_reached({address: _asking(waiting[address], [address], again=True) for address in sorted(asked_of)}))
    for environment, people in who.items():
        addresses = set(people.addresses)
        if addresses & reached and addresses <= asked_of:
            Environment.objects.filter(pk=environment.pk).update(deciders_told_at=now)
            Event.record(environment, None, Activity.REMINDED, f"The portal reminded {people} to decide.")


def _told_before(environment: Environment, moment: datetime) -> bool:
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


def _asking(environments: list[Environment], recipients: list[str], *, again: bool = False) -> EmailMessage:
    """The message to approvers about one request or several; `again` makes it a reminder."""
    first, *more = environments
    still = "still " if again else ""
    what = f"{len(environments)} requests are" if more else f"Request for {first} is"
    context = {
        "environments": environments,
        "again": again,
        "days": settings.APPROVAL_REMINDER_DAYS,
        "portal_name": settings.PORTAL_NAME,
    }
    subject = f"{what} {still}waiting for your approval"
    return _to(recipients, subject, render_to_string("email/approval.txt", context))


def _recipients(event: Event) -> list[str]:
    environment = event.environment
    match _mail(event).to:
        case Audience.APPROVERS:
            return deciders.of(environment).addresses if environment.awaits_approval else []
        case Audience.MANAGERS:
            return _managers(environment)
        case Audience.NAMESPACE_ADMINS:
            # Developers and viewers can do little about it.
            return [*environment.owner.mail_addresses, *_others(environment, role=Role.ADMIN)]
        case Audience.MEMBERS:
            return [*environment.owner.mail_addresses, *_others(environment)]
        case Audience.OWNER:
            return environment.owner.mail_addresses


def _mail(event: Event) -> Mail:
    """The email of an event's kind; about a kind without one, which another version of the portal may have written."""
    mail = event.activity.mail if event.activity else None
    return mail or Mail(Audience.OWNER, "{name}: " + event.get_kind_display())


def _managers(environment: Environment) -> list[str]:
    managers = User.objects.filter(is_active=True, managed_teams=environment.team) if environment.team else []
    admins = User.objects.platform_admins().filter(is_active=True)
    return sorted({user.email for user in (*managers, *admins)})


def _others(environment: Environment, **which: Role) -> QuerySet[Member, str]:
    """The addresses of the members with access, without the owner's."""
    owner = environment.members.of(environment.owner)
    members = environment.members.filter(wanted=True, in_group=True, address_lost=False, **which).exclude(pk__in=owner)
    return members.values_list("email", flat=True)


def _message(event: Event, recipients: list[str]) -> EmailMessage:
    environment: Environment = event.environment
    if event.kind == Activity.REQUESTED:
        return _asking([environment], recipients)
    context = {"event": event, "environment": environment, "portal_name": settings.PORTAL_NAME}
    if event.kind == Activity.QUOTA_NEARLY_FULL:
        subject, body = _alert(event, context)
    else:
        subject = _mail(event).subject.format(name=environment.name)
        body = render_to_string("email/notice.txt", context)
    return _to(recipients, subject, body)


def _to(recipients: list[str], subject: str, body: str) -> EmailMessage:
    # Blind copies: recipients do not see each other.
    to, *rest = recipients
    return EmailMessage(f"[{settings.PORTAL_NAME}] {subject}", body, to=[to], bcc=rest)


def _alert(event: Event, context: dict[str, Any]) -> tuple[str, str]:
    """Subject and text of the alert about all resources that passed a threshold in one check."""
    crossings = alerts.crossings(event)
    first = crossings[0]
    subject = f"{event.environment.name}: {first.sentence}"
    if len(crossings) > 1:
        subject += f", and {len(crossings) - 1} more"
    context = context | {"crossings": crossings, "hint": alerts.hint(first.resource)}
    return subject, render_to_string("email/quota.txt", context)
