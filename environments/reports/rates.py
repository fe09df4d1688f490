"""What things cost: the rate that was in force on each day, and amounts of money that are exact until they are shown.

Money is counted in parts of the currency so small that every rate (six decimals) for every second is a whole number of
them. Sums of those are exact on every database; only `money` rounds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from environments.models import Rate
from environments.reports.resources import RESOURCES
from environments.reports.units import CENTS, quotient

_PARTS = 3600 * 128_000 * 10**6  # of one EUR: divisible by what a core-hour, GiB-hour and GPU-hour are made of
_FACTORS = {"cpu": 128, "memory": 125, "storage": 125, "gpu": 128_000}


@dataclass(frozen=True)
class Price:
    """One rate: resource -> millionths of the currency for an hour of it."""

    starts_on: date
    hour: Mapping[str, int]

    def of(self, resource: str, amount: int) -> int:
        """What an amount × seconds, as `Consumption` counts it, costs in exact parts."""
        return amount * self.hour[resource] * _FACTORS[resource]


class Prices:
    """The rates of some clusters, each in force from a day on until the cluster's next."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._of: dict[int, list[Price]] = {}
        for rate in sorted(rates, key=lambda rate: rate.starts_on):
            self._of.setdefault(rate.cluster_id, []).append(_price(rate))

    def on(self, cluster: int, day: date) -> Price | None:
        """The rate in force on a day; None where there was none yet."""
        prices = self._of.get(cluster, [])
        at = bisect_right(prices, day, key=lambda price: price.starts_on)
        return prices[at - 1] if at else None

    def boundaries(self, stretches: Sequence[tuple[date, date]]) -> dict[int, tuple[date, ...]]:
        """The days inside of any of some stretches on which a cluster's rate begins, by cluster."""
        found = {
            cluster: tuple(
                price.starts_on
                for price in prices
                if any(start < price.starts_on < until for start, until in stretches)
            )
            for cluster, prices in self._of.items()
        }
        return {cluster: days for cluster, days in found.items() if days}


def _price(rate: Rate) -> Price:
    hour = {each.key: int(Decimal(getattr(rate, f"{each.key}_hour")).scaleb(6)) for each in RESOURCES}
    return Price(rate.starts_on, hour)


def money(parts: int) -> Decimal:
    """Exact parts as an amount, rounded to the cent, half up."""
    return quotient(parts, _PARTS, CENTS)
