"""Which rows of the record make up a stretch of days: months and weeks from their own rows, the rest by day. Pure.

A month's row is the sum of its days' rows, and so is a week's: a year is twelve rows instead of three hundred and
sixty-five, thirty days are at most a dozen. `spans` only adds rows, so it also serves what does not add up, such as
peaks; `fewest` takes some away, and so needs fewer of them for sums.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, NamedTuple

_DAY = timedelta(days=1)

Span = Literal["day", "week", "month"]


class Row(NamedTuple):
    """The rows of one span that begin on one day: one of each environment."""

    span: Span
    start: date

    @property
    def end(self) -> date:
        """The first day after it."""
        return {"day": self.start + _DAY, "week": self.start + 7 * _DAY, "month": next_month(self.start)}[self.span]


@dataclass(frozen=True)
class Piece:
    """Rows of one span whose start is from `first` on and before `until`."""

    span: Span
    first: date
    until: date


def spans(start: date, until: date, *, today: date) -> list[Piece]:
    """Pieces that together count every day from `start` on and before `until` exactly once, in their order.

    After `today` there are no rows, so the week and the month under way are whole with today.
    """
    found: list[Piece] = []
    for piece in _stretch(start, until, date.max if until > today else until) if start < until else ():
        last = found[-1] if found else None
        if last and last.span == piece.span:
            found[-1] = replace(last, until=piece.until)
        else:
            found.append(piece)
    return found


def fewest(start: date, until: date, free: Collection[Row] = (), *, kept: date, today: date) -> dict[Row, int]:
    """Few rows, mostly the fewest, that make up a stretch of days when they are added (1) or taken away (-1).

    The days from the 25th on are a month without its first three weeks. Rows in `free` count for nothing: they are read
    anyway. What begins before `kept` may be deleted already, and is never taken away. After `today` there are no rows.
    """
    until = min(until, today + _DAY)
    first, last = _whole(start, until, until, next_month)
    if first == last:
        return _shortest(start, until, free, kept, today)
    found = _shortest(start, first, free, kept, today) | _shortest(last, until, free, kept, today)
    while first < last:
        found[Row("month", first)] = 1
        first = next_month(first)
    return found


def _shortest(start: date, until: date, free: Collection[Row], kept: date, today: date) -> dict[Row, int]:
    """The shortest way from day to day along rows, forwards and backwards (a breadth-first search)."""
    found: dict[date, tuple[date, Row, int]] = {}  # how each day was first reached
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
    return dict(_way(found, start, until))


def _steps(day: date, kept: date, today: date) -> Iterator[tuple[Row, int, date]]:
    """Every row that begins with a day, and so leads to its end, and every one that ends before it, and leads back."""
    tomorrow = today + _DAY
    if day < tomorrow:
        for row in _beginning(day):
            yield row, 1, min(row.end, tomorrow)
    for before in sorted({day - _DAY, day - 7 * _DAY, monday(day - _DAY), (day - _DAY).replace(day=1)}):
        for row in _beginning(before):
            if before >= kept and min(row.end, tomorrow) == day:
                yield row, -1, before


def _beginning(day: date) -> Iterator[Row]:
    yield Row("day", day)
    if day.weekday() == 0:
        yield Row("week", day)
    if day.day == 1:
        yield Row("month", day)


def _way(found: dict[date, tuple[date, Row, int]], start: date, day: date) -> Iterator[tuple[Row, int]]:
    """The rows by which a day was reached, last first."""
    while day in found and day != start:
        day, row, sign = found[day]
        yield row, sign


def pieces(rows: Iterable[Row]) -> list[Piece]:
    """Rows as pieces, as few as there can be."""
    found: list[Piece] = []
    for row in sorted(rows):
        last = found[-1] if found else None
        if last and last.span == row.span and last.until == row.start:
            found[-1] = replace(last, until=row.end)
        else:
            found.append(Piece(row.span, row.start, row.end))
    return found


def rows_of(some: Iterable[Piece]) -> Iterator[Row]:
    """The rows that pieces are made of."""
    for piece in some:
        row = Row(piece.span, piece.first)
        while row.start < piece.until:
            yield row
            row = Row(piece.span, row.end)


def next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def next_week(day: date) -> date:
    """The first day of the week after a day's."""
    return monday(day) + 7 * _DAY


def monday(day: date) -> date:
    """The first day of the week that a day is in."""
    return day - day.weekday() * _DAY


def _stretch(start: date, end: date, reach: date) -> Iterator[Piece]:
    """Days; rows may reach as far as `reach`, which is not before `end`."""
    first, last = _whole(start, end, reach, next_month)
    if first < last:
        yield from _weeks(start, first, first)
        yield Piece("month", first, last)
        yield from _weeks(last, end, reach)
    else:
        yield from _weeks(start, end, reach)


def _weeks(start: date, end: date, reach: date) -> Iterator[Piece]:
    first, last = _whole(start, end, reach, next_week)
    days = [(start, first), (last, end)] if first < last else [(start, end), (end, end)]
    if days[0][0] < days[0][1]:
        yield Piece("day", *days[0])
    if first < last:
        yield Piece("week", first, last)
    if days[1][0] < days[1][1]:
        yield Piece("day", *days[1])


def _whole(start: date, end: date, reach: date, after: Callable[[date], date]) -> tuple[date, date]:
    """From where to where there are whole weeks or months; the same day twice where there is none."""
    first = start if after(start - _DAY) == start else after(start)
    last = first
    while last < end and after(last) <= reach:
        last = after(last)
    return first, min(last, end) if last > first else first
