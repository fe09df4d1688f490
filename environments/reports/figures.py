"""Key figures beside those of the period before."""

from decimal import Decimal

from environments.reports.tables import Cell, Column, Figure
from environments.reports.units import quotient


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
