"""Which consumption rows cover a range of days: month rows and week rows first, day rows for the rest. Pure.

A month's row is the sum of its days' rows, and so is a week's: a year takes 12 rows instead of 365, and 30 days take
at most a dozen. `ranges_covering` only adds rows, so it also works for peaks, which cannot be subtracted.
`fewest_rows` subtracts some rows and needs fewer of them, but works for sums only.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, NamedTuple

_DAY = timedelta(days=1)

Span = Literal["day", "week", "month"]


class SpanRow(NamedTuple):
    """The rows of one span that begin on one day: one row for each environment."""

    span: Span
    start: date

    @property
    def end(self) -> date:
        """The first day after the span."""
        return {"day": self.start + _DAY, "week": self.start + 7 * _DAY, "month": next_month(self.start)}[self.span]


@dataclass(frozen=True)
class SpanRange:
    """Rows of one span that begin on or after `first` and before `until`."""

    span: Span
    first: date
    until: date


def ranges_covering(start: date, until: date, *, today: date) -> list[SpanRange]:
    """Return ranges, in order, that together count each day from `start` to before `until` exactly once.

    There are no rows after `today`, so the current week and month are complete if they include today.
    """
    found: list[SpanRange] = []
    for each in _ranges(start, until, date.max if until > today else until) if start < until else ():
        last = found[-1] if found else None
        if last and last.span == each.span:
            found[-1] = replace(last, until=each.until)
        else:
            found.append(each)
    return found


def fewest_rows(
    start: date, until: date, free: Collection[SpanRow] = (), *, kept: date, today: date
) -> dict[SpanRow, int]:
    """Return a small set of rows, usually the smallest, that add up to a range of days: added (1) or subtracted (-1).

    For example, the days from the 22nd on are a month minus its first three weeks. Rows in `free` cost nothing because
    they are read anyway. Rows that begin before `kept` may already be deleted, so none of them is subtracted.
    There are no rows after `today`.
    """
    until = min(until, today + _DAY)
    first, last = _whole(start, until, until, next_month)
    if first == last:
        return _shortest(start, until, free, kept, today)
    found = _shortest(start, first, free, kept, today) | _shortest(last, until, free, kept, today)
    while first < last:
        found[SpanRow("month", first)] = 1
        first = next_month(first)
    return found


def _shortest(start: date, until: date, free: Collection[SpanRow], kept: date, today: date) -> dict[SpanRow, int]:
    """Search, breadth first, for the shortest path from `start` to `until` along rows, forwards and backwards."""
    found: dict[date, tuple[date, SpanRow, int]] = {}  # how each day was first reached
    known, ahead = set[date](), deque([start])
    while start < until and ahead[0] != until:
        day = ahead.popleft()
        if day in known:
            continue
        known.add(day)
        for row, sign, there in _steps(day, kept, today):
            is_free = row in free
            if there not in known and (is_free or there not in found):
                found[there] = (day, row, sign)
                (ahead.appendleft if is_free else ahead.append)(there)
    return dict(_path(found, start, until))


def _steps(day: date, kept: date, today: date) -> Iterator[tuple[SpanRow, int, date]]:
    """Yield the rows that begin on a day and lead to their end, and those that end the day before and lead back."""
    tomorrow = today + _DAY
    if day < tomorrow:
        for row in _beginning(day):
            yield row, 1, min(row.end, tomorrow)
    for before in sorted({day - _DAY, day - 7 * _DAY, monday(day - _DAY), (day - _DAY).replace(day=1)}):
        for row in _beginning(before):
            if before >= kept and min(row.end, tomorrow) == day:
                yield row, -1, before


def _beginning(day: date) -> Iterator[SpanRow]:
    yield SpanRow("day", day)
    if day.weekday() == 0:
        yield SpanRow("week", day)
    if day.day == 1:
        yield SpanRow("month", day)


def _path(found: dict[date, tuple[date, SpanRow, int]], start: date, day: date) -> Iterator[tuple[SpanRow, int]]:
    """Yield the rows on the path to a day, last first."""
    while day in found and day != start:
        day, row, sign = found[day]
        yield row, sign


def ranges_of(rows: Iterable[SpanRow]) -> list[SpanRange]:
    """Combine rows into as few ranges as possible."""
    found: list[SpanRange] = []
    for row in sorted(rows):
        last = found[-1] if found else None
        if last and last.span == row.span and last.until == row.start:
            found[-1] = replace(last, until=row.end)
        else:
            found.append(SpanRange(row.span, row.start, row.end))
    return found


def rows_of(ranges: Iterable[SpanRange]) -> Iterator[SpanRow]:
    """Yield the rows in some ranges."""
    for each in ranges:
        row = SpanRow(each.span, each.first)
        while row.start < each.until:
            yield row
            row = SpanRow(each.span, row.end)


def next_month(day: date) -> date:
    """The first day of the next month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def next_week(day: date) -> date:
    """The first day of the next week."""
    return monday(day) + 7 * _DAY


def monday(day: date) -> date:
    """The first day of the week, a Monday."""
    return day - day.weekday() * _DAY


def _ranges(start: date, end: date, reach: date) -> Iterator[SpanRange]:
    """Yield ranges for some days. Their rows may extend to `reach`, which is not before `end`."""
    first, last = _whole(start, end, reach, next_month)
    if first < last:
        yield from _weeks(start, first, first)
        yield SpanRange("month", first, last)
        yield from _weeks(last, end, reach)
    else:
        yield from _weeks(start, end, reach)


def _weeks(start: date, end: date, reach: date) -> Iterator[SpanRange]:
    first, last = _whole(start, end, reach, next_week)
    days = [(start, first), (last, end)] if first < last else [(start, end), (end, end)]
    if days[0][0] < days[0][1]:
        yield SpanRange("day", *days[0])
    if first < last:
        yield SpanRange("week", first, last)
    if days[1][0] < days[1][1]:
        yield SpanRange("day", *days[1])


def _whole(start: date, end: date, reach: date, after: Callable[[date], date]) -> tuple[date, date]:
    """Return the bounds of the whole weeks or months in a range; the same day twice if there are none."""
    first = start if after(start - _DAY) == start else after(start)
    last = first
    while last < end and after(last) <= reach:
        last = after(last)
    return first, min(last, end) if last > first else first
