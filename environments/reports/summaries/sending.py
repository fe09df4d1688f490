"""Who gets the summary, and when: each month once, better twice than never, and one mailbox never waits for another."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from environments.models import Team, User, clock
from environments.reports import periods
from environments.reports.spans import next_month
from environments.reports.summaries.sections import sections

_SETTLED = timedelta(hours=6)  # on the first, UTC: by then the last day of the month is rolled up
_TRY_AGAIN = timedelta(hours=3)  # after a try that failed, or whose worker died


def latest(now: datetime) -> date:
    """The first day of the month whose summary fell due last."""
    return periods.last_month((now - _SETTLED).astimezone(UTC).date()).start


def next_day(now: datetime) -> date:
    """The day on which the next summary goes out, about the month before it."""
    return next_month(next_month(latest(now)))


def due(now: datetime) -> QuerySet[User]:
    """Everybody to whom the latest summary is owed and who was not tried just now: managers with a team, admins."""
    manages = Exists(Team.managers.through._default_manager.filter(user=OuterRef("pk")))
    reads = Q(pk__in=User.objects.platform_admins()) | Q(is_manager=True) & Q(manages)
    owed = Q(summary_sent_for=None) | Q(summary_sent_for__lt=latest(now))
    by_the_clock: Any = clock.database_now()
    free = Q(summary_tried_at=None) | Q(summary_tried_at__lt=by_the_clock - _TRY_AGAIN)
    return User.objects.filter(reads, owed, free, is_active=True, wants_summary=True).order_by("pk")


def send(user: User, month: date) -> None:
    """Send somebody the summary of a month, by its first day. Raises what the mail server raises.

    It is marked only after it went out. Until then nobody else sends it: whoever tries says so first, in one UPDATE.
    """
    if not due(timezone.now()).order_by().filter(pk=user.pk).update(summary_tried_at=clock.database_now()):
        return
    _message(user, month).send()
    User.objects.filter(pk=user.pk).update(summary_sent_for=month)


def choose(user: User, wants: bool) -> None:
    """Turn somebody's summary on or off. Turned on, it begins with the month that is summed up next."""
    changes: dict[str, Any] = {"wants_summary": wants}
    if wants:
        changes["summary_sent_for"] = latest(timezone.now())
    User.objects.filter(pk=user.pk, wants_summary=not wants).update(**changes)


def _message(user: User, month: date) -> EmailMessage:
    stop = f"{settings.PORTAL_URL}{reverse('reports')}#summary"
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
        f"[{settings.PORTAL_NAME}] {month:%B %Y} in your environments",
        render_to_string("email/summary.txt", context),
        to=[user.email],
        headers={"List-Unsubscribe": f"<{stop}>", "Auto-Submitted": "auto-generated"},
    )
