"""A report as its page shows it: every cell as text, long tables split into pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

from environments.reports.formats import on_page
from environments.reports.tables import Cell, Column, Figure, Kind, Link, Report, Row, Table

PAGE_SIZE = 25  # rows of a table on one page


@dataclass(frozen=True)
class CellText:
    """A cell of a table."""

    text: str
    label: str
    is_number: bool = False
    is_missing: bool = False
    href: str = ""
    sub: str = ""


@dataclass(frozen=True)
class Heading:
    """A column heading."""

    text: str
    unit: str
    is_number: bool


@dataclass(frozen=True)
class TablePage:
    """A page of a table. The totals include all rows."""

    table: Table
    headings: list[Heading]
    rows: list[list[CellText]]
    totals: list[CellText]
    page: Page[Any]
    previous: str  # the query of the previous page
    next: str  # the query of the next page
    csv: str  # the query of its CSV


@dataclass(frozen=True)
class FigureText:
    """A key figure and its change, as text."""

    label: str
    text: str
    unit: str
    change: str
    before: str
    note: str
    href: str
    tone: str


@dataclass(frozen=True)
class ReportPage:
    """The context of the template."""

    report: Report
    figures: list[FigureText]
    tables: list[TablePage]


def report_page(report: Report, data: Mapping[str, str], currency: str) -> ReportPage:
    """Return a report for its page. `data` is the query of the address, with the page number of each table."""
    first = report.tables[0].key if report.tables else ""
    return ReportPage(
        report,
        [figure_text(figure, currency) for figure in report.figures],
        [_table(table, data, currency, is_first=table.key == first) for table in report.tables],
    )


def figure_text(figure: Figure, currency: str) -> FigureText:
    """Return a key figure as text: `1,209.60 EUR`, its change `+12.30 EUR, +1.0 %`, and `1,197.30 EUR` before."""
    return FigureText(
        label=figure.label,
        text=on_page(figure.column, figure.value, currency),
        unit=figure.column.unit,
        change=_change(figure, currency),
        before="" if figure.before is None else on_page(figure.column, figure.before, currency),
        note=figure.note,
        href=figure.href,
        tone=figure.tone,
    )


def _change(figure: Figure, currency: str) -> str:
    if not isinstance(figure.change, int | Decimal):
        return ""
    if not figure.change:
        return "no change"
    sign = "+" if figure.change > 0 else ""
    kind = Column("", Kind.PERCENT)
    # The difference of two percentages is in percentage points. A percentage of it would only confuse.
    if figure.column.kind is Kind.PERCENT:
        return f"{sign}{on_page(kind, figure.change, currency)} points".replace(" % points", " points")
    percent = "" if figure.percent is None else f", {sign}{on_page(kind, figure.percent, currency)}"
    return f"{sign}{on_page(figure.column, figure.change, currency)}{percent}"


def _table(table: Table, data: Mapping[str, str], currency: str, *, is_first: bool) -> TablePage:
    name = f"{table.key}-page"
    page: Page[Any] = Paginator(cast(Any, table.rows), PAGE_SIZE).get_page(data.get(name))
    columns = [column for column in table.columns if not column.is_only_exported]
    rest = {key: value for key, value in data.items() if key != name and value}
    exported = {key: value for key, value in rest.items() if not key.endswith("-page")}
    return TablePage(
        table=table,
        headings=[Heading(column.title, column.unit, column.is_number) for column in columns],
        rows=[_cells(table, row, currency) for row in page.object_list],
        totals=[] if table.totals is None else _totals(table, table.totals, currency),
        page=page,
        previous=urlencode({**rest, name: page.previous_page_number()}) if page.has_previous() else "",
        next=urlencode({**rest, name: page.next_page_number()}) if page.has_next() else "",
        csv=urlencode(exported if is_first else {**exported, "table": table.key}),
    )


def _cells(table: Table, row: Row, currency: str) -> list[CellText]:
    pairs: Iterable[tuple[Column, Cell]] = zip(table.columns, row, strict=True)
    return [_cell(column, cell, currency) for column, cell in pairs if not column.is_only_exported]


def _totals(table: Table, row: Row, currency: str) -> list[CellText]:
    """Return the totals. A column without a total is empty, not “missing”."""
    return [replace(cell, text="") if cell.is_missing else cell for cell in _cells(table, row, currency)]


def _cell(column: Column, cell: Cell, currency: str) -> CellText:
    link = cell if isinstance(cell, Link) else Link("", "")
    label = f"{column.title}, {column.unit}" if column.unit else column.title  # phones show no column headings
    return CellText(on_page(column, cell, currency), label, column.is_number, cell is None, link.href, link.sub)
