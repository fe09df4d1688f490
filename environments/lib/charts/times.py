"""Charts over time: lines, tooltips and tables."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from environments.lib.charts.axes import Scale, axis_lines, px, time_ticks
from environments.lib.charts.parts import (
    CACHE_SIZE,
    HEIGHT,
    NO_DATA,
    NO_DATA_FOR_PERIOD,
    ROOM_ABOVE,
    Column,
    LegendEntry,
    Path,
    Reading,
    Series,
    Spark,
    Table,
    Tick,
    TimeChart,
    Units,
)

_DATE = "%-d %B %Y"
_FAR_LIMIT = 12  # a limit this many times higher than usage would flatten the other lines
_Corner = tuple[float, float]


class SpanFigures(NamedTuple):
    """A span, its name, and the text of each series that has a value for it."""

    begin: datetime
    end: datetime
    name: str
    figures: dict[str, str]


def time_chart(
    key: str, title: str, series: Sequence[Series], *, begin: datetime, end: datetime, units: Units, note: str = ""
) -> TimeChart:
    """Return a chart of some series from `begin` to `end`, on an axis from zero.

    Readings outside the period are cut off. A limit far above the other lines is not drawn, but named in the note.
    The time axis uses the time zone of `begin`.
    """
    spans = figures_by_span(series, units, begin.tzinfo)
    far = _far_limit(series)
    drawn = [each for each in series if each is not far]
    ticks = axis_lines(max((each.most for each in drawn), default=Decimal(0)), units)
    scale = Scale(begin, end, ticks[-1])
    notes = [note, f"The {far.name.lower()} of {units.text(far.most)} is above the chart." if far else ""]
    return TimeChart(
        key=key,
        title=title,
        description=_describe(series, spans, units),
        legend=[LegendEntry(each.look, each.name) for each in drawn],
        table=time_table([each.name for each in series], spans, begin.tzinfo),
        note=" ".join(filter(None, notes)),
        y_ticks=[Tick(px(ROOM_ABOVE + scale.y(value)), units.text(value) if value else "0") for value in ticks],
        x_ticks=time_ticks(begin, end),
        paths=[path for each in drawn for path in _paths(each, scale)],
        strips=_strips(spans, begin, end),
    )


def spark(readings: Sequence[Reading], *, begin: datetime, end: datetime, limit: Decimal) -> Spark | None:
    """Return a small line of readings under a limit, or None if there are too few for a line: one is a dash."""
    inside = [reading for reading in readings if reading.end > begin and reading.begin < end]
    if len(inside) < 2:
        return None
    most = max(limit, *(reading.value for reading in inside)) or Decimal(1)
    scale = Scale(begin, end, most, width=100, height=24)
    runs = [_corners(run, scale) for run in _runs(inside)]
    drawn = [_line(run) for run in runs]
    return Spark(line=" ".join(drawn), area=_areas(runs, drawn, scale))


def _far_limit(series: Sequence[Series]) -> Series | None:
    """Return the limit that would flatten the other lines, if there is one."""
    used = max((each.most for each in series if each.look != "limit"), default=Decimal(0))
    return next((each for each in series if each.look == "limit" and used and each.most > used * _FAR_LIMIT), None)


def _runs(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Split readings into runs without a gap."""
    runs: list[list[Reading]] = []
    for reading in readings:
        if runs and reading.begin <= runs[-1][-1].end:
            runs[-1].append(reading)
        else:
            runs.append([reading])
    return runs


def _paths(series: Series, scale: Scale) -> list[Path]:
    inside = [reading for reading in series.readings if reading.end > scale.begin and reading.begin < scale.end]
    corners = _stairs if series.look == "limit" else _corners
    runs = [corners(run, scale) for run in _runs(inside)]
    if not runs:
        return []
    drawn = [_line(run) for run in runs]
    line = Path(series.look if series.look != "area" else "line", " ".join(drawn))
    if series.look != "area":
        return [line]
    return [Path("area", _areas(runs, drawn, scale)), line]


def _corners(run: list[Reading], scale: Scale) -> list[_Corner]:
    """Return a line through the middle of each span. Its ends are level, so that a single span is a dash, not a dot."""
    across = [scale.across(each.begin, each.end) for each in run]
    heights = _heights(run, scale)
    middles = [(middle, y) for (_, middle, _), y in zip(across, heights, strict=True)]
    return [(across[0][0], heights[0]), *middles, (across[-1][2], heights[-1])]


def _stairs(run: list[Reading], scale: Scale) -> list[_Corner]:
    """Return a line with steps, for values that change at a moment."""
    corners = []
    for each, y in zip(run, _heights(run, scale), strict=True):
        left, _, right = scale.across(each.begin, each.end)
        corners += [(left, y), (right, y)]
    return corners


def _heights(run: list[Reading], scale: Scale) -> list[float]:
    """Return the distance of each reading from the top. Most are the same as the one before."""
    found: list[float] = []
    before: Reading | None = None
    for each in run:
        found.append(found[-1] if before and before.value == each.value else scale.y(each.value))
        before = each
    return found


