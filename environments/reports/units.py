"""From the integers of the record to figures for reading, each rounded once, half up. Pure.

What is summed are integers, so a sum of days is the month and every grouping has the same total, on every database.
A figure is rounded where it becomes one: a total is rounded from the exact total, not added up from rounded lines.
"""

from decimal import Decimal

_MILLICORE_SECONDS = 1000 * 3600  # in a core-hour
_MIB_SECONDS = 1024 * 3600  # in a GiB-hour
_GPU_SECONDS = 3600  # in a GPU-hour

HOURS, AMOUNTS, SHARES, CENTS = 1, 2, 1, 2
"""Digits after the point: of hours, of cores and GiB, of percentages, of money."""


def quotient(part: int, whole: int, digits: int) -> Decimal:
    """`part / whole` to so many digits, half up (away from zero), from integers alone: nothing is rounded before."""
    sign = -1 if (part < 0) != (whole < 0) else 1
    part, whole = abs(part) * 10**digits, abs(whole)
    return Decimal(sign * ((2 * part + whole) // (2 * whole))).scaleb(-digits)


def core_hours(millicore_seconds: int) -> Decimal:
    """Core-hours."""
    return quotient(millicore_seconds, _MILLICORE_SECONDS, HOURS)


def gib_hours(mib_seconds: int) -> Decimal:
    """GiB-hours."""
    return quotient(mib_seconds, _MIB_SECONDS, HOURS)


def gpu_hours(gpu_seconds: int) -> Decimal:
    """GPU-hours."""
    return quotient(gpu_seconds, _GPU_SECONDS, HOURS)


def cores(millicores: int) -> Decimal:
    """Cores."""
    return quotient(millicores, 1000, AMOUNTS)


def gib(mib: int) -> Decimal:
    """GiB."""
    return quotient(mib, 1024, AMOUNTS)


def percent(part: int, whole: int) -> Decimal | None:
    """How many percent one is of the other; None where there is nothing to be a part of."""
    return quotient(100 * part, whole, SHARES) if whole else None


def change(now: int, before: int) -> Decimal | None:
    """By how many percent it grew; None where there was nothing before."""
    return quotient(100 * (now - before), before, SHARES) if before else None
