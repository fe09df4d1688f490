"""The emails themselves: about one event, about several at once, and to approvers. Plain text, each with its foot."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from environments.actions import asking as asking_actions
from environments.actions import stand_ins
from environments.lib import links
from environments.lib.activity import Activity
from environments.models import Change, Environment, Event, StandIn
from environments.routine import alerts, recipients
from environments.routine.folding import fold


def about(event: Event, addresses: list[str]) -> EmailMessage:
    """The message about one event. The first address is shown, the others get blind copies."""
    environment: Environment = event.environment
    if event.kind in (Activity.REQUESTED, Activity.ESCALATED):
        return asking([environment], addresses, escalated=event.kind == Activity.ESCALATED)
    if event.kind in (Activity.CHANGE_REQUESTED, Activity.CHANGE_ESCALATED):
        changes = list(Change.objects.filter(pk=event.data.get("change")).select_related("asked_by", "environment"))
        return asking([], addresses, changes=changes, escalated=event.kind == Activity.CHANGE_ESCALATED)
    context: dict[str, Any] = {"event": event, "environment": environment}
    if event.kind == Activity.QUOTA_NEARLY_FULL:
        subject, body = _alert(event, context)
    else:
        context["expired"] = event.kind == Activity.DELETED and _expired(environment)
        subject = recipients.mail_of(event).subject.format(name=environment.name)
        body = _render("email/notice.txt", context)
    return plain(addresses, subject, body, can_be_off=recipients.mail_of(event).topic.can_be_off)


def digest(address: str, events: Sequence[Event]) -> EmailMessage:
    """The message about everything that is due to one person: environments by name, their repeats as one line."""
    ordered = sorted(events, key=lambda event: (event.environment.name, event.environment.namespace))
    of_each: dict[Environment, list[Event]] = {}
    for event in ordered:
        of_each.setdefault(event.environment, []).append(event)
    news = [(each, fold(sorted(some, key=attrgetter("at"), reverse=True))) for each, some in of_each.items()]
    only_alerts = all(event.kind == Activity.QUOTA_NEARLY_FULL for event in events)
    first, *more = of_each
    where = f"{len(of_each)} environments" if more else f"environment {first}"
    subject = f"Quotas nearly full in {where}" if only_alerts else f"News from {where}"
    body = _render("email/digest.txt", {"news": news, "only_alerts": only_alerts})
    return plain([address], subject, body)


def asking(
    environments: Sequence[Environment],
    addresses: list[str],
    *,
    changes: Sequence[Change] = (),
    again: bool = False,
    escalated: bool = False,
) -> EmailMessage:
    """The message to approvers about one request or change, or several; `again` makes it a reminder.

    `escalated`: to platform admins, because the team's managers have not decided.
    """
    still = "still " if again else ""
    number = len(environments) + len(changes)
    if number > 1:
        what = f"{number} requests are"
    else:
        what = f"Request for {environments[0]} is" if environments else f"Change of {changes[0].environment} is"
    context: dict[str, Any] = {"environments": environments, "again": again, "days": settings.APPROVAL_REMINDER_DAYS}
    context |= {"changes": [(each, asking_actions.sentence(each)) for each in changes], "number": number}
    context["escalated"] = settings.APPROVAL_ESCALATION_DAYS if escalated else 0
    subject = f"{what} {still}waiting for your approval" + (" (escalated)" if escalated else "")
    return plain(addresses, subject, _render("email/approval.txt", context), can_be_off=False)


def stand_in(row: StandIn) -> EmailMessage:
    """The message to a person who was named as a manager's stand-in."""
    teams = [team.name for team in stand_ins.teams_of(row)]
    body = _render("email/stand_in.txt", {"row": row, "teams": teams})
    subject = f"You decide on requests for {row.absent} until {row.last_day:%-d %B %Y}"
    return plain([row.person.email], subject, body, can_be_off=False)


def plain(addresses: Iterable[str], subject: str, body: str, *, can_be_off: bool = True) -> EmailMessage:
    """A message from the portal. `can_be_off` adds the header with which mail programs unsubscribe (RFC 2369)."""
    # Blind copies: recipients do not see each other.
    # Nobody gets one where the only address has become another person's.
    everyone = list(addresses)
    headers = {"Auto-Submitted": "auto-generated"}
    if can_be_off:
        headers["List-Unsubscribe"] = f"<{links.absolute('emails')}>"
    return EmailMessage(f"[{settings.PORTAL_NAME}] {subject}", body, to=everyone[:1], bcc=everyone[1:], headers=headers)


def _render(template: str, context: dict[str, Any]) -> str:
    return render_to_string(template, context | {"portal_name": settings.PORTAL_NAME})


def _expired(environment: Environment) -> bool:
    return environment.events.filter(kind=Activity.EXPIRED).exists()


def _alert(event: Event, context: dict[str, Any]) -> tuple[str, str]:
    """Subject and text of the alert about all resources of one environment."""
    crossings = alerts.mailed_crossings(event)
    first = crossings[0]
    subject = f"{event.environment.name}: {first.sentence}"
    if len(crossings) > 1:
        subject += f", and {len(crossings) - 1} more"
    context = context | {"crossings": crossings, "hint": alerts.hint(first.resource)}
    return subject, _render("email/quota.txt", context)
