"""E-mails about what happened, sent through Django's mail settings."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from environments.models import Environment, Event, User

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
    if event.verb != "Ready":
        return [environment.owner.email]
    others = environment.members.filter(wanted=True, in_group=True).exclude(email__iexact=environment.owner.email)
    return [environment.owner.email, *others.values_list("email", flat=True)]


def _message(event: Event, recipients: list[str]) -> EmailMessage:
    environment: Environment = event.environment
    subject = _SUBJECTS.get(event.verb, "{name}: " + event.verb).format(name=environment.name)
    link = f"{settings.PORTAL_URL}/environments/{environment.namespace}/"
    context = {"event": event, "environment": environment, "link": link, "portal_name": settings.PORTAL_NAME}
    body = render_to_string("email/notice.txt", context)
    # Blind copies: nobody reads who else got it.
    to, *rest = recipients
    return EmailMessage(f"[{settings.PORTAL_NAME}] {subject}", body, to=[to], bcc=rest)
