"""The four resources that reports tell of, and from the integers of the record to figures for reading. Pure.

What is summed are integers, so a sum of days is the month and every grouping has the same total, on every database.
A figure is rounded once, half up, where it becomes one: a total is rounded from the exact total, not added up from
rounded lines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Resource:
    """One resource: `hours` and `amount` make figures of the record's integers."""

    key: str
    title: str
    hours_unit: str
    hours: Callable[[int], Decimal]
    unit: str
    amount: Callable[[int], Decimal]

    @property
    def reserved(self) -> str:
        """The column with what was reserved."""
        return f"{self.key}_reserved"

    @property
    def used(self) -> str:
        """The column with what was used."""
        return f"{self.key}_used"

    @property
    def peak(self) -> str:
        """The column with the greatest use."""
        return f"{self.key}_peak"

    def reserved_hours(self, sums: Mapping[str, int]) -> Decimal:
        """What was reserved, from a row of sums."""
        return self.hours(sums[self.reserved])

    def used_hours(self, sums: Mapping[str, int]) -> Decimal:
        """What was used, from a row of sums."""
        return self.hours(sums[self.used])

    def efficiency(self, sums: Mapping[str, int]) -> Decimal | None:
        """How many percent of what was reserved was used."""
        return percent(sums[self.used], sums[self.reserved])


CPU = Resource("cpu", "CPU", "core-hours", core_hours, "cores", cores)
MEMORY = Resource("memory", "Memory", "GiB-hours", gib_hours, "GiB", gib)
STORAGE = Resource("storage", "Storage", "GiB-hours", gib_hours, "GiB", gib)
GPU = Resource("gpu", "GPU", "GPU-hours", gpu_hours, "GPUs", lambda count: quotient(count, 1, AMOUNTS))

RESOURCES = (CPU, MEMORY, STORAGE, GPU)
