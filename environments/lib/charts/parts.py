"""What charts are made of, as their templates read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

#: `area`: a line with its area; `line`; `peak`: a thin line; `limit`: a dashed line; `soft`: a pale column or bar.
Look = Literal["area", "line", "peak", "limit", "soft"]

HEIGHT = 160  # pixels of the drawing; above it is room for half a word, below it for the labels of the x axis
ROOM_ABOVE, ROOM_BELOW = 8, 22

NO_FIGURES = "no figures"

CACHE_SIZE = 2048  # spans whose words and places are remembered: every line of every chart on a page has the same ones


@dataclass(frozen=True)
class Units:
    """How figures are said, and where an axis has its lines."""

    text: Callable[[Decimal], str]
    is_binary: bool = False  # bytes: lines at powers of two
    is_whole: bool = False  # things: no line between one and two


class Reading(NamedTuple):
    """A figure for a span of time, its end excluded."""

    begin: datetime
    end: datetime
    value: Decimal


@dataclass(frozen=True)
class Series:
    """Readings in their order. Where one does not begin when the one before ended, there is a gap."""

    name: str
    look: Look
    readings: Sequence[Reading]

    @property
    def most(self) -> Decimal:
        """The greatest figure, 0 where there is none."""
        return max((reading.value for reading in self.readings), default=Decimal(0))


class Tick(NamedTuple):
    """A line across the drawing with its label: `at` is pixels from the top, or percent from the left."""

    at: str
    text: str = ""


@dataclass(frozen=True)
class Path:
    """One path of a drawing."""

    look: str
    d: str


class Column(NamedTuple):
    """One column, or the strip of a span that tells its figures: percent across, pixels down."""

    x: str
    width: str
    y: str
    height: str
    look: str
    text: str


@dataclass(frozen=True)
class LegendEntry:
    """One entry of the legend."""

    look: str
    text: str


@dataclass(frozen=True)
class Table:
    """The figures behind a chart. The first cell of a row is its heading."""

    headings: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Chart:
    """What every drawing has. `key` is unique on its page and fit for an id."""

    key: str
    title: str
    description: str
    legend: list[LegendEntry]
    table: Table
    note: str = ""
    y_ticks: list[Tick] = field(default_factory=list)
    x_ticks: list[Tick] = field(default_factory=list)
    height: int = HEIGHT

    @property
    def is_empty(self) -> bool:
        """Whether there is no figure in it."""
        return not self.table.rows

    @property
    def above(self) -> int:
        """Where the drawing begins, in pixels."""
        return ROOM_ABOVE

    @property
    def base(self) -> int:
        """Where zero is, in pixels."""
        return ROOM_ABOVE + self.height

    @property
    def baseline(self) -> int:
        """Where the words of the x axis stand, in pixels."""
        return self.base + 16

    @property
    def whole(self) -> int:
        """The height of all of it, in pixels."""
        return self.base + ROOM_BELOW


@dataclass(frozen=True)
class TimeChart(Chart):
    """Lines over time. `strips` tell the figures of a span to whoever points at it."""

    paths: list[Path] = field(default_factory=list)
    strips: list[Column] = field(default_factory=list)
    kind: str = "time"


@dataclass(frozen=True)
class ColumnChart(Chart):
    """Columns, side by side for each label."""

    columns: list[Column] = field(default_factory=list)
    kind: str = "columns"


@dataclass(frozen=True)
class Bar:
    """One bar: its width in percent of the widest, and its figure in words."""

    width: str
    look: str
    text: str


@dataclass(frozen=True)
class BarRow:
    """One name with its bars. `href` leads to what it is about."""

    name: str
    bars: list[Bar]
    href: str = ""


@dataclass(frozen=True)
class BarChart(Chart):
    """A name a row. It says every figure in words, so it is its own table."""

    rows: list[BarRow] = field(default_factory=list)
    kind: str = "bars"


@dataclass(frozen=True)
class Spark:
    """A line with its area and no axes, 100 × 24; the top is the limit."""

    line: str
    area: str
