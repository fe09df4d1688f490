"""What needs a person: decisions, failures, access requests, ends, nearly full quotas, and leavers' environments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Window
from django.urls import reverse
from django.utils import timezone

from environments.lib import dates
from environments.models import AccessRequest, Environment, Review, User
from environments.models.changes import to_decide
from environments.models.environments import EnvironmentQuerySet
from environments.reports import attention
from environments.web.pages.fullness import QuotaBar, fullest

_OF_EACH = 3  # lines of one kind; a link leads to the rest
#: What the lines show of an environment, whose row is wide.
_SHOWN = (
    *("name", "namespace", "phase", "wanted", "orphaned_why", "created_at", "ends_at", "extensions", "spec"),
    *("usage", "alert_warn", "alert_bad"),
)

#: How long before its end an environment is named -> how long it has to live for that.
_AHEAD = {
    timedelta(days=attention.DAYS): timedelta(days=attention.DAYS),
    timedelta(days=3): timedelta(days=9),
    timedelta(days=1): timedelta(),
}


@dataclass(frozen=True)
class Need:
    """One line: what it is about, in a few words and a sentence, and the link that leads on.

    `ends_at` and `extend_to`: of an environment that expires, its end and the one that a click gives it.
    """

    tone: str
    title: str
    text: str
    href: str
    link: str
    environment: Environment | None = None
    ends_at: datetime | None = None
    extend_to: datetime | None = None


def needs(user: User) -> list[Need]:
    """Everything that needs a person now, the most urgent kind first, in seven queries."""
    theirs = Environment.objects.editable_by(user).live()
    own = theirs.filter(owner=user) if user.is_platform_admin else theirs
    return [
        *_failed(theirs),
        *_decisions(user),
        *_access_requests(own),
        *_reviews(own),
        *_orphaned(theirs),
        *_ending(own),
        *_full(own),
    ]


def _failed(environments: EnvironmentQuerySet) -> list[Need]:
    found = _some(attention.failed(environments))
    lines = [
        Need("bad", f"{row.name} failed", row.failure or "A step failed.", _page(row), "Open", row) for row in found
    ]
    return lines + _more(found, "failed", "phase=Failed")


def _decisions(user: User) -> list[Need]:
    number, oldest = to_decide(user)
    if oldest is None:
        return []
    title = "1 request waits for your decision" if number == 1 else f"{number} requests wait for your decision"
    asked = dates.relative((oldest - timezone.now()).total_seconds())
    text = f"Requested {asked}." if number == 1 else f"The oldest was requested {asked}."
    return [Need("wait", title, text, reverse("approvals"), "Review")]


def _access_requests(environments: EnvironmentQuerySet) -> list[Need]:
    open_ones = AccessRequest.objects.filter(environment__in=environments.filter(wanted=True).order_by().values("pk"))
    lines = []
    names = ("person__first_name", "person__last_name", "person__email", "environment__name", "environment__namespace")
    for asked in open_ones.select_related("person", "environment").only("asked_at", *names)[:_OF_EACH]:
        title = f"{asked.person} requests access to {asked.environment}"
        since = dates.relative((asked.asked_at - timezone.now()).total_seconds())
        lines.append(Need("wait", title, f"Asked {since}.", _page(asked.environment), "Decide", asked.environment))
    return lines


def _reviews(environments: EnvironmentQuerySet) -> list[Need]:
    asked = Review.objects.open().filter(environment__in=environments.filter(wanted=True).order_by().values("pk"))
    lines = []
    for review in asked.select_related("environment").order_by("answer_by", "pk")[:_OF_EACH]:
        text = f"Please answer by {dates.day(review.answer_by)}."
        title = f"Is {review.environment} still needed?"
        lines.append(Need("wait", title, text, _page(review.environment), "Answer", review.environment))
    return lines


def _orphaned(environments: EnvironmentQuerySet) -> list[Need]:
    found = _some(attention.orphaned(environments.filter(wanted=True)))
    lines = [
        Need("warn", f"{row.name} has no owner", row.orphaned_why, _page(row, "members"), "Hand over", row)
        for row in found
    ]
    return lines + _more(found, "without owner", "orphaned=on")


def _ending(environments: EnvironmentQuerySet) -> list[Need]:
    found = _some(_soon(environments, timezone.now()).order_by("ends_at", "pk"))
    return [_end(row) for row in found] + _more(found, "expiring", "sort=ends&mine=on")


def _soon(environments: EnvironmentQuerySet, now: datetime) -> EnvironmentQuerySet:
    """Those that expire within the next days: two weeks ahead, but of a shorter life only about its last third."""
    near = Q()
    for ahead, lifetime in _AHEAD.items():
        near |= Q(ends_at__lt=now + ahead) & Q(ends_at__gte=F("created_at") + lifetime)  # in this order: SQLite is slow
    return environments.filter(wanted=True, ends_at__lt=now + max(_AHEAD)).filter(near)


def _end(row: Environment) -> Need:
    extend_to = row.extended_end()
    text = "It and everything in it will be deleted."
    if extend_to is None:
        text += " Its template allows no further extension."
    return Need("warn", f"{row.name} expires", text, _page(row), "Open", row, row.ends_at, extend_to)


def _full(environments: EnvironmentQuerySet) -> list[Need]:
    full = environments.filter(wanted=True, fullest__gte=F("alert_warn") / 100.0)
    found = _some(full.order_by("-fullest", "pk"))
    bars = [(row, bar) for row in found if (bar := fullest(row))]
    return [_quota(row, bar) for row, bar in bars] + _more(found, "nearly full", "sort=fullest&mine=on")


def _quota(row: Environment, bar: QuotaBar) -> Need:
    title = f"{row.name}: {bar.name_inside} at {bar.percent} % of the quota"
    return Need(bar.tone or "warn", title, f"{bar.used} of {bar.hard}.", _page(row), "Open", row)


def _some(environments: EnvironmentQuerySet) -> list[Any]:
    """The first few, each with the number of all that there are as `all`."""
    return list(environments.only(*_SHOWN).annotate(all=Window(Count("*")))[:_OF_EACH])


def _more(found: Iterable[Any], word: str, query: str) -> list[Need]:
    """The line that leads to the rest of a kind; none if all are shown."""
    rest = next((row.all for row in found), 0) - _OF_EACH
    if rest <= 0:
        return []
    title = f"{rest} more {word}"
    return [Need("", title, "", f"{reverse('environments')}?{query}", "Show all")]


def _page(row: Environment, name: str = "environment") -> str:
    return reverse(name, args=[row.namespace])
