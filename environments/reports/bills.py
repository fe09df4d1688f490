"""What environments cost: reserved hours at the rate in force at the time, exact until they are shown.

Money is counted in parts of the currency so small that every rate (six decimals) for every second is a whole number of
parts. So sums are exact on every database, and only `money` rounds.
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
from environments.reports.consumption import Sums, aggregates, condition, is_faster_by_row, sums_by_row, totals
from environments.reports.periods import Period
from environments.reports.reading_plan import Contribution, ReadingPlan
from environments.reports.tables import Cell
from environments.reports.units import CENTS, CPU, MEMORY, RESOURCES, quotient

_PARTS = 3600 * 128_000 * 10**6  # in one unit of the currency: a multiple of a core-hour, a GiB-hour and a GPU-hour
_FACTORS = {"cpu": 128, "memory": 125, "storage": 125, "gpu": 128_000}
_NAMES = ("seconds", *(each.reserved for each in RESOURCES))
_WATCHED = (*_NAMES, CPU.used, MEMORY.used)

#: A group, a cluster, what the sums contribute to, and the sums.
_GroupSums = tuple[Any, int, Sequence[Contribution], Sums]


@dataclass(frozen=True)
class Price:
    """A rate: for each resource, the price of one hour in millionths of the currency."""

    starts_on: date
    hour: Mapping[str, int]

    def of(self, resource: str, amount: int) -> int:
        """Return what an amount × seconds, as `Consumption` counts it, costs in exact parts."""
        return amount * self.hour[resource] * _FACTORS[resource]


class Prices:
    """The rates of some clusters. Each is in force from its first day until the cluster's next rate begins."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._of: dict[int, list[Price]] = {}
        for rate in sorted(rates, key=lambda rate: rate.starts_on):
            self._of.setdefault(rate.cluster_id, []).append(_price(rate))

    def on(self, cluster: int, day: date) -> Price | None:
        """Return the rate in force on a day, or None if there was none yet."""
        prices = self._of.get(cluster, [])
        at = bisect_right(prices, day, key=lambda price: price.starts_on)
        return prices[at - 1] if at else None

    def boundaries(self, stretches: Sequence[tuple[date, date]]) -> dict[int, tuple[date, ...]]:
        """Return, by cluster, the days inside any of the stretches on which a rate begins."""
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
    """Convert exact parts to an amount, rounded half up to the cent."""
    return quotient(parts, _PARTS, CENTS)


@dataclass
class Bill:
    """The costs of one group in exact parts, by resource, and what was reserved while no rate was in force."""

    parts: dict[str, int] = field(default_factory=lambda: {each.key: 0 for each in RESOURCES})
    seconds: int = 0
    priced_seconds: int = 0
    unpriced: dict[str, int] = field(default_factory=lambda: {each.key: 0 for each in RESOURCES})

    @property
    def total(self) -> int:
        """The cost of all resources, in exact parts."""
        return sum(self.parts.values())

    @property
    def lacks_rate(self) -> bool:
        """Whether some of the reserved hours have no price."""
        return any(self.unpriced.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing was reserved and nothing observed."""
        return not (self.seconds or self.total or self.lacks_rate)

    def charge(self, sums: Mapping[str, int], price: Price | None, sign: int = 1) -> None:
        """Add what was reserved, with or without a price; subtract it if the sign is -1."""
        self.seconds += sign * sums["seconds"]
        self.priced_seconds += sign * sums["seconds"] if price else 0
        for each in RESOURCES:
            amount = sign * sums[each.reserved]
            if price is None:
                self.unpriced[each.key] += amount
            else:
                self.parts[each.key] += price.of(each.key, amount)

    def add(self, other: "Bill") -> None:
        """Add another bill."""
        self.seconds += other.seconds
        self.priced_seconds += other.priced_seconds
        for each in RESOURCES:
            self.parts[each.key] += other.parts[each.key]
            self.unpriced[each.key] += other.unpriced[each.key]

    def amount(self, resource: str = "") -> Cell:
        """Return the cost of a resource, or of all of them; None if nothing had a price."""
        if self.seconds and not self.priced_seconds:
            return None
        return money(self.parts[resource] if resource else self.total)


def all_prices() -> Prices:
    """Return the rates of every cluster, a handful each."""
    return Prices(Rate.objects.all())


def bills(
    environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date, path: str = ""
) -> dict[Any, Bill]:
    """Return the cost of each group, in one query. Groups are the values of `path`; without it, all are under None."""
    found: dict[Any, Bill] = defaultdict(Bill)
    stretches = [(period.start, period.until)]
    plan = ReadingPlan(stretches, prices.boundaries(stretches), today)
    lines = (_by_row if not path or is_faster_by_row(path) else _by_part)(environments, plan, path)
    for key, cluster, contributions, sums in lines:
        for contribution in contributions:
            found[key].charge(sums, prices.on(cluster, contribution.day), contribution.sign)
    # A group that has only subtracted days is not in the period.
    return {key: each for key, each in found.items() if not each.is_empty}


def _by_row(environments: EnvironmentQuerySet, plan: ReadingPlan, path: str) -> Iterator[_GroupSums]:
    paths = ("cluster", *filter(None, [path]))
    for row, (cluster, *key), sums in sums_by_row(environments, plan.selections(), paths, aggregates(_NAMES)):
        yield (key[0] if key else None), cluster, plan.contributions(cluster, row), sums


def _by_part(environments: EnvironmentQuerySet, plan: ReadingPlan, path: str) -> Iterator[_GroupSums]:
    """Yield one result for each part of each group, instead of one for each row."""
    by = {"part": plan.part_number(), "cluster": F("environment__cluster")}
    by |= {"key": F("environment" if path == "pk" else f"environment__{path}")}
    for (part, cluster, key), sums in totals(environments, condition(plan.selections()), by, _NAMES).items():
        yield key, cluster, plan.contributions_of_part(cluster, part), sums


def by_stretch(
    environments: EnvironmentQuerySet, stretches: Sequence[tuple[date, date]], prices: Prices, today: date
) -> list[tuple[Sums, Bill]]:
    """Return what was reserved and used (CPU and memory) and what it cost in each stretch of days, in one query.

    List first the stretches that others consist of, so that their rows are reused.
    """
    found = [(dict.fromkeys(_WATCHED, 0), Bill()) for _ in stretches]
    stretches = [(start, min(until, today + timedelta(days=1))) for start, until in stretches]
    plan = ReadingPlan(stretches, prices.boundaries(stretches), today)
    for row, (cluster,), sums in sums_by_row(environments, plan.selections(), ["cluster"], aggregates(_WATCHED)):
        for contribution in plan.contributions(cluster, row):
            together, bill = found[contribution.stretch]
            bill.charge(sums, prices.on(cluster, contribution.day), contribution.sign)
            for name in _WATCHED:
                together[name] += contribution.sign * sums[name]
    return found


def bill(environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date) -> Bill:
    """Return the total cost of some environments."""
    return total(bills(environments, period, prices, today).values())


def total(found: Iterable[Bill]) -> Bill:
    """Add bills up."""
    together = Bill()
    for each in found:
        together.add(each)
    return together
