"""Which rows of the record make up a stretch of days. Pure.

A month's row is the sum of its days' rows, so a whole month is one row instead of thirty; and a month that lacks a few
days is its row less theirs. That is for sums: a peak cannot be taken away again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal


@dataclass(frozen=True)
class Piece:
    """Rows of one span whose start is from `first` on and before `until`; with `sign` -1 they are taken away."""

    span: Literal["day", "month"]
    first: date
    until: date
    sign: Literal[1, -1] = 1


def spans(
    start: date, until: date, boundaries: Collection[date] = (), *, today: date, subtract: bool = False
) -> list[Piece]:
    """Pieces that together count every day from `start` on and before `until` exactly once.

    No month's row is used where a boundary (the first day of a new rate) lies inside of the month. After `today` there
    are no rows, so a month under way is whole with today. With `subtract` days may be taken away from a month.
    """
    pieces: list[Piece] = []
    for piece in _pieces(start, until, boundaries, today, subtract):
        last = pieces[-1] if pieces else None
        if last and (last.span, last.sign, last.until) == (piece.span, piece.sign, piece.first):
            pieces[-1] = replace(last, until=piece.until)
        else:
            pieces.append(piece)
    return pieces


def next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _pieces(start: date, until: date, boundaries: Collection[date], today: date, subtract: bool) -> Iterator[Piece]:
    while start < until:
        month, after = start.replace(day=1), next_month(start)
        end = min(until, after)
        left_out = [piece for piece in _left_out(month, start, end, after, today) if piece.first < piece.until]
        if any(month < boundary < after for boundary in boundaries):
            yield Piece("day", start, end)
        elif not left_out:
            yield Piece("month", month, after)
        elif subtract and sum(map(_days, left_out)) + 1 < (end - start).days:
            yield Piece("month", month, after)
            yield from left_out
        else:
            yield Piece("day", start, end)
        start = after


def _left_out(month: date, start: date, end: date, after: date, today: date) -> Iterator[Piece]:
    """The days of a month that have rows and are not wanted."""
    yield Piece("day", month, start, -1)
    if end <= today:
        yield Piece("day", end, min(after, date.fromordinal(today.toordinal() + 1)), -1)


def _days(piece: Piece) -> int:
    return (piece.until - piece.first).days
