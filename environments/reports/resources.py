"""The four resources that reports tell of, each with its columns in the record and its units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from environments.reports import units


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
        return units.percent(sums[self.used], sums[self.reserved])


CPU = Resource("cpu", "CPU", "core-hours", units.core_hours, "cores", units.cores)
MEMORY = Resource("memory", "Memory", "GiB-hours", units.gib_hours, "GiB", units.gib)
STORAGE = Resource("storage", "Storage", "GiB-hours", units.gib_hours, "GiB", units.gib)
GPU = Resource(
    "gpu", "GPU", "GPU-hours", units.gpu_hours, "GPUs", lambda count: units.quotient(count, 1, units.AMOUNTS)
)

RESOURCES = (CPU, MEMORY, STORAGE, GPU)
