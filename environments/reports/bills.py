"""What environments cost in a period: reserved hours at the rate that was in force, exact until shown."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import F, Q

from environments.models import Rate
from environments.models.environments import EnvironmentQuerySet
from environments.reports.consumption import SUMS, Sums, segment, totals, within
from environments.reports.periods import Period
from environments.reports.rates import Price, Prices, money
from environments.reports.resources import RESOURCES
from environments.reports.spans import Piece, spans
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

    def charge(self, sums: Mapping[str, int], price: Price | None) -> None:
        """Add what was reserved, at a price or without one."""
        self.seconds += sums["seconds"]
        self.priced_seconds += sums["seconds"] if price else 0
        for each in RESOURCES:
            amount = sums[each.reserved]
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
    environments: EnvironmentQuerySet,
    period: Period,
    prices: Prices,
    today: date,
    by: Mapping[str, Any],
    cuts: Collection[date] = (),
) -> dict[tuple[Any, ...], Bill]:
    """What each group cost, by what `by` names; one query. No row that is read reaches over one of the `cuts`."""
    found: dict[tuple[Any, ...], Bill] = defaultdict(Bill)
    for key, sums, price in _priced(environments, period, prices, today, by, cuts, _NAMES):
        found[key].charge(sums, price)
    return dict(found)


def by_stretch(
    environments: EnvironmentQuerySet, starts: Sequence[date], until: date, prices: Prices, today: date
) -> list[tuple[Sums, Bill]]:
    """What was reserved and used and what it cost from each of some days to the next, and then until `until`."""
    cuts = starts[1:]
    found = [(dict.fromkeys(SUMS, 0), Bill()) for _ in starts]
    period = Period(starts[0], until, (starts[0], starts[0]))
    by = {"stretch": segment(cuts)}
    for (number,), sums, price in _priced(environments, period, prices, today, by, cuts, SUMS):
        together, bill = found[number]
        bill.charge(sums, price)
        for name in SUMS:
            together[name] += sums[name]
    return found


def _priced(
    environments: EnvironmentQuerySet,
    period: Period,
    prices: Prices,
    today: date,
    by: Mapping[str, Any],
    cuts: Collection[date],
    names: Sequence[str],
) -> Iterator[tuple[tuple[Any, ...], Sums, Price | None]]:
    """Sums by what `by` names, cluster by cluster and rate by rate, with the rate."""
    boundaries = prices.boundaries(period.start, period.until)
    days = sorted({day for each in boundaries.values() for day in each})
    keys = {"cluster": F("environment__cluster"), "segment": segment(days), **by}
    wanted = _wanted(period, boundaries, cuts, today)
    for (cluster, number, *key), sums in totals(environments, wanted, keys, names).items():
        day = days[number - 1] if number else period.start
        yield tuple(key), sums, prices.on(cluster, day)


def bill(environments: EnvironmentQuerySet, period: Period, prices: Prices, today: date) -> Bill:
    """What all of them cost together."""
    return total(bills(environments, period, prices, today, {}).values())


def total(found: Iterable[Bill]) -> Bill:
    """Bills added up."""
    together = Bill()
    for each in found:
        together.add(each)
    return together


def _wanted(period: Period, boundaries: Mapping[int, tuple[date, ...]], cuts: Collection[date], today: date) -> Q:
    """The rows of a period: a cluster's weeks and months are taken whole unless one of its own rates begins inside."""
    others = ~Q(environment__cluster__in=list(boundaries)) if boundaries else None
    rows = within(_pieces(period, cuts, today), others)
    for days, clusters in _alike(boundaries):
        rows |= within(_pieces(period, {*days, *cuts}, today), Q(environment__cluster__in=clusters))
    return rows


def _alike(boundaries: Mapping[int, tuple[date, ...]]) -> Iterator[tuple[tuple[date, ...], list[int]]]:
    """Clusters whose rates begin on the same days."""
    found: dict[tuple[date, ...], list[int]] = defaultdict(list)
    for cluster, days in boundaries.items():
        found[days].append(cluster)
    yield from found.items()


def _pieces(period: Period, boundaries: Collection[date], today: date) -> list[Piece]:
    return spans(period.start, period.until, boundaries, today=today)
