"""The parts of a report: key figures, charts and tables. Page, CSV and spreadsheet read the same rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto
from itertools import batched
from typing import Any

from django.db.models import QuerySet

from environments.lib.charts import Chart
from environments.reports.units import quotient

_CHUNK = 1000


class Kind(Enum):
    """The type of a column, which decides how its cells are written."""

    TEXT = auto()
    LINK = auto()  # a `Link`; its text in exports
    INTEGER = auto()
    DECIMAL = auto()  # to the column's digits
    PERCENT = auto()  # 66.1 is 66.1 %
    MONEY = auto()  # in the portal's currency
    DATE = auto()
    MOMENT = auto()  # date and time, UTC


@dataclass(frozen=True)
class Link:
    """A text that is a link on the page."""

    text: str
    href: str
    sub: str = ""  # a second, smaller line on the page


#: Numbers are rounded to the digits of their column. None is a missing value.
Cell = str | int | Decimal | date | datetime | Link | None
Row = Sequence[Cell]


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    kind: Kind = Kind.TEXT
    unit: str = ""  # in the heading: `core-hours`
    digits: int = 0
    missing: str = "–"  # what the page shows for a missing value
    is_only_exported: bool = False  # the page shows it elsewhere or not at all

    @property
    def is_number(self) -> bool:
        """Whether cells are numbers, which are aligned right."""
        return self.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.PERCENT, Kind.MONEY)


class Rows:
    """Rows made in chunks from query results: a page takes some of them, an export all."""

    def __init__(
        self,
        source: "Sequence[Any] | QuerySet[Any, Any]",
        make: Callable[[Sequence[Any]], Iterable[Row]] = lambda rows: rows,
    ) -> None:
        """`make` turns items of the source into rows, in the same order."""
        self.source, self.make = source, make

    def __len__(self) -> int:
        return self.source.count() if isinstance(self.source, QuerySet) else len(self.source)

    def __getitem__(self, part: slice) -> list[Row]:
        return list(self.make(list(self.source[part])))

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows, read and made in chunks, so that they are never all in memory."""
        source: Iterable[Any] = self.source
        if isinstance(self.source, QuerySet):
            source = self.source.iterator(chunk_size=_CHUNK)
        for chunk in batched(source, _CHUNK, strict=False):
            yield from self.make(chunk)


@dataclass(frozen=True)
class Table:
    """Columns and rows; `totals` has the same columns and sums up all rows."""

    key: str  # unique in its report; part of addresses and file names
    title: str
    columns: Sequence[Column]
    rows: Rows
    totals: Row | None = None
    note: str = ""
    empty: str = "No data."


@dataclass(frozen=True)
class Figure:
    """A key figure. `column` says how `value` is written; `change` is the difference from the period before."""

    label: str
    value: Cell
    column: Column
    before: Cell = None
    change: Cell = None
    percent: Decimal | None = None  # the change in percent
    note: str = ""
    href: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Report:
    """A report, built for a user's filters."""

    figures: Sequence[Figure] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    explanation: Sequence[str] = field(default_factory=list)  # how to read the report, a sentence or two each
    notice: str = ""  # what a reader must know before the figures


def compared(label: str, column: Column, value: Cell, before: Cell, *, note: str = "", href: str = "") -> Figure:
    """Return a figure with its change from the period before, in its own unit and in percent.

    Both are calculated from the figures as shown, so that a reader can check them.
    """
    if not isinstance(value, int | Decimal) or not isinstance(before, int | Decimal):
        return Figure(label, value, column, before, note=note, href=href)
    return Figure(label, value, column, before, value - before, growth(value, before), note, href)


def growth(value: int | Decimal, before: int | Decimal) -> Decimal | None:
    """Return the growth in percent, or None if the value before was 0."""
    if not before:
        return None
    new, old = Decimal(value) * 100, Decimal(before) * 100
    assert new == int(new)  # noqa: S101 (figures have two digits at the most)
    return quotient(100 * (int(new) - int(old)), abs(int(old)), 1)
