"""Counting: what a pass saw holds for the time since the pass before it, and is added to the hours.

Figures are counted as integers: thousandths of a core for CPU, whole units (bytes, objects) for the rest. Hours and
days are those of UTC, in whole seconds. Pure: nothing here knows of rows; `recording` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING
from functools import lru_cache

from environments.lib import quantities

Figures = dict[str, list[str]]  # resource -> [used, hard], as quantities
Amounts = dict[str, tuple[int, int]]  # resource -> used, hard, in stored units
Sums = dict[str, list[int]]  # resource -> [used, peak, hard], as in `models.Usage`
Stretch = tuple[datetime, datetime, Figures]  # from, to, what held

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@lru_cache(maxsize=4096)
def scale(resource: str) -> int:
    """How many of the stored units make one of the resource's own: a core, a byte, an object."""
    return 1000 if quantities.is_cpu(resource) else 1


@lru_cache(maxsize=65536)
def amount(resource: str, quantity: str) -> int:
    """A quantity in stored units, rounded up as Kubernetes rounds (`Value`, `MilliValue`).

    Raises ValueError where it is no quantity.
    """
    return int((quantities.parse(quantity) * scale(resource)).to_integral_value(ROUND_CEILING))


def amounts(figures: Figures) -> Amounts:
    """Newest figures in stored units."""
    return {resource: (amount(resource, used), amount(resource, hard)) for resource, (used, hard) in figures.items()}


def second_of(moment: datetime) -> datetime:
    """A moment in UTC without its fraction of a second."""
    return moment.astimezone(UTC).replace(microsecond=0)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour that a moment is in."""
    return second_of(moment).replace(minute=0, second=0)


def day_of(moment: datetime) -> datetime:
    """The beginning of the day that a moment is in."""
    return hour_of(moment).replace(hour=0)


def week_of(day: date) -> tuple[date, date]:
    """The Monday of the week that a day is in, and the next one."""
    monday = day - day.weekday() * DAY
    return monday, monday + 7 * DAY


def month_of(day: date) -> tuple[date, date]:
    """The first day of the month that a day is in, and of the next one."""
    first = day.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an environment: `figures` held from `counted_until` to `seen_at`, and are not counted yet."""

    figures: Figures
    seen_at: datetime | None
    counted_until: datetime | None

    def owed(self) -> list[Stretch]:
        """What is still to be counted."""
        if self.counted_until is None or self.seen_at is None:
            return []
        return [(self.counted_until, self.seen_at, self.figures)]


def is_old_news(seen_at: datetime | None, now: datetime, tolerance: timedelta) -> bool:
    """Whether something newer is known already: another pass was faster, or the clock was put back a little.

    A clock that was put back further than the tolerance is believed.
    """
    return seen_at is not None and timedelta(0) < seen_at - now <= tolerance


def count(known: Known, figures: Figures, now: datetime, tolerance: timedelta) -> tuple[list[Stretch], datetime]:
    """What there is to count now that some figures were seen, and until when everything is counted afterwards.

    Figures count for the time since the sight before, unless that was longer ago than the tolerance (a gap), or lies
    in the future (the clock went back). While they stay what they were, counting can wait.
    """
    if known.counted_until is None or known.seen_at is None:
        return [], now
    is_gap = not timedelta(0) <= now - known.seen_at <= tolerance
    if figures == known.figures and not is_gap:
        return [], known.counted_until
    return known.owed() + ([] if is_gap else [(known.seen_at, now, figures)]), now


def split(start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    """A stretch of time as (hour, seconds in it)."""
    while start < end:
        hour = hour_of(start)
        stop = min(end, hour + HOUR)
        yield hour, int((stop - start).total_seconds())
        start = stop


def add(sums: Sums, amounts: Amounts, seconds: int) -> Sums:
    """An hour's sums with amounts that held for so many seconds more."""
    result = dict(sums)
    for resource, (used, hard) in amounts.items():
        before = sums.get(resource, (0, 0, 0))
        result[resource] = [before[0] + used * seconds, max(before[1], used), before[2] + hard * seconds]
    return result


def merge(one: Sums, other: Sums) -> Sums:
    """The sums of two spans together."""
    result = dict(one)
    for resource, (used, peak, hard) in other.items():
        before = one.get(resource, (0, 0, 0))
        result[resource] = [before[0] + used, max(before[1], peak), before[2] + hard]
    return result
