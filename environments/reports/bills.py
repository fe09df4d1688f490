"""What environments cost in a period: reserved hours at the rate that was in force, exact until shown."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import F

from environments.models import Rate
from environments.models.environments import EnvironmentQuerySet
from environments.reports.consumption import SUMS, Sums, totals
from environments.reports.periods import Period
from environments.reports.rates import Price, Prices, money
from environments.reports.reading import Reading, Share
from environments.reports.resources import RESOURCES
from environments.reports.spans import Row
from environments.reports.tables import Cell

_NAMES = ("seconds", *(each.reserved for each in RESOURCES))


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
    environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date, by: Mapping[str, Any]
) -> dict[tuple[Any, ...], Bill]:
    """What each group cost, by what `by` names; one query."""
    found: dict[tuple[Any, ...], Bill] = defaultdict(Bill)
    for key, share, sums, price in _priced(environments, [period.start, period.until], prices, today, by, _NAMES):
        found[key].charge(sums, price, share.sign)
    # What there was only on days that were taken away again is none of the period's.
    return {key: each for key, each in found.items() if not each.is_empty}


def by_stretch(
    environments: EnvironmentQuerySet, starts: Sequence[date], until: date, prices: Prices, today: date
) -> list[tuple[Sums, Bill]]:
    """What was reserved and used and what it cost from each of some days to the next, and then until `until`."""
    found = [(dict.fromkeys(SUMS, 0), Bill()) for _ in starts]
    for _, share, sums, price in _priced(environments, [*starts, until], prices, today, {}, SUMS):
        together, bill = found[share.stretch]
        bill.charge(sums, price, share.sign)
        for name in SUMS:
            together[name] += share.sign * sums[name]
    return found


def _priced(
    environments: EnvironmentQuerySet,
    edges: Sequence[date],
    prices: Prices,
    today: date,
    by: Mapping[str, Any],
    names: Sequence[str],
) -> Iterator[tuple[tuple[Any, ...], Share, Sums, Price | None]]:
    """Sums by what `by` names, with what they count for and the rate that was in force."""
    reading = Reading(edges, prices.boundaries(edges[0], edges[-1]), today)
    # Few groups: a line for each row of the record costs the database less than telling what it counts for.
    place = {"part": reading.part()} if by else {"span": F("span"), "start": F("start")}
    groups = totals(environments, reading.wanted(), {**place, "cluster": F("environment__cluster"), **by}, names)
    for group, sums in groups.items():
        at, (cluster, *key) = group[: len(place)], group[len(place) :]
        for share in reading.shares(cluster, *at) if by else reading.shares_of_row(cluster, Row(*at)):
            yield tuple(key), share, sums, prices.on(cluster, share.day)


def bill(environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date) -> Bill:
    """What all of them cost together."""
    return total(bills(environments, period, prices, today, {}).values())


def total(found: Iterable[Bill]) -> Bill:
    """Bills added up."""
    together = Bill()
    for each in found:
        together.add(each)
    return together
