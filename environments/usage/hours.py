"""Counting: what a pass saw holds for the time since the pass before it, and is added to the hours.

Pure. Nothing here knows of rows; `recording` does.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from environments.usage.amounts import Amounts
from environments.usage.clock import HOUR, hour_of

Sums = dict[str, list[int]]  # resource -> [used, peak, hard], as in `models.Usage`


def is_old_news(counted_until: datetime | None, now: datetime, tolerance: timedelta) -> bool:
    """Whether something newer is counted already: another pass was faster, or the clock was put back a little.

    A clock that was put back further than the tolerance is believed.
    """
    return counted_until is not None and timedelta(0) < counted_until - now <= tolerance


def since(counted_until: datetime | None, now: datetime, tolerance: timedelta) -> datetime:
    """From when on what is seen now counts. `now`: not at all, since too long ago nobody looked."""
    if counted_until is not None and timedelta(0) < now - counted_until <= tolerance:
        return counted_until
    return now


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
