"""Spans of time with what every series says of them, in words and as a table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from environments.lib.charts.parts import KEPT, NO_FIGURES, Series, Table, Units


class Told(NamedTuple):
    """A span with its name and what each series says of it; a series without a figure for it is missing."""

    begin: datetime
    end: datetime
    name: str
    figures: dict[str, str]


def tell(series: Sequence[Series], units: Units, zone: tzinfo | None) -> list[Told]:
    """Every span of some series in words, oldest first, named in a time zone (UTC where there is none)."""
    found: dict[tuple[datetime, datetime], dict[str, str]] = {}
    for each in series:
        for reading, text in zip(each.readings, _say_all(each, units), strict=True):
            found.setdefault((reading.begin, reading.end), {})[each.name] = text
    return [Told(begin, end, said_span(begin, end - begin, zone), said) for (begin, end), said in sorted(found.items())]


def _say_all(series: Series, units: Units) -> Iterator[str]:
    """Every figure in words; one that stays what it was is said only once."""
    before: Decimal | None = None
    text = ""
    for reading in series.readings:
        if reading.value != before:
            before, text = reading.value, units.say(reading.value)
        yield text


def time_table(names: Sequence[str], told: Sequence[Told], zone: tzinfo | None) -> Table:
    """A row for each span, newest first, and one for each gap between them; a column for each series' name."""
    rows = []
    before: datetime | None = None
    for begin, end, name, figures in told:
        if before is not None and begin > before:
            rows.append([_gap(before, begin, zone), *(NO_FIGURES for _ in names)])
        rows.append([name, *(figures.get(each, NO_FIGURES) for each in names)])
        before = end
    return Table(["Time", *names], rows[::-1])


def _gap(begin: datetime, end: datetime, zone: tzinfo | None) -> str:
    begin, end = (moment.astimezone(zone or UTC) for moment in (begin, end))
    clock = "%-d %b" if begin.time() == end.time() and not begin.hour else "%-d %b %H:%M"
    return f"{begin.strftime(clock)} to {end.strftime(clock)}"


@lru_cache(maxsize=KEPT)
def said_span(begin: datetime, length: timedelta, zone: tzinfo | None) -> str:
    """A span in words: its hour, its day, its week or its month."""
    begin = begin.astimezone(zone or UTC)
    if length < timedelta(days=1):
        return f"{begin:%-d %b %H:%M}"
    if length == timedelta(days=1):
        return f"{begin:%a %-d %b}"
    return f"week of {begin:%-d %b %Y}" if length == timedelta(days=7) else f"{begin:%B %Y}"
