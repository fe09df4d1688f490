"""What environments cost in a period: reserved hours at the rate that was in force, exact until shown."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import F

from environments.models import Rate
from environments.models.environments import EnvironmentQuerySet
from environments.reports.consumption import Sums, aggregates, totals
from environments.reports.grouped import by_row, condition, is_by_row
from environments.reports.periods import Period
from environments.reports.rates import Price, Prices, money
from environments.reports.reading import Reading, Share
from environments.reports.resources import CPU, MEMORY, RESOURCES
from environments.reports.tables import Cell

_NAMES = ("seconds", *(each.reserved for each in RESOURCES))
_WATCHED = (*_NAMES, CPU.used, MEMORY.used)


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


#: A group, a cluster, what the sums count for, and the sums.
_Line = tuple[Any, int, Sequence[Share], Sums]


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
