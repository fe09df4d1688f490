"""Lines over time."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from environments.charts.axes import WIDE, Scale, lines, px, time_ticks
from environments.charts.parts import (
    HEIGHT,
    ROOM_ABOVE,
    Column,
    Key,
    Path,
    Reading,
    Series,
    Spark,
    Tick,
    TimeChart,
    Units,
)
from environments.charts.spans import by_span, said_span, time_table

_FAR = 12  # a limit that is so many times what was used would flatten everything else
_Corner = tuple[float, float]


def time_chart(
    key: str, title: str, series: Sequence[Series], *, begin: datetime, end: datetime, units: Units, note: str = ""
) -> TimeChart:
    """Series from `begin` to `end`, on one axis from zero.

    Readings outside of the period are cut off. A limit far beyond everything else is left out and named in the note.
    The time axis is labelled in `begin`'s time zone.
    """
    far = _far_limit(series)
    drawn = [each for each in series if each is not far]
    ticks = lines(max((each.most for each in drawn), default=Decimal(0)), units)
    scale = Scale(begin, end, ticks[-1])
    notes = [note, f"The {far.name.lower()}, {units.say(far.most)}, is far above this." if far else ""]
    return TimeChart(
        key=key,
        title=title,
        description=_describe(series, units),
        legend=[Key(each.look, each.name) for each in drawn],
        table=time_table(series, units, begin),
        note=" ".join(filter(None, notes)),
        y_ticks=[Tick(px(ROOM_ABOVE + scale.y(value)), units.say(value) if value else "0") for value in ticks],
        x_ticks=time_ticks(begin, end),
        paths=[path for each in drawn for path in _paths(each, scale)],
        strips=_strips(series, scale, units),
    )


def spark(readings: Sequence[Reading], *, begin: datetime, end: datetime, limit: Decimal) -> Spark | None:
    """A line of readings under a limit; None where there is nothing to draw."""
    inside = [reading for reading in readings if reading.end > begin and reading.begin < end]
    if not inside:
        return None
    most = max(limit, *(reading.value for reading in inside)) or Decimal(1)
    scale = Scale(begin, end, most, width=100, height=24)
    runs = [_corners(run, scale) for run in _runs(inside)]
    return Spark(line=" ".join(_line(run) for run in runs), area=" ".join(_area(run, scale) for run in runs))


def _far_limit(series: Sequence[Series]) -> Series | None:
    """The limit that would flatten everything else."""
    used = max((each.most for each in series if each.look != "limit"), default=Decimal(0))
    return next((each for each in series if each.look == "limit" and used and each.most > used * _FAR), None)


def _runs(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Readings in pieces without a gap."""
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
    line = Path(series.look if series.look != "area" else "line", " ".join(_line(run) for run in runs))
    if series.look != "area":
        return [line]
    return [Path("area", " ".join(_area(run, scale) for run in runs)), line]


def _corners(run: list[Reading], scale: Scale) -> list[_Corner]:
    """A line through the middle of each span, level to the ends of the run: a single span is a dash, not a dot."""
    middles = [(scale.x(each.begin + (each.end - each.begin) / 2), scale.y(each.value)) for each in run]
    return [(scale.x(run[0].begin), middles[0][1]), *middles, (scale.x(run[-1].end), middles[-1][1])]


def _stairs(run: list[Reading], scale: Scale) -> list[_Corner]:
    """A line that is level over each span: what changes at a moment."""
    return [(scale.x(moment), scale.y(each.value)) for each in run for moment in (each.begin, each.end)]


def _line(corners: list[_Corner]) -> str:
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in _plain(corners))


def _area(corners: list[_Corner], scale: Scale) -> str:
    first, last = px(corners[0][0]), px(corners[-1][0])
    return f"{_line(corners)}L{last} {scale.height}L{first} {scale.height}Z"


def _plain(corners: list[_Corner]) -> list[_Corner]:
    """Without the corners in the middle of a level stretch."""
    inner = [
        here
        for before, here, after in zip(corners, corners[1:], corners[2:], strict=False)
        if not before[1] == here[1] == after[1]
    ]
    return [corners[0], *inner, corners[-1]]


def _strips(series: Sequence[Series], scale: Scale, units: Units) -> list[Column]:
    """A strip for each span, which tells every figure of it."""
    figures = by_span(series)
    strips = []
    for (begin, end), values in figures.items():
        left, right = (scale.x(moment) * 100 / WIDE for moment in (begin, end))
        said = [f"{name.lower()} {units.say(value)}" for name, value in values.items()]
        text = f"{said_span(begin, end - begin, scale.begin)}: {', '.join(said)}"
        strips.append(Column(px(left), px(right - left), px(ROOM_ABOVE), px(HEIGHT), "strip", text))
    return strips


def _describe(series: Sequence[Series], units: Units) -> str:
    """A chart in a few sentences, for those who do not see it."""
    said = [_describe_one(each, units) for each in series if each.readings]
    if not said:
        return "There are no figures for this period."
    gaps = sum(1 for before, after in pairwise(by_span(series)) if after[0] > before[1])
    missing = f" Figures are missing {'once' if gaps == 1 else f'{gaps} times'} in between." if gaps else ""
    return " ".join(said) + missing


def _describe_one(series: Series, units: Units) -> str:
    least, most = min(reading.value for reading in series.readings), series.most
    if least == most:
        return f"{series.name}: {units.say(most)} throughout."
    last = series.readings[-1].value
    return f"{series.name}: from {units.say(least)} to {units.say(most)}, {units.say(last)} in the end."
