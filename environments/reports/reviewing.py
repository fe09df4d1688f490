"""Asks owners whether an environment is still needed, and follows up where no one answers.

It is here, beside the reports, because usage decides whom to ask and what size would do.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, Sum
from django.template.loader import render_to_string

from environments.lib import dates
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Environment, Event, Review, Template, User
from environments.models.environments import EnvironmentQuerySet
from environments.models.reviews import Reason
from environments.reports import idle
from environments.reports.consumption import consumption_of, within
from environments.reports.sizing import Need, recommended_size, sizes_of
from environments.reports.spans import ranges_covering
from environments.spec import parse_stored

THRESHOLD = 10  # percent of what is reserved: below it, an environment is hardly used
NOTICE = timedelta(days=8)  # between an end that the portal sets and the end: time for every notice
_WATCHED = ("cpu", "memory", "gpu")
_PEAKS = ("cpu_peak", "memory_peak", "storage_peak")
_DAY = 24 * 3600


def ask(now: datetime) -> int:
    """Open a review for every environment that is due, and record it; how many those are."""
    asked = 0
    for template in Template.objects.filter(Q(review_days__isnull=False) | Q(review_idle_days__isnull=False)):
        regular = _regular(template, now) if template.review_days else []
        hardly = _hardly_used(template, now) if template.review_idle_days else {}
        for environment in regular:
            asked += _open(environment, Reason.REGULAR, template, now, hardly.get(environment.pk))
        seen = {each.pk for each in regular}
        for environment in Environment.objects.filter(pk__in=hardly.keys() - seen):
            asked += _open(environment, Reason.IDLE, template, now, hardly[environment.pk])
    return asked


def tell(now: datetime) -> None:
    """Email each owner one message about all their open reviews that they were not told of."""
    of_owner: dict[User, list[Review]] = defaultdict(list)
    for review in (
        Review.objects.open().filter(told_at=None).select_related("environment__owner", "environment__cluster")
    ):
        of_owner[review.environment.owner].append(review)
    for owner, reviews in of_owner.items():
        _message(owner, reviews).send()
        Review.objects.filter(pk__in=[each.pk for each in reviews]).update(told_at=now)


def follow_up(now: datetime) -> None:
    """Tell the managers where the time for an answer is over; after as long again, set an end, with its notices."""
    late = Review.objects.open().filter(told_at__isnull=False, answer_by__lte=now, environment__wanted=True)
    for review in late.select_related("environment__version__template"):
        if review.managers_told_at is None:
            _tell_managers(review, now)
        elif review.set_end_at is None and now >= review.answer_by + (review.answer_by - review.asked_at):
            _set_end(review, now)


def hardly_used(environments: EnvironmentQuerySet, days: int, today: date) -> dict[Any, dict[str, int]]:
    """The peaks of the environments that used less than a tenth of all that they reserve, by id.

    Of complete days; environments that were observed for less than half of the time are left out. What a quota counts
    as used is what pods request.
    """
    start = today - timedelta(days=days)
    named: dict[str, Any] = {
        f"all_{name}": Sum(name) for each in _WATCHED for name in (f"{each}_reserved", f"{each}_used")
    }
    named |= {"all_seconds": Sum("seconds")} | {f"most_{name}": Max(name) for name in _PEAKS}
    rows = consumption_of(environments).filter(within(ranges_covering(start, today, today=today)))
    found: dict[Any, dict[str, int]] = {}
    for key, *figures in rows.values("environment").annotate(**named).values_list("environment", *named):
        row = dict(zip(named, (int(figure or 0) for figure in figures), strict=True))
        reserved = [each for each in _WATCHED if row[f"all_{each}_reserved"]]
        below = (row[f"all_{each}_used"] * 100 < row[f"all_{each}_reserved"] * THRESHOLD for each in reserved)
        if reserved and row["all_seconds"] >= days * _DAY // 2 and all(below):
            found[key] = {name: row[f"most_{name}"] for name in _PEAKS}
    return found


def _candidates(template: Template, days: int, now: datetime) -> EnvironmentQuerySet:
    """Environments old enough that were not asked about in this time, and are not asked about now."""
    since = now - timedelta(days=days)
    lately = Review.objects.filter(Q(asked_at__gt=since) | Q(answered_at__gt=since) | Q(answered_at=None))
    lately = lately.filter(environment=OuterRef("pk"))
    rows = Environment.objects.granted().filter(version__template=template, wanted=True, created_at__lte=since)
    return rows.filter(phase__in=(Phase.READY, Phase.DEGRADED)).exclude(Exists(lately))


def _regular(template: Template, now: datetime) -> list[Environment]:
    return list(_candidates(template, template.review_days or 0, now))


def _hardly_used(template: Template, now: datetime) -> dict[Any, dict[str, int]]:
    days = template.review_idle_days or 0
    return hardly_used(_candidates(template, days, now), days, now.date())


def _open(environment: Environment, reason: Reason, template: Template, now: datetime, peaks: Any) -> int:
    """Open one; 0 where another worker was faster."""
    answer_by = now + timedelta(days=template.review_answer_days)
    with transaction.atomic():
        row = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
        if not row.wanted or Review.objects.open().filter(environment=row).exists():
            return 0
        size = _smaller(row, peaks) if peaks else ""
        Review.objects.create(environment=row, asked_at=now, reason=reason, answer_by=answer_by, smaller=size)
        why = f"Less than {THRESHOLD} % of the quota was requested recently. " if reason == Reason.IDLE else ""
        text = f"{why}The portal asks until {dates.day(answer_by)} whether this environment is still needed."
        Event.record(row, None, Activity.REVIEW_ASKED, text)
    return 1


def _smaller(environment: Environment, peaks: dict[str, int]) -> str:
    """The name of the smallest size that would be enough, if that is smaller than the environment's."""
    spec = parse_stored(environment.spec)
    sizes = sizes_of(spec, environment.parameters)
    need = Need.at_peak(peaks["cpu_peak"], peaks["memory_peak"], peaks["storage_peak"], idle.HEADROOM)
    found = recommended_size(sizes, need) if sizes else None
    own = next((one for one, each in zip(sizes, spec.sizes, strict=True) if each.name == environment.size), None)
    if found is None or own is None or (found.cpu, found.memory) >= (own.cpu, own.memory):
        return ""
    return spec.sizes[sizes.index(found)].name


