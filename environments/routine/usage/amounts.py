"""Quota figures as integers: thousandths of a core for CPU, whole units (bytes, objects) for the rest."""

from decimal import ROUND_CEILING
from functools import lru_cache

from environments.lib import quantities

Figures = dict[str, list[str]]  # resource -> [used, hard], as quantities
Amounts = dict[str, tuple[int, int]]  # resource -> used, hard, in stored units


@lru_cache(maxsize=4096)
def scale(resource: str) -> int:
    """How many of the stored units make one of the resource's own: a core, a byte, an object."""
    return 1000 if quantities.is_cpu(resource) else 1


@lru_cache(maxsize=65536)
def amount(resource: str, quantity: str) -> int:
    """A quantity in stored units, rounded up as Kubernetes rounds (`Value`, `MilliValue`).

    Raises ValueError where it is no quantity.
    """
    return int((quantities.parse(quantity) * scale(resource)).to_integral_value(ROUND_CEILING))


def amounts(figures: Figures) -> Amounts:
    """Newest figures in stored units."""
    return {resource: (amount(resource, used), amount(resource, hard)) for resource, (used, hard) in figures.items()}
