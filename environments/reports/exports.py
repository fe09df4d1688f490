"""A report's tables as CSV, and a report as a spreadsheet. Texts are never formulas.

CSV is UTF-8 with a byte order mark: without it a spreadsheet program that opens a CSV by double click assumes
its own code page; RFC 4180 otherwise. Totals are left out, because sums and pivots would count them twice.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Protocol, cast

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from environments.reports import formats
from environments.reports.formats import csv_cells, harmless, heading
from environments.reports.sheets import RowSheet
from environments.reports.tables import Cell, Column, Kind, Report, Row, Table

_WIDTHS = {Kind.TEXT: 26, Kind.LINK: 34, Kind.DATE: 12, Kind.MOMENT: 17}  # characters
_LEAST, _MOST = 11, 40
_LONGEST = 32_767  # characters in a cell
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class _Echo(Protocol):
    def write(self, text: str, /) -> str: ...


class _EchoFile:
    """A file for `csv.writer` that returns each line instead of storing it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(table: Table, currency: str) -> Iterator[str]:
    """Yield the lines of a CSV file: the headings, then the rows. The whole file is never in memory."""
    file: _Echo = _EchoFile()
    writer = csv.writer(file)
    yield BYTE_ORDER_MARK + str(writer.writerow([harmless(heading(column, currency)) for column in table.columns]))
    columns = [csv_cells(column) for column in table.columns]
    for row in table.rows:
        yield str(writer.writerow([text(cell) for text, cell in zip(columns, row, strict=True)]))


def write_xlsx(file: IO[bytes], title: str, report: Report, facts: Iterable[tuple[str, str]], currency: str) -> None:
    """Write a report as a workbook. `facts` are its filters and when it was generated.

    With `constant_memory`, rows are written one by one and are never all in memory.
    """
    with xlsxwriter.Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}) as workbook:
        book = _Book(workbook, currency)
        book.about(title, report, facts)
        for table in report.tables:
            book.table(table)


class _Book:
    def __init__(self, workbook: Workbook, currency: str) -> None:
        self.workbook, self.currency = workbook, currency
        self.head = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.bold = workbook.add_format({"bold": True, "valign": "top"})
        self.wrap = workbook.add_format({"text_wrap": True, "valign": "top"})
        self.names: set[str] = set()

    def about(self, title: str, report: Report, facts: Iterable[tuple[str, str]]) -> None:
        """Add the first sheet: title, filters, key figures, and how to read the report."""
        sheet = self._sheet("About")
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 70)
        sheet.write_string(0, 0, title, self.bold)
        row = 1
        for label, value in facts:
            sheet.write_string(row, 0, label)
            sheet.write_string(row, 1, value[:_LONGEST], self.wrap)
            row += 1
        for figure in report.figures:
            sheet.write_string(row, 0, formats.heading(_titled(figure.column, figure.label), self.currency))
            self._cell(sheet, row, 1, figure.column, figure.value, self._format(figure.column, {"align": "left"}))
            row += 1
        for sentence in (*filter(None, [report.notice]), *report.explanation):
            sheet.write_string(row, 0, "How to read this report" if sentence in report.explanation[:1] else "")
            sheet.write_string(row, 1, sentence, self.wrap)
            row += 1

    def table(self, table: Table) -> None:
        """Add a sheet for a table, with frozen headings; the totals are the last row, in bold."""
        sheet = self._sheet(table.title)
        plain = [self._format(column) for column in table.columns]
        for number, column in enumerate(table.columns):
            heading = formats.heading(column, self.currency)
            width = min(max(_LEAST, len(heading) + 1), _MOST) if column.is_number else _WIDTHS[column.kind]
            sheet.set_column(number, number, width)
            sheet.write_string(0, number, heading, self.head)
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        count = sheet.write_rows(1, table.columns, plain, table.rows)
        if count:
            sheet.autofilter(0, 0, count, len(table.columns) - 1)
        if table.totals is not None:
            bold = [self._format(column, {"bold": True, "top": 1}) for column in table.columns]
            self._row(sheet, count + 1, table, table.totals, bold)

    def _row(self, sheet: Worksheet, number: int, table: Table, row: Row, looks: list[Format]) -> None:
        for index, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            self._cell(sheet, number, index, column, cell, looks[index])

    def _cell(self, sheet: Worksheet, row: int, column: int, kind: Column, cell: Cell, look: Format) -> None:
        if cell is None:
            sheet.write_blank(row, column, None, look)
        elif kind.is_number:
            sheet.write_number(row, column, formats.number(kind, cell), look)
        elif kind.kind is Kind.MOMENT and isinstance(cell, datetime):
            sheet.write_datetime(row, column, cell.astimezone(UTC).replace(tzinfo=None), look)
        elif kind.kind is Kind.DATE and not isinstance(cell, str):
            sheet.write_datetime(row, column, cell, look)
        else:
            sheet.write_string(row, column, formats.text(cell)[:_LONGEST], look)

    def _format(self, column: Column, more: dict[str, object] | None = None) -> Format:
        return self.workbook.add_format(
            {"num_format": formats.number_format(column, self.currency), "valign": "top"} | (more or {})
        )

    def _sheet(self, title: str) -> RowSheet:
        """Add a sheet with a unique name that spreadsheet programs accept."""
        name = re.sub(r"[\[\]:*?/\\']", " ", title).strip()[:31] or "Sheet"
        number = 2
        while name.lower() in self.names:
            name, number = f"{name[:27]} {number}", number + 1
        self.names.add(name.lower())
        return cast(RowSheet, self.workbook.add_worksheet(name, worksheet_class=RowSheet))


def _titled(column: Column, title: str) -> Column:
    return Column(title, column.kind, column.unit, column.digits)
