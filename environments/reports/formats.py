"""How a cell is written on the page, in a CSV and in a spreadsheet, all from the same rounded value. Pure."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from environments.reports.tables import Cell, Column, Kind, Link

_MINUS = "\N{MINUS SIGN}"
_DIGITS = {Kind.PERCENT: 1, Kind.MONEY: 2}

#: A spreadsheet program may run a text that begins with one of these (OWASP, CSV Injection), full width or not.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def heading(column: Column, currency: str) -> str:
    """Return a column's title with its unit, for exports, where cells are bare numbers."""
    unit = {Kind.PERCENT: "%", Kind.MONEY: currency}.get(column.kind, column.unit)
    return f"{column.title} ({unit})" if unit else column.title


def digits(column: Column) -> int:
    """Return the number of digits after the point."""
    return _DIGITS.get(column.kind, column.digits)


def on_page(column: Column, cell: Cell, currency: str) -> str:
    """Return a cell's text for people: `1,209.60 EUR`, `66.1 %`, `22 November 2026`."""
    if cell is None:
        return column.missing
    if column.is_number:
        unit = {Kind.PERCENT: " %", Kind.MONEY: f" {currency}"}.get(column.kind, "")
        return f"{cell:,.{digits(column)}f}{unit}".replace("-", _MINUS)
    if column.kind is Kind.DATE:
        return f"{cell:%-d %B %Y}"
    if column.kind is Kind.MOMENT:
        return f"{cell:%-d %B %Y, %H:%M}"
    return text(cell)


def in_csv(column: Column, cell: Cell) -> str:
    """Return a cell's text for programs: `1209.60`, `66.1`, `2026-11-22`. No text can run as a formula."""
    return csv_cells(column)(cell)


def csv_cells(column: Column) -> Callable[[Cell], str]:
    """Return what `in_csv` does with the cells of a column, for files of a hundred thousand lines."""
    if column.is_number:
        form = f".{digits(column)}f"
        return lambda cell: "" if cell is None else format(cell, form)
    if column.kind is Kind.MOMENT:
        return _csv_moment
    return lru_cache(maxsize=4096)(_csv_day if column.kind is Kind.DATE else _csv_text)


def _csv_moment(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return _csv_text(cell)


def _csv_day(cell: Cell) -> str:
    return f"{cell:%Y-%m-%d}" if isinstance(cell, date) else _csv_text(cell)


def _csv_text(cell: Cell) -> str:
    return "" if cell is None else harmless(text(cell))


def number(column: Column, cell: Cell) -> float:
    """Return a cell's number for a spreadsheet, with the same digits as on the page; a percentage as a fraction."""
    value = Decimal(str(cell))
    return float(value / 100 if column.kind is Kind.PERCENT else value)


def number_format(column: Column, currency: str) -> str:
    """Return a column's number format in a spreadsheet. It shows as many digits as the page."""
    zeros = "0" * digits(column)
    plain = f"#,##0.{zeros}" if zeros else "#,##0"
    match column.kind:
        case Kind.PERCENT:
            return f"0.{zeros}%"
        case Kind.MONEY:
            quoted = currency.replace('"', "")
            return f'{plain} "{quoted}"'
        case Kind.DATE:
            return "yyyy-mm-dd"
        case Kind.MOMENT:
            return "yyyy-mm-dd hh:mm"
    return plain if column.is_number else "@"


def text(cell: Cell) -> str:
    """Return a cell's text; for a link, the text without the address."""
    return cell.text if isinstance(cell, Link) else str(cell)


def harmless(text: str) -> str:
    """Put an apostrophe before a text that begins like a formula, so that no spreadsheet program runs it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
