"""The four resources in reports, their units, and how their figures are rounded. Pure.

The database sums integers, so the days of a month add up to the month and every grouping has the same total.
A figure is rounded once, half up: a total is rounded from the exact total, not added up from rounded rows.
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
    """Return `part / whole`, rounded half up (away from zero) to some digits. Nothing is rounded before."""
    sign = -1 if (part < 0) != (whole < 0) else 1
    part, whole = abs(part) * 10**digits, abs(whole)
    return Decimal(sign * ((2 * part + whole) // (2 * whole))).scaleb(-digits)


def core_hours(millicore_seconds: int) -> Decimal:
    """Convert to core-hours."""
    return quotient(millicore_seconds, _MILLICORE_SECONDS, HOURS)


def gib_hours(mib_seconds: int) -> Decimal:
    """Convert to GiB-hours."""
    return quotient(mib_seconds, _MIB_SECONDS, HOURS)


def gpu_hours(gpu_seconds: int) -> Decimal:
    """Convert to GPU-hours."""
    return quotient(gpu_seconds, _GPU_SECONDS, HOURS)


def cores(millicores: int) -> Decimal:
    """Convert to cores."""
    return quotient(millicores, 1000, AMOUNTS)


def gib(mib: int) -> Decimal:
    """Convert to GiB."""
    return quotient(mib, 1024, AMOUNTS)


def percent(part: int, whole: int) -> Decimal | None:
    """Return `part` as a percentage of `whole`, or None if `whole` is 0."""
    return quotient(100 * part, whole, SHARES) if whole else None


@dataclass(frozen=True)
class Resource:
    """A resource. `hours` and `amount` convert the integers of consumption rows."""

    key: str
    title: str
    hours_unit: str
    hours: Callable[[int], Decimal]
    unit: str
    amount: Callable[[int], Decimal]

    @property
    def reserved(self) -> str:
        """The column of what was reserved."""
        return f"{self.key}_reserved"

    @property
    def used(self) -> str:
        """The column of what was used."""
        return f"{self.key}_used"

    @property
    def peak(self) -> str:
        """The column of the highest usage."""
        return f"{self.key}_peak"

    def reserved_hours(self, sums: Mapping[str, int]) -> Decimal:
        """Return the reserved hours in a row of sums."""
        return self.hours(sums[self.reserved])

    def used_hours(self, sums: Mapping[str, int]) -> Decimal:
        """Return the used hours in a row of sums."""
        return self.hours(sums[self.used])

    def efficiency(self, sums: Mapping[str, int]) -> Decimal | None:
        """Return the used hours as a percentage of the reserved hours."""
        return percent(sums[self.used], sums[self.reserved])


CPU = Resource("cpu", "CPU", "core-hours", core_hours, "cores", cores)
MEMORY = Resource("memory", "Memory", "GiB-hours", gib_hours, "GiB", gib)
STORAGE = Resource("storage", "Storage", "GiB-hours", gib_hours, "GiB", gib)
GPU = Resource("gpu", "GPU", "GPU-hours", gpu_hours, "GPUs", lambda count: quotient(count, 1, AMOUNTS))

RESOURCES = (CPU, MEMORY, STORAGE, GPU)
