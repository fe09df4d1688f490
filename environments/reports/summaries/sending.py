"""Who gets the monthly summary, and when. Delivery is at least once, and a failing mailbox delays no other."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from environments.lib import links
from environments.models import Team, User, clock
from environments.reports import periods
from environments.reports.spans import next_month
from environments.reports.summaries.sections import sections

_SETTLED = timedelta(hours=6)  # after midnight UTC on the first: then the last day of the month is rolled up
_TRY_AGAIN = timedelta(hours=3)  # after a failed try, or a worker that stopped


def latest(now: datetime) -> date:
    """Return the first day of the month whose summary is the latest."""
    return periods.last_month((now - _SETTLED).astimezone(UTC).date()).start


def next_day(now: datetime) -> date:
    """Return the day on which the next summary is sent."""
    return next_month(next_month(latest(now)))


def due(now: datetime) -> QuerySet[User]:
    """Return the subscribed admins and managers with a team who lack the latest summary and were not tried just now."""
    manages = Exists(Team.managers.through._default_manager.filter(user=OuterRef("pk")))
    reads = Q(pk__in=User.objects.platform_admins()) | Q(is_manager=True) & Q(manages)
    owed = Q(summary_sent_for=None) | Q(summary_sent_for__lt=latest(now))
    by_the_clock: Any = clock.database_now()
    free = Q(summary_tried_at=None) | Q(summary_tried_at__lt=by_the_clock - _TRY_AGAIN)
    return User.objects.filter(reads, owed, free, is_active=True, wants_summary=True).order_by("pk")


def send(user: User, month: date) -> None:
    """Send a user the summary of a month, given by its first day. Raises the mail server's exceptions.

    An UPDATE claims the summary first, so that no other worker sends it. It is marked as sent only afterwards.
    """
    if not due(timezone.now()).order_by().filter(pk=user.pk).update(summary_tried_at=clock.database_now()):
        return
    _message(user, month).send()
    User.objects.filter(pk=user.pk).update(summary_sent_for=month)


def choose(user: User, wants: bool) -> None:
    """Subscribe or unsubscribe a user. A subscription begins with the next summary."""
    changes: dict[str, Any] = {"wants_summary": wants}
    if wants:
        changes["summary_sent_for"] = latest(timezone.now())
    User.objects.filter(pk=user.pk, wants_summary=not wants).update(**changes)


def _message(user: User, month: date) -> EmailMessage:
    stop = links.absolute("emails")
    context = {
        "user": user,
        "month": month,
        "before": periods.last_month(month).start,
        "teams": [] if user.is_platform_admin else list(user.managed_teams.values_list("name", flat=True)),
        "sections": sections(user, month),
        "now": timezone.now(),
        "portal_name": settings.PORTAL_NAME,
        "portal_url": settings.PORTAL_URL,
        "stop": stop,
    }
    return EmailMessage(
        f"[{settings.PORTAL_NAME}] Monthly summary, {month:%B %Y}",
        render_to_string("email/summary.txt", context),
        to=user.mail_addresses,
        headers={"List-Unsubscribe": f"<{stop}>", "Auto-Submitted": "auto-generated"},
    )