def _line(corners: list[_Corner]) -> str:
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in _plain(corners))


def _areas(runs: list[list[_Corner]], drawn: list[str], scale: Scale) -> str:
    """Return the areas between each line, already drawn, and zero."""
    ends = [(px(run[0][0]), px(run[-1][0])) for run in runs]
    return " ".join(
        f"{line}L{last} {scale.height}L{first} {scale.height}Z" for line, (first, last) in zip(drawn, ends, strict=True)
    )


def _plain(corners: list[_Corner]) -> list[_Corner]:
    """Remove the corners in the middle of a level line."""
    inner = [
        here
        for before, here, after in zip(corners, corners[1:], corners[2:], strict=False)
        if not before[1] == here[1] == after[1]
    ]
    return [corners[0], *inner, corners[-1]]


def _strips(spans: Sequence[SpanFigures], begin: datetime, end: datetime) -> list[Column]:
    """Return a strip for each span, with a tooltip of all its values."""
    y, height = px(ROOM_ABOVE), px(HEIGHT)
    strips = []
    for each in spans:
        said = ", ".join([f"{name.lower()} {figure}" for name, figure in each.figures.items()])
        strips.append(Column(*_place(each.begin, each.end, begin, end), y, height, "strip", f"{each.name}: {said}"))
    return strips


@lru_cache(maxsize=CACHE_SIZE)
def _place(begin: datetime, end: datetime, first: datetime, last: datetime) -> tuple[str, str]:
    """Return the position and width of a span between two moments, in percent."""
    left, _, right = Scale(first, last, Decimal(1), width=100).across(begin, end)
    return px(left), px(right - left)


def _describe(series: Sequence[Series], spans: Sequence[SpanFigures], units: Units) -> str:
    """Describe a chart in a few sentences, for screen readers."""
    said = [_describe_one(each, units) for each in series if each.readings]
    if not said:
        return NO_DATA_FOR_PERIOD
    gaps = sum(1 for before, after in pairwise(spans) if after.begin > before.end)
    missing = f" {'1 gap' if gaps == 1 else f'{gaps} gaps'} in the data." if gaps else ""
    return " ".join(said) + missing


def _describe_one(series: Series, units: Units) -> str:
    least, most = min(reading.value for reading in series.readings), series.most
    if least == most:
        return f"{series.name}: {units.text(most)} throughout."
    last = series.readings[-1].value
    return f"{series.name}: {units.text(least)} to {units.text(most)}, last {units.text(last)}."


def figures_by_span(series: Sequence[Series], units: Units, zone: tzinfo | None) -> list[SpanFigures]:
    """Return every span of some series with its texts, oldest first. Names use a time zone (default UTC)."""
    found: dict[tuple[datetime, datetime], dict[str, str]] = {}
    for each in series:
        for reading, text in zip(each.readings, _texts(each, units), strict=True):
            found.setdefault((reading.begin, reading.end), {})[each.name] = text
    return [
        SpanFigures(begin, end, span_name(begin, end - begin, zone), said)
        for (begin, end), said in sorted(found.items())
    ]


def _texts(series: Series, units: Units) -> Iterator[str]:
    """Yield the text of each reading. The text of a repeated value is reused."""
    before: Decimal | None = None
    text = ""
    for reading in series.readings:
        if reading.value != before:
            before, text = reading.value, units.text(reading.value)
        yield text


def time_table(names: Sequence[str], spans: Sequence[SpanFigures], zone: tzinfo | None) -> Table:
    """Return a table with a column for each series and a row for each span and each gap, newest first."""
    rows = []
    before: datetime | None = None
    for begin, end, name, figures in spans:
        if before is not None and begin > before:
            rows.append([_gap(before, begin, zone), *(NO_DATA for _ in names)])
        rows.append([name, *(figures.get(each, NO_DATA) for each in names)])
        before = end
    return Table(["Time", *names], rows[::-1])


def _gap(begin: datetime, end: datetime, zone: tzinfo | None) -> str:
    begin, end = (moment.astimezone(zone or UTC) for moment in (begin, end))
    if begin.time() == end.time() == time():
        last = end - timedelta(days=1)
        return f"{begin:{_DATE}}" if last == begin else f"{begin:{_DATE}} to {last:{_DATE}}"
    if begin.date() == end.date():
        return f"{begin:{_DATE}}, {begin:%H:%M} to {end:%H:%M}"
    return f"{begin:{_DATE}}, {begin:%H:%M} to {end:{_DATE}}, {end:%H:%M}"


@lru_cache(maxsize=CACHE_SIZE)
def span_name(begin: datetime, length: timedelta, zone: tzinfo | None) -> str:
    """Return the name of a span: its hour, day, week or month."""
    begin = begin.astimezone(zone or UTC)
    if length < timedelta(days=1):
        return f"{begin:{_DATE}}, {begin:%H:%M}"
    if length == timedelta(days=1):
        return f"{begin:%A}, {begin:{_DATE}}"
    return f"Week of {begin:{_DATE}}" if length == timedelta(days=7) else f"{begin:%B %Y}"
