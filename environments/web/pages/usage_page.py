"""The usage page: a chart for each quota resource over one of four periods, and the same data as CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise

from django.core.paginator import Page, Paginator
from django.utils import timezone
from django.utils.text import slugify

from environments.lib import dates, quantities
from environments.lib.charts import Reading, Series, Spark, TimeChart, Units, spark, time_chart
from environments.models import Environment
from environments.reports.formats import harmless
from environments.routine import usage
from environments.routine.usage import Point
from environments.web.pages.freshness import StaleUsage, stale_usage

PER_PAGE = 12  # charts
CSV_HEADINGS = ("resource", "unit", "start_utc", "observed_seconds", "average", "peak", "limit")

History = Mapping[str, list[Point]]


@dataclass(frozen=True)
class Period:
    """A period that the page can show: by the hour up to a week, by the day for longer ones."""

    key: str
    name: str
    step: timedelta
    count: int  # steps, including the current one

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return begin and end of the period, in whole steps in UTC."""
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        last = last if self.step < timedelta(days=1) else last.replace(hour=0)
        return last - self.step * (self.count - 1), last + self.step


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
PERIODS = (
    Period("24h", "24 hours", _HOUR, 24),
    Period("7d", "7 days", _HOUR, 7 * 24),
    Period("30d", "30 days", _DAY, 30),
    Period("90d", "90 days", _DAY, 90),
)


@dataclass(frozen=True)
class ResourceChart:
    """The chart of one resource, with its current usage if known."""

    chart: TimeChart
    name: str
    now: str = ""  # empty if the quota no longer has the resource


@dataclass(frozen=True)
class UsagePage:
    """The context of an environment's usage page."""

    environment: Environment
    period: Period
    unknown_period: str
    charts: list[ResourceChart]
    page: Page[str]
    closed: list[str]  # names of resources that the quota does not allow
    stale: StaleUsage | None
    notes: list[str]


def period_of(key: str) -> tuple[Period, str]:
    """Return the period with a key. If there is none, return the shortest period and the unknown key."""
    found = next((period for period in PERIODS if period.key == key), None)
    return (found, "") if found else (PERIODS[0], key[:20])


def usage_page(environment: Environment, period_key: str, number: str = "1") -> UsagePage:
    """Build a page of charts for a period, highest usage first. One query."""
    period, unknown = period_of(period_key or PERIODS[0].key)
    now = timezone.now()
    points = history(environment, period, now)
    everything = _in_order(environment, points)
    closed = [resource for resource in everything if _is_closed(environment, points.get(resource, []), resource)]
    page = Paginator([each for each in everything if each not in closed], PER_PAGE).get_page(number)
    return UsagePage(
        environment=environment,
        period=period,
        unknown_period=unknown,
        charts=[_resource_chart(environment, name, points.get(name, []), period, now) for name in page],
        page=page,
        closed=[quantities.name(resource) for resource in closed],
        stale=stale_usage(environment),
        notes=_notes(environment, points, period, now),
    )


def history(environment: Environment, period: Period, now: datetime, of: list[str] | None = None) -> History:
    """Return the points of every resource in a period, or of some."""
    if period.step < _DAY:
        return usage.history(environment, hours=period.count, now=now, of=of)
    return usage.history(environment, days=period.count, now=now, of=of)


def csv_rows(environment: Environment, period: Period) -> Iterator[tuple[str | int, ...]]:
    """Yield the data of the charts: cores, bytes and numbers of objects, to six decimals.

    The cluster chooses the resources' names: a spreadsheet program must not take one for a formula.
    """
    points = history(environment, period, timezone.now())
    for resource in sorted(points, key=quantities.rank):
        for point in points[resource]:
            figures = (f"{round(figure, 6).normalize():f}" for figure in (point.average, point.peak, point.hard))
            yield harmless(resource), _unit(resource), f"{point.start:%Y-%m-%dT%H:%M:%SZ}", point.seconds, *figures


