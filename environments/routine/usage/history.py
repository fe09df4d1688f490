"""One environment's usage over a while, for a chart and the table behind it."""

from collections import defaultdict
from collections.abc import Container
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

from environments.models import Environment
from environments.models.usage import Span, Usage
from environments.routine.usage.counting import day_of, hour_of, scale

#: Windows up to this long are told by the hour, longer ones by the day.
MOST_HOURS = 7 * 24


class Point(NamedTuple):
    """One hour or day of one resource, in its own unit: cores, bytes, a number of objects.

    `average` and `hard` are means over the `seconds` that were observed; a span not observed at all has no point.
    """

    start: datetime
    seconds: int
    average: Decimal
    peak: Decimal
    hard: Decimal


def history(
    environment: Environment,
    *,
    hours: int = 0,
    days: int = 0,
    now: datetime | None = None,
    of: Container[str] | None = None,
) -> dict[str, list[Point]]:
    """Resource -> its points, oldest first, of the last `hours` or `days` with the one under way. One query.

    `of`: of these resources only. Up to seven days are told by the hour, more by the day (UTC). Gaps are missing
    points; resources that were never seen are missing altogether.
    """
    span, since = window(hours=hours, days=days, now=now)
    rows = Usage.objects.filter(environment=environment, span=span, start__gte=since, seconds__gt=0).order_by("start")
    found: dict[str, list[Point]] = defaultdict(list)
    for start, seconds, figures in rows.values_list("start", "seconds", "figures"):
        for resource, (used, peak, hard) in figures.items():
            if of is not None and resource not in of:
                continue
            found[resource].append(_point(scale(resource), start, seconds, used, peak, hard))
    return dict(found)


def window(*, hours: int = 0, days: int = 0, now: datetime | None = None) -> tuple[Span, datetime]:
    """Which rows tell of the last `hours` or `days`: by the hour or the day, and from when on (UTC)."""
    moment = now or timezone.now()
    if (count := hours or days * 24) <= MOST_HOURS:
        return Span.HOUR, hour_of(moment) - timedelta(hours=count - 1)
    return Span.DAY, day_of(moment) - timedelta(days=-(-count // 24) - 1)


def _point(scale: int, start: datetime, seconds: int, used: int, peak: int, hard: int) -> Point:
    """From sums over the seconds, and a peak, in stored units, of which `scale` make one of the resource's own."""
    whole = seconds * scale
    return Point(start, seconds, Decimal(used) / whole, Decimal(peak) / scale, Decimal(hard) / whole)
