"""E-mails about what happened, sent through Django's mail settings."""

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
    """Send the messages that these events owe, each marked once it went out: better twice than never.

    One that cannot be sent stays owed and holds up no other; without a mail server none is tried any more. Raises what
    the first that could not be sent raised.
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
            logger.warning("the e-mail about event %s could not be sent (%s)", event.pk, type(error).__name__)
            failed = failed or error
    if failed:
        raise failed


def _deliver(event: Event) -> None:
    if recipients := _recipients(event):
        _message(event, recipients).send()
    Event.objects.filter(pk=event.pk).update(notice_owed=False)


def remind_deciders(now: datetime) -> None:
    """One message to each who decides about everything that waits for them, once some of it waits for too long.

    Whoever cannot be reached holds up nobody else, and is tried again with the next reminder; while the mail server is
    away nothing counts as said.
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
    """Send one message after the other; the addresses of those that were taken."""
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
    """The message to those who decide, about one request or several; `again` to remind them."""
    first, *more = environments
    still = "still " if again else ""
    subject = (
        f"{len(environments)} requests wait for your approval" if more else f"{first} {still}waits for your approval"
    )
    context = {
        "environments": environments,
        "again": again,
        "days": settings.APPROVAL_REMINDER_DAYS,
        "portal_url": settings.PORTAL_URL,
        "portal_name": settings.PORTAL_NAME,
    }
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
            return [environment.owner.email, *_others(environment, role=Role.ADMIN)]
        case Audience.MEMBERS:
            return [environment.owner.email, *_others(environment)]
        case Audience.OWNER:
            return [environment.owner.email]


def _mail(event: Event) -> Mail:
    """The email of an event's kind; about a kind without one, which another version of the portal may have written."""
    mail = event.activity.mail if event.activity else None
    return mail or Mail(Audience.OWNER, "{name}: " + event.get_kind_display())


def _managers(environment: Environment) -> list[str]:
    managers = User.objects.filter(is_active=True, managed_teams=environment.team) if environment.team else []
    admins = User.objects.filter(is_active=True, is_superuser=True)
    return sorted({user.email for user in (*managers, *admins)})


def _others(environment: Environment, **which: Role) -> QuerySet[Member, str]:
    """The addresses of the members with access, without the owner's."""
    owner = environment.members.with_address(environment.owner.email)
    members = environment.members.filter(wanted=True, in_group=True, **which).exclude(pk__in=owner)
    return members.values_list("email", flat=True)


def _message(event: Event, recipients: list[str]) -> EmailMessage:
    environment: Environment = event.environment
    if event.kind == Activity.REQUESTED:
        return _asking([environment], recipients)
    link = f"{settings.PORTAL_URL}/environments/{environment.namespace}/"
    context = {"event": event, "environment": environment, "link": link, "portal_name": settings.PORTAL_NAME}
    context["portal_url"] = settings.PORTAL_URL
    if event.kind == Activity.QUOTA_NEARLY_FULL:
        subject, body = _alert(event, context)
    else:
        subject = _mail(event).subject.format(name=environment.name)
        body = render_to_string("email/notice.txt", context)
    return _to(recipients, subject, body)


def _to(recipients: list[str], subject: str, body: str) -> EmailMessage:
    # Blind copies: nobody reads who else got it.
    to, *rest = recipients
    return EmailMessage(f"[{settings.PORTAL_NAME}] {subject}", body, to=[to], bcc=rest)


def _alert(event: Event, context: dict[str, Any]) -> tuple[str, str]:
    """Subject and text about everything that one pass found over a threshold."""
    crossings = alerts.crossings(event)
    first = crossings[0]
    subject = f"{event.environment.name}: {first.sentence}"
    if len(crossings) > 1:
        subject += f", and {len(crossings) - 1} more"
    context = context | {"crossings": crossings, "hint": alerts.hint(first.resource)}
    return subject, render_to_string("email/quota.txt", context)
