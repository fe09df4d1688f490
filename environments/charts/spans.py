"""Spans of time with what every series says of them, in words and as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from environments.charts.parts import NO_FIGURES, Series, Table, Units


def by_span(series: Sequence[Series]) -> dict[tuple[datetime, datetime], dict[str, Decimal]]:
    """Every span with what each series says of it."""
    found: dict[tuple[datetime, datetime], dict[str, Decimal]] = {}
    for each in series:
        for reading in each.readings:
            found.setdefault((reading.begin, reading.end), {})[each.name] = reading.value
    return dict(sorted(found.items()))


def time_table(series: Sequence[Series], units: Units, begin: datetime) -> Table:
    """A row for each span, newest first, and one for each gap between them."""
    figures = by_span(series)
    rows = []
    before: datetime | None = None
    for (start, end), values in figures.items():
        if before is not None and start > before:
            rows.append([_gap(before, start, begin), *(NO_FIGURES for _ in series)])
        cells = [units.say(values[each.name]) if each.name in values else NO_FIGURES for each in series]
        rows.append([said_span(start, end - start, begin), *cells])
        before = end
    return Table(["Time", *(each.name for each in series)], rows[::-1])


def _gap(begin: datetime, end: datetime, like: datetime) -> str:
    begin, end = (moment.astimezone(like.tzinfo or UTC) for moment in (begin, end))
    clock = "%-d %b" if begin.time() == end.time() and not begin.hour else "%-d %b %H:%M"
    return f"{begin.strftime(clock)} to {end.strftime(clock)}"


def said_span(begin: datetime, length: timedelta, like: datetime) -> str:
    """A span in words: its hour, its day, its week or its month."""
    begin = begin.astimezone(like.tzinfo or UTC)
    if length < timedelta(days=1):
        return f"{begin:%-d %b %H:%M}"
    if length == timedelta(days=1):
        return f"{begin:%a %-d %b}"
    return f"week of {begin:%-d %b %Y}" if length == timedelta(days=7) else f"{begin:%B %Y}"
