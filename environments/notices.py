"""E-mails about what happened, sent through Django's mail settings."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from environments import alerts
from environments.models import Environment, Event, User
from environments.phases import Role

_SUBJECTS = {
    "Ready": "{name} is ready",
    "Failed": "{name} needs attention",
    "Deleted": "{name} is gone",
    "Orphaned": "{name} has lost its owner",
}


def deliver(event_id: int) -> None:
    """Send the message that an event owes. The mark goes only after the message: better twice than never."""
    event = (
        Event.objects.select_related("environment__owner", "environment__cluster")
        .filter(pk=event_id, notice_owed=True)
        .first()
    )
    if event is None:
        return
    recipients = _recipients(event)
    if recipients:
        _message(event, recipients).send()
    Event.objects.filter(pk=event_id).update(notice_owed=False)


def _recipients(event: Event) -> list[str]:
    environment = event.environment
    if event.verb == "Orphaned":
        managers = User.objects.filter(is_active=True, managed_teams=environment.team) if environment.team else []
        admins = User.objects.filter(is_active=True, is_superuser=True)
        return sorted({user.email for user in (*managers, *admins)})
    others = environment.members.filter(wanted=True, in_group=True).exclude(email__iexact=environment.owner.email)
    if event.verb == alerts.VERB:
        # Whoever may make room for others: a developer's or a viewer's inbox is not for what they can do little about.
        others = others.filter(role=Role.ADMIN)
    elif event.verb != "Ready":
        return [environment.owner.email]
    return [environment.owner.email, *others.values_list("email", flat=True)]


def _message(event: Event, recipients: list[str]) -> EmailMessage:
    environment: Environment = event.environment
    link = f"{settings.PORTAL_URL}/environments/{environment.namespace}/"
    context = {"event": event, "environment": environment, "link": link, "portal_name": settings.PORTAL_NAME}
    if event.verb == alerts.VERB:
        subject, body = _alert(event, context)
    else:
        subject = _SUBJECTS.get(event.verb, "{name}: " + event.verb).format(name=environment.name)
        body = render_to_string("email/notice.txt", context)
    # Blind copies: nobody reads who else got it.
    to, *rest = recipients
    return EmailMessage(f"[{settings.PORTAL_NAME}] {subject}", body, to=[to], bcc=rest)


def _alert(event: Event, context: dict[str, Any]) -> tuple[str, str]:
    """Subject and text about everything that one pass found over a threshold."""
    crossings = alerts.crossings(event)
    first = crossings[0]
    subject = f"{event.environment.name}: {first.name} is at {first.percent} % of its quota"
    if len(crossings) > 1:
        subject += f", and {len(crossings) - 1} more"
    context = context | {"crossings": crossings, "hint": alerts.hint(first.resource)}
    return subject, render_to_string("email/quota.txt", context)