def sparks(environment: Environment, most: int) -> dict[str, Spark]:
    """Return a spark of the last day for each of the resources with the highest usage. One query."""
    period, now = PERIODS[0], timezone.now()
    begin, end = period.span(now)
    names = _in_order(environment, {})[:most]
    points = history(environment, period, now, names if len(names) == most else None)
    found = {}
    for resource in _in_order(environment, points)[:most]:
        rows = points.get(resource, [])
        line = spark(
            [Reading(row.start, row.start + period.step, row.average) for row in rows],
            begin=begin,
            end=end,
            limit=max((row.hard for row in rows), default=Decimal(0)),
        )
        if line:
            found[resource] = line
    return found


def units(resource: str) -> Units:
    """Return how a resource's figures are written, and where its axis has grid lines."""
    is_bytes = quantities.is_bytes(resource)
    is_whole = not is_bytes and not quantities.is_cpu(resource)
    return Units(partial(quantities.human, resource), is_binary=is_bytes, is_whole=is_whole)


def _in_order(environment: Environment, points: History) -> list[str]:
    """Return all resources with data, highest current usage first, those no longer in the quota last."""
    full = {
        resource: quantities.ratio(quantities.parse(used), quantities.parse(hard))
        for resource, (used, hard) in environment.usage.items()
    }
    return sorted(
        {*full, *points}, key=lambda name: (name not in full, -full.get(name, Decimal(0)), quantities.rank(name))
    )


def _is_closed(environment: Environment, rows: list[Point], resource: str) -> bool:
    """Whether the resource is neither allowed nor used, now and in the whole period."""
    now = environment.usage.get(resource, ["0", "0"])
    return not any(quantities.parse(figure) for figure in now) and not any(row.hard or row.peak for row in rows)


def _resource_chart(
    environment: Environment, resource: str, rows: list[Point], period: Period, now: datetime
) -> ResourceChart:
    begin, end = period.span(now)
    figures = [(row.start, row.start + period.step, row) for row in rows]
    chart = time_chart(
        f"chart-{slugify(resource.replace('/', '-').replace('.', '-'))}",
        f"{quantities.name(resource)}, {period.name}",
        [
            Series("Average", "area", [Reading(start, stop, row.average) for start, stop, row in figures]),
            Series("Peak", "peak", [Reading(start, stop, row.peak) for start, stop, row in figures]),
            Series("Limit", "limit", [Reading(start, stop, row.hard) for start, stop, row in figures]),
        ],
        begin=begin,
        end=end,
        units=units(resource),
        note=_change(resource, rows, period),
    )
    used = environment.usage.get(resource)
    return ResourceChart(chart, quantities.name(resource), _now(resource, *used) if used else "")


def _change(resource: str, rows: list[Point], period: Period) -> str:
    """Return a sentence about the last change of the limit."""
    changes = [number for number, (old, new) in enumerate(pairwise(rows), 1) if old.hard != new.hard]
    if not changes:
        return ""
    last = first = changes[-1]
    if last - 1 in changes:  # the hour or day of the change has an average of both limits
        first = last - 1
    old, new = (quantities.human(resource, rows[number].hard) for number in (first - 1, last))
    start = rows[first].start
    when = dates.date_and_time(start) if period.step < _DAY else dates.day(start)
    return f"The limit changed from {old} to {new} on {when}."


def _now(resource: str, used: str, hard: str) -> str:
    return quantities.used_of(resource, quantities.parse(used), quantities.parse(hard))


def _notes(environment: Environment, points: History, period: Period, now: datetime) -> list[str]:
    """Return notes about the data of the period."""
    begin, _ = period.span(now)
    starts = [rows[0].start for rows in points.values() if rows]
    notes = []
    if starts and environment.created_at > begin:
        notes.append(f"This environment was created on {environment.created_at:%-d %B %Y}.")
    elif starts and min(starts) > begin:
        notes.append(f"No data before {min(starts):%-d %B %Y}.")
    if starts:
        notes.append(f"The current {'hour' if period.step < _DAY else 'day'} is incomplete.")
    return notes


def _unit(resource: str) -> str:
    if quantities.is_bytes(resource):
        return "bytes"
    return "cores" if quantities.is_cpu(resource) else "objects"