def _tell_managers(review: Review, now: datetime) -> None:
    environment = review.environment
    with transaction.atomic():
        if Review.objects.open().filter(pk=review.pk, managers_told_at=None).update(managers_told_at=now):
            text = f"{environment.owner} has not said since {dates.day(review.asked_at)} whether this is still needed."
            Event.record(environment, None, Activity.REVIEW_UNANSWERED, text)


def _set_end(review: Review, now: datetime) -> None:
    """Have the environment end as by a lifetime, unless it ends before."""
    with transaction.atomic():
        row = Environment.objects.select_for_update(no_key=True).get(pk=review.environment_id)
        ends_at = min(filter(None, (row.ends_at, now + NOTICE)))
        changes = {"set_end_at": now, "ends_before": row.ends_at}
        if not Review.objects.open().filter(pk=review.pk, set_end_at=None).update(**changes):
            return
        if row.ends_at is None or ends_at < row.ends_at:
            again = {"noticed_days": None, "noticed_at": None}
            Environment.objects.filter(pk=row.pk).update(ends_at=ends_at, **again)
        text = f"No one has said that this environment is still needed. It expires on {dates.day(ends_at)}."
        Event.record(row, None, Activity.REVIEW_UNANSWERED, text)


def _message(owner: User, reviews: Iterable[Review]) -> EmailMessage:
    ordered = sorted(reviews, key=lambda review: review.environment.name)
    first, *more = ordered
    what = f"Are {len(ordered)} of your environments still needed?" if more else f"Is {first.environment} still needed?"
    context = {"reviews": ordered, "owner": owner, "portal_name": settings.PORTAL_NAME}
    headers = {"Auto-Submitted": "auto-generated"}
    text = render_to_string("email/still_needed.txt", context)
    return EmailMessage(f"[{settings.PORTAL_NAME}] {what}", text, to=owner.mail_addresses, headers=headers)
