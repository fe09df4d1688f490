"""Which rows of the record make up a stretch of days: months and weeks from their own rows, the rest by day. Pure.

A month's row is the sum of its days' rows, and so is a week's: a year is twelve rows instead of three hundred and
sixty-five, thirty days are at most a dozen.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Piece:
    """Rows of one span whose start is from `first` on and before `until`."""

    span: Literal["day", "week", "month"]
    first: date
    until: date


def spans(start: date, until: date, boundaries: Collection[date] = (), *, today: date) -> list[Piece]:
    """Pieces that together count every day from `start` on and before `until` exactly once, in their order.

    No row is used that reaches over a boundary (the first day of a new rate). After `today` there are no rows, so the
    week and the month under way are whole with today.
    """
    if start >= until:
        return []
    inside = sorted({day for day in boundaries if start < day < until})
    pieces: list[Piece] = []
    for first, end in pairwise([start, *inside, until]):
        for piece in _stretch(first, end, date.max if end > today else end):
            last = pieces[-1] if pieces else None
            if last and last.span == piece.span:
                pieces[-1] = replace(last, until=piece.until)
            else:
                pieces.append(piece)
    return pieces


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
    """Days between boundaries; rows may reach as far as `reach`, which is not before `end`."""
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
