"""Rolling up: days from hours, what was consumed from days, weeks and months from days.

Everything is computed anew from what is below it, so that a late run, a repeated one or one that was killed gives the
same rows. A day only grows: hours are added to until they are pruned, and what is pruned takes nothing from its day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import batched
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone

from environments.models import Consumption, Environment
from environments.models.usage import Span, Usage
from environments.routine.usage.costs import consumption
from environments.routine.usage.counting import DAY, Sums, day_of, merge, month_of, week_of
from environments.routine.usage.recording import settle

BATCH = 250  # environments a transaction
_SUMS = [f"{name}_{part}" for name in ("cpu", "memory", "storage", "gpu") for part in ("reserved", "used")]
_PEAKS = [f"{name}_peak" for name in ("cpu", "memory", "storage", "gpu")]
_UNIQUE = ["environment", "span", "start"]


@dataclass
class _Day:
    environment_id: UUID
    seconds: int
    sums: Sums


def roll_up(now: datetime | None = None) -> int:
    """Bring days, weeks and months up to the hours: those of yesterday and today, and as many more as were missed.

    Gives how many days of an environment were written.
    """
    settle()
    today = day_of(now or timezone.now())
    newest = Usage.objects.filter(span=Span.DAY, start__lte=today).aggregate(start=Max("start"))["start"]
    oldest = Usage.objects.filter(span=Span.HOUR).order_by("start").values_list("start", flat=True).first()
    day = min(day_of(newest or oldest or today), today - DAY)
    written = 0
    while day <= today:
        written += roll_up_day(day)
        day += DAY
    return written


def roll_up_day(day: datetime) -> int:
    """Bring one day (its beginning, UTC), its week and its month up to the hours, where those tell of more than it."""
    rolled = Usage.objects.filter(span=Span.DAY, start=day).values_list("environment_id", "seconds")
    done = dict(rolled.iterator())
    counted = _hours(day).values("environment_id").order_by().annotate(total=Sum("seconds"))
    stale = sorted(
        key for key, total in counted.values_list("environment_id", "total").iterator() if total > done.get(key, 0)
    )
    for batch in batched(stale, BATCH, strict=False):
        _roll_up(batch, day)
    return len(stale)


def _hours(day: datetime) -> QuerySet[Usage]:
    return Usage.objects.filter(span=Span.HOUR, start__gte=day, start__lt=day + DAY)


def _roll_up(batch: tuple[UUID, ...], day: datetime) -> None:
    """One transaction under the lock that counting takes too: no other transaction adds or writes in between."""
    with transaction.atomic():
        locked = Environment.objects.filter(pk__in=batch).order_by("pk").select_for_update(no_key=True)
        environments = list(locked.values_list("pk", flat=True))
        days = list(_days(environments, day))
        _write_days(days, day)
        _write_consumption(days, day.date())
        _write_sums(environments, Consumption.Span.WEEK, *week_of(day.date()))
        _write_sums(environments, Consumption.Span.MONTH, *month_of(day.date()))


def _days(environments: list[UUID], day: datetime) -> Iterator[_Day]:
    rows = _hours(day).filter(environment__in=environments).order_by("environment_id")
    current: _Day | None = None
    for key, seconds, figures in rows.values_list("environment_id", "seconds", "figures").iterator():
        if current is None or current.environment_id != key:
            if current is not None:
                yield current
            current = _Day(key, 0, {})
        current.seconds, current.sums = current.seconds + seconds, merge(current.sums, figures)
    if current is not None:
        yield current


def _write_days(days: list[_Day], start: datetime) -> None:
    Usage.objects.bulk_create(
        [
            Usage(environment_id=day.environment_id, span=Span.DAY, start=start, seconds=day.seconds, figures=day.sums)
            for day in days
        ],
        update_conflicts=True,
        unique_fields=_UNIQUE,
        update_fields=["seconds", "figures"],
    )


def _write_consumption(days: list[_Day], start: date) -> None:
    rows = [
        Consumption(
            environment_id=day.environment_id,
            span=Consumption.Span.DAY,
            start=start,
            seconds=day.seconds,
            **consumption(day.sums),
        )
        for day in days
    ]
    _upsert(rows)


def _write_sums(environments: list[UUID], span: Consumption.Span, first: date, after: date) -> None:
    """The week or month of some environments, the sum of its days."""
    days = Consumption.objects.filter(
        environment__in=environments, span=Consumption.Span.DAY, start__gte=first, start__lt=after
    )
    sums = {name: Sum(name) for name in ("seconds", *_SUMS)} | {name: Max(name) for name in _PEAKS}
    rows = [
        Consumption(span=span, start=first, **row) for row in days.values("environment_id").order_by().annotate(**sums)
    ]
    _upsert(rows)


def _upsert(rows: list[Consumption]) -> None:
    Consumption.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=_UNIQUE, update_fields=["seconds", *_SUMS, *_PEAKS]
    )
