"""How a cell is written on the page, in a CSV and in a spreadsheet: all three from the same rounded value. Pure."""

from datetime import UTC, date, datetime
from decimal import Decimal

from environments.reports.tables import Cell, Column, Kind, Link

_MINUS = "\N{MINUS SIGN}"
_DIGITS = {Kind.PERCENT: 1, Kind.MONEY: 2}

#: What a spreadsheet program may take for a formula (OWASP, CSV Injection), its full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def heading(column: Column, currency: str) -> str:
    """A column's title with its unit, for exports: their cells are bare numbers."""
    unit = {Kind.PERCENT: "%", Kind.MONEY: currency}.get(column.kind, column.unit)
    return f"{column.title} ({unit})" if unit else column.title


def digits(column: Column) -> int:
    """How many digits after the point."""
    return _DIGITS.get(column.kind, column.digits)


def on_page(column: Column, cell: Cell, currency: str) -> str:
    """For people: `1,209.60 EUR`, `66.1 %`, `22 Nov 2026`."""
    if cell is None:
        return column.missing
    if column.is_number:
        unit = {Kind.PERCENT: " %", Kind.MONEY: f" {currency}"}.get(column.kind, "")
        return f"{cell:,.{digits(column)}f}{unit}".replace("-", _MINUS)
    if column.kind is Kind.DATE:
        return f"{cell:%-d %b %Y}"
    if column.kind is Kind.MOMENT:
        return f"{cell:%-d %b %Y, %H:%M}"
    return text(cell)


def in_csv(column: Column, cell: Cell) -> str:
    """For programs: `1209.60`, `66.1`, `2026-11-22`; texts cannot become formulas."""
    if cell is None:
        return ""
    if column.is_number:
        return f"{cell:.{digits(column)}f}"
    if column.kind is Kind.MOMENT and isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if column.kind is Kind.DATE and isinstance(cell, date):
        return cell.strftime("%Y-%m-%d")
    return harmless(text(cell))


def number(column: Column, cell: Cell) -> float:
    """For a spreadsheet: the same digits as everywhere; a percentage as its fraction."""
    value = Decimal(str(cell))
    return float(value / 100 if column.kind is Kind.PERCENT else value)


def number_format(column: Column, currency: str) -> str:
    """The spreadsheet's own format for a column: it shows as many digits as the page does."""
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
    """A cell's text."""
    return cell.text if isinstance(cell, Link) else str(cell)


def harmless(text: str) -> str:
    """A text that no spreadsheet program runs: an apostrophe goes before what begins like a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
