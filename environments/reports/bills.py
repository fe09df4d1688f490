"""What environments cost: reserved hours at the rate that was in force, exact until shown.

Money is counted in parts of the currency so small that every rate (six decimals) for every second is a whole number of
them. Sums of those are exact on every database; only `money` rounds.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F

from environments.models import Rate
from environments.models.environments import EnvironmentQuerySet
from environments.reports.consumption import Sums, aggregates, by_row, condition, is_by_row, totals
from environments.reports.periods import Period
from environments.reports.reading_plan import Reading, Share
from environments.reports.tables import Cell
from environments.reports.units import CENTS, CPU, MEMORY, RESOURCES, quotient

_PARTS = 3600 * 128_000 * 10**6  # of one EUR: divisible by what a core-hour, GiB-hour and GPU-hour are made of
_FACTORS = {"cpu": 128, "memory": 125, "storage": 125, "gpu": 128_000}
_NAMES = ("seconds", *(each.reserved for each in RESOURCES))
_WATCHED = (*_NAMES, CPU.used, MEMORY.used)

#: A group, a cluster, what the sums count for, and the sums.
_Line = tuple[Any, int, Sequence[Share], Sums]


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


@dataclass
class Bill:
    """One group's costs in exact parts, by resource; and what was reserved while there was no rate."""

    parts: dict[str, int] = field(default_factory=lambda: {each.key: 0 for each in RESOURCES})
    seconds: int = 0
    priced_seconds: int = 0
    unpriced: dict[str, int] = field(default_factory=lambda: {each.key: 0 for each in RESOURCES})

    @property
    def total(self) -> int:
        """All resources together, in exact parts."""
        return sum(self.parts.values())

    @property
    def lacks_rate(self) -> bool:
        """Whether some of it has no price."""
        return any(self.unpriced.values())

    @property
    def is_empty(self) -> bool:
        """Whether it is about nothing."""
        return not (self.seconds or self.total or self.lacks_rate)

    def charge(self, sums: Mapping[str, int], price: Price | None, sign: int = 1) -> None:
        """Add what was reserved, at a price or without one; take it away where the sign is -1."""
        self.seconds += sign * sums["seconds"]
        self.priced_seconds += sign * sums["seconds"] if price else 0
        for each in RESOURCES:
            amount = sign * sums[each.reserved]
            if price is None:
                self.unpriced[each.key] += amount
            else:
                self.parts[each.key] += price.of(each.key, amount)

    def add(self, other: "Bill") -> None:
        """Add another's."""
        self.seconds += other.seconds
        self.priced_seconds += other.priced_seconds
        for each in RESOURCES:
            self.parts[each.key] += other.parts[each.key]
            self.unpriced[each.key] += other.unpriced[each.key]

    def amount(self, resource: str = "") -> Cell:
        """What a resource cost, or all together; None where nothing of it had a price."""
        if self.seconds and not self.priced_seconds:
            return None
        return money(self.parts[resource] if resource else self.total)


def all_prices() -> Prices:
    """Every cluster's rates: a handful each."""
    return Prices(Rate.objects.all())


def bills(
    environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date, path: str = ""
) -> dict[Any, Bill]:
    """What each group cost, by what a path leads to from an environment; without one, all under None. One query."""
    found: dict[Any, Bill] = defaultdict(Bill)
    stretches = [(period.start, period.until)]
    reading = Reading(stretches, prices.boundaries(stretches), today)
    lines = (_by_row if not path or is_by_row(path) else _by_part)(environments, reading, path)
    for key, cluster, shares, sums in lines:
        for share in shares:
            found[key].charge(sums, prices.on(cluster, share.day), share.sign)
    # What there was only on days that were taken away again is none of the period's.
    return {key: each for key, each in found.items() if not each.is_empty}


def _by_row(environments: EnvironmentQuerySet, reading: Reading, path: str) -> Iterator[_Line]:
    paths = ("cluster", *filter(None, [path]))
    for row, (cluster, *key), sums in by_row(environments, reading.wanted(), paths, aggregates(_NAMES)):
        yield (key[0] if key else None), cluster, reading.shares(cluster, row), sums


def _by_part(environments: EnvironmentQuerySet, reading: Reading, path: str) -> Iterator[_Line]:
    """A line for each part of each group, instead of one for each of its rows."""
    by = {"part": reading.part(), "cluster": F("environment__cluster")}
    by |= {"key": F("environment" if path == "pk" else f"environment__{path}")}
    for (part, cluster, key), sums in totals(environments, condition(reading.wanted()), by, _NAMES).items():
        yield key, cluster, reading.shares_of_part(cluster, part), sums


def by_stretch(
    environments: EnvironmentQuerySet, stretches: Sequence[tuple[date, date]], prices: Prices, today: date
) -> list[tuple[Sums, Bill]]:
    """What was reserved and used (CPU and memory) and what it cost from a day on and before another; one query.

    Stretches that others are made of come first.
    """
    found = [(dict.fromkeys(_WATCHED, 0), Bill()) for _ in stretches]
    stretches = [(start, min(until, today + timedelta(days=1))) for start, until in stretches]
    reading = Reading(stretches, prices.boundaries(stretches), today)
    for row, (cluster,), sums in by_row(environments, reading.wanted(), ["cluster"], aggregates(_WATCHED)):
        for share in reading.shares(cluster, row):
            together, bill = found[share.stretch]
            bill.charge(sums, prices.on(cluster, share.day), share.sign)
            for name in _WATCHED:
                together[name] += share.sign * sums[name]
    return found


def bill(environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date) -> Bill:
    """What all of them cost together."""
    return total(bills(environments, period, prices, today).values())


def total(found: Iterable[Bill]) -> Bill:
    """Bills added up."""
    together = Bill()
    for each in found:
        together.add(each)
    return together
