"""Rows that are written at once are, to the last character, those that XlsxWriter writes cell by cell."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from environments.reports import exports
from environments.reports.sheets import RowSheet
from environments.reports.tables import Cell, Column, Kind, Link, Report, Rows, Table

_COLUMNS = [
    Column("Text"),
    Column("Link", Kind.LINK),
    Column("Number", Kind.INTEGER),
    Column("Decimal", Kind.DECIMAL, digits=2),
    Column("Share", Kind.PERCENT),
    Column("Day", Kind.DATE),
    Column("Moment", Kind.MOMENT),
]
_ZONE = timezone(timedelta(hours=-5))
_TEXTS = [
    "plain",
    "",
    " leading and trailing ",
    "line\nbreak\n",
    "<b> & \"quotes\" 'too' </b>",
    "control \x01 \x1f and tab\t",
    "_x0041_ looks escaped",
    "not a character \uffff\ufffe",
    "=1+1",
    "żółć 日本 🐙",
    "🐙" * 20_000,
    "x" * 40_000,
]
_TOTALS: Sequence[Cell] = ("Total", "", 5, Decimal(0), None, "a word", "another")
_MOMENTS = [
    datetime(2026, 11, 29, 20, 1, 2, 345678, UTC),
    datetime(2026, 1, 1, 23, 59, 59, tzinfo=_ZONE),
    datetime(1999, 12, 31, tzinfo=UTC),
]


def _rows() -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = [
        (
            text,
            Link(text, "/"),
            number,
            Decimal(number) / 3,
            Decimal("66.1"),
            date(2026, 2, 28) + timedelta(number),
            _MOMENTS[number % len(_MOMENTS)],
        )
        for number, text in enumerate(_TEXTS)
    ]
    return [*rows, (None,) * len(_COLUMNS), _TOTALS, rows[0]]


class _CellByCell(RowSheet):
    """The same worksheet, written as XlsxWriter offers it."""

    book: "exports._Book"

    def write_rows(self, first, columns, looks, rows):  # type: ignore[no-untyped-def]
        table = Table("t", "T", columns, Rows([]))
        count = 0
        for count, row in enumerate(rows, 1):
            self.book._row(self, first + count - 1, table, row, looks)
        return count


def _sheet(kind: type[Worksheet], rows: list[Sequence[Cell]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The XML of the sheet with the rows, totals included."""
    monkeypatch.setattr(exports, "RowSheet", kind)
    monkeypatch.setattr(exports._Book, "__init__", _keeping(exports._Book.__init__))
    file = io.BytesIO()
    table = Table("t", "Everything", _COLUMNS, Rows(rows), totals=_TOTALS if rows else None)
    exports.write_xlsx(file, "Report", Report(tables=[table]), [], "EUR")
    with zipfile.ZipFile(file) as archive:
        return archive.read("xl/worksheets/sheet2.xml").decode()


def _keeping(init):  # type: ignore[no-untyped-def]
    def initialise(self: exports._Book, workbook: xlsxwriter.Workbook, currency: str) -> None:
        init(self, workbook, currency)
        _CellByCell.book = self

    return initialise


@pytest.mark.parametrize("rows", [_rows(), _rows()[:1]], ids=["many", "one"])
def test_the_sheet_is_that_of_xlsxwriter(rows: list[Sequence[Cell]], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = _sheet(RowSheet, rows, monkeypatch)
    with monkeypatch.context() as patched:
        theirs = _sheet(_CellByCell, rows, patched)
    assert ours.replace("><", ">\n<").splitlines() == theirs.replace("><", ">\n<").splitlines()


def test_a_table_without_rows_has_its_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = _sheet(RowSheet, [], monkeypatch)
    assert sheet.count("<row ") == 1
    assert "<t>Decimal</t>" in sheet


def test_a_text_that_looks_like_rich_text_stays_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """XlsxWriter copies such a text into the file as XML."""
    row: Sequence[Cell] = ("<r><t>x</t></r>", *[None] * (len(_COLUMNS) - 1))
    assert "<t>&lt;r&gt;&lt;t&gt;x&lt;/t&gt;&lt;/r&gt;</t>" in _sheet(RowSheet, [row, row], monkeypatch)
