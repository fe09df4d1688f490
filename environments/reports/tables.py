"""What a report is made of: key figures, charts and tables. Page, CSV and spreadsheet read the same rows."""

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
    """What a column holds, and so how its cells are written."""

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
    """A text that leads somewhere on the page."""

    text: str
    href: str
    sub: str = ""  # a second, quieter line on the page


#: Figures come rounded to the digits of their column. None is no figure, and shown as such.
Cell = str | int | Decimal | date | datetime | Link | None
Row = Sequence[Cell]


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    kind: Kind = Kind.TEXT
    unit: str = ""  # in the heading: `core-hours`
    digits: int = 0
    missing: str = "–"  # what the page says where there is no figure
    is_only_exported: bool = False  # the page has it elsewhere, or does without

    @property
    def is_number(self) -> bool:
        """Whether it is set to the right."""
        return self.kind in (Kind.INTEGER, Kind.DECIMAL, Kind.PERCENT, Kind.MONEY)


class Rows:
    """Rows made a handful at a time from what was asked of the database: a page takes some, an export all of them."""

    def __init__(
        self,
        source: "Sequence[Any] | QuerySet[Any, Any]",
        make: Callable[[Sequence[Any]], Iterable[Row]] = lambda rows: rows,
    ) -> None:
        """`make` turns some of the source's things into rows, in their order."""
        self.source, self.make = source, make

    def __len__(self) -> int:
        return self.source.count() if isinstance(self.source, QuerySet) else len(self.source)

    def __getitem__(self, part: slice) -> list[Row]:
        return list(self.make(list(self.source[part])))

    def __iter__(self) -> Iterator[Row]:
        """All of them, read and made in chunks: nothing holds them all at once."""
        source: Iterable[Any] = self.source
        if isinstance(self.source, QuerySet):
            source = self.source.iterator(chunk_size=_CHUNK)
        for chunk in batched(source, _CHUNK, strict=False):
            yield from self.make(chunk)


@dataclass(frozen=True)
class Table:
    """Rows under columns; `totals` is a row of the same columns, over all rows."""

    key: str  # unique in its report; part of addresses and file names
    title: str
    columns: Sequence[Column]
    rows: Rows
    totals: Row | None = None
    note: str = ""
    empty: str = "There is nothing to show."


@dataclass(frozen=True)
class Figure:
    """A key figure: `column` says how `value` is written; `change` is its difference to the period before."""

    label: str
    value: Cell
    column: Column
    before: Cell = None
    change: Cell = None
    percent: Decimal | None = None  # by how many percent it changed
    note: str = ""
    href: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Report:
    """One report, built for somebody's filters."""

    figures: Sequence[Figure] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    explanation: Sequence[str] = field(default_factory=list)  # how to read it, a sentence or two each
    notice: str = ""  # what somebody has to know before reading any figure


def compared(label: str, column: Column, value: Cell, before: Cell, *, note: str = "", href: str = "") -> Figure:
    """A figure with its difference to the period before, in its own unit and in percent.

    Both come from the figures as they are shown, so that a reader can check them.
    """
    if not isinstance(value, int | Decimal) or not isinstance(before, int | Decimal):
        return Figure(label, value, column, before, note=note, href=href)
    return Figure(label, value, column, before, value - before, growth(value, before), note, href)


def growth(value: int | Decimal, before: int | Decimal) -> Decimal | None:
    """By how many percent it grew; None where there was nothing before."""
    if not before:
        return None
    new, old = Decimal(value) * 100, Decimal(before) * 100
    assert new == int(new)  # noqa: S101 (figures have two digits at the most)
    return quotient(100 * (int(new) - int(old)), abs(int(old)), 1)
