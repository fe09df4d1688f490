"""The parts of charts, as templates use them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

#: `area`: a line with its area; `line`; `peak`: a thin line; `limit`: a dashed line; `soft`: a pale column or bar.
Look = Literal["area", "line", "peak", "limit", "soft"]

HEIGHT = 160  # pixels of the drawing, without the space above for half a line and below for the labels
ROOM_ABOVE, ROOM_BELOW = 8, 22

NO_DATA = "no data"
NO_DATA_FOR_PERIOD = "No data for this period."

CACHE_SIZE = 2048  # spans with cached names and positions: all lines of all charts on a page share them


@dataclass(frozen=True)
class Units:
    """How figures are written, and where the axis has grid lines."""

    text: Callable[[Decimal], str]
    is_binary: bool = False  # bytes: grid lines at powers of two
    is_whole: bool = False  # countable: no grid line between one and two


class Reading(NamedTuple):
    """A value for a span of time, its end excluded."""

    begin: datetime
    end: datetime
    value: Decimal


@dataclass(frozen=True)
class Series:
    """Readings in order. If one does not begin where the one before ended, there is a gap."""

    name: str
    look: Look
    readings: Sequence[Reading]

    @property
    def most(self) -> Decimal:
        """The highest value, or 0 if there is none."""
        return max((reading.value for reading in self.readings), default=Decimal(0))


class Tick(NamedTuple):
    """A grid line with its label. `at` is pixels from the top or percent from the left."""

    at: str
    text: str = ""


@dataclass(frozen=True)
class Path:
    """A path of a drawing."""

    look: str
    d: str


class Column(NamedTuple):
    """A column, or the invisible strip over a span with its tooltip. Horizontal in percent, vertical in pixels."""

    x: str
    width: str
    y: str
    height: str
    look: str
    text: str


@dataclass(frozen=True)
class LegendEntry:
    """An entry of the legend."""

    look: str
    text: str


@dataclass(frozen=True)
class Table:
    """The data of a chart. The first cell of a row is its heading."""

    headings: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Chart:
    """The parts of every chart. `key` is unique on the page and valid as an id."""

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
        """Whether the chart has no data."""
        return not self.table.rows

    @property
    def above(self) -> int:
        """The top of the drawing, in pixels."""
        return ROOM_ABOVE

    @property
    def base(self) -> int:
        """The position of zero, in pixels."""
        return ROOM_ABOVE + self.height

    @property
    def baseline(self) -> int:
        """The baseline of the labels of the x axis, in pixels."""
        return self.base + 16

    @property
    def whole(self) -> int:
        """The total height, in pixels."""
        return self.base + ROOM_BELOW


@dataclass(frozen=True)
class TimeChart(Chart):
    """Lines over time. `strips` are the tooltips of the spans."""

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
    """A row for each name. It shows every value as text, so it is a table itself."""

    rows: list[BarRow] = field(default_factory=list)
    kind: str = "bars"


@dataclass(frozen=True)
class Spark:
    """A line with its area and no axes, 100 × 24; the top is the limit."""

    line: str
    area: str
