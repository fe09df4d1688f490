"""Which rows of the record are read for stretches of days, and what each of them counts for.

A month in the middle of which a rate changes is read as a whole, and so are the weeks and days of one part of it; the
other part is what is left. So a change of rates costs some rows of those clusters alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When

from environments.reports.consumption import Wanted, within
from environments.reports.spans import Row, fewest, pieces


@dataclass(frozen=True)
class Share:
    """What a row counts for: a stretch, at the rate that is in force on a day; taken away where the sign is -1."""

    stretch: int
    day: date
    sign: int


#: Rows of the record, each with all that it counts for.
Plan = Mapping[Row, Sequence[Share]]


class Reading:
    """Stretches of days in which rates of some clusters change on some days."""

    def __init__(
        self, stretches: Sequence[tuple[date, date]], boundaries: Mapping[int, tuple[date, ...]], today: date
    ) -> None:
        """A stretch is from its first day on and before its second; what is read for one serves those after it."""
        kept = today - timedelta(days=settings.CONSUMPTION_DAILY_DAYS - 2)  # pruned by a clock a day ahead
        plans = {days: _plan(stretches, days, kept, today) for days in {(), *boundaries.values()}}
        self.usual: Plan = plans[()]
        self.of_cluster = {cluster: plans[days] for cluster, days in boundaries.items()}
        self._parts = _alike(list(plans.values()))

    def wanted(self) -> list[Wanted]:
        """The rows that are read. Those that only some clusters need are read of their environments alone."""
        more: dict[Row, list[int]] = defaultdict(list)
        for cluster, plan in self.of_cluster.items():
            for row in plan.keys() - self.usual.keys():
                more[row].append(cluster)
        return [*map(Wanted, sorted(self.usual)), *(Wanted(row, tuple(more[row])) for row in sorted(more))]

    def part(self) -> Any:
        """An expression that numbers rows, such that those with one number count for the same."""
        whens = [
            When(within(pieces(rows)), then=Value(number)) for number, rows in enumerate(self._parts[1:], 1) if rows
        ]
        return Case(*whens, default=Value(0), output_field=IntegerField())

    def shares_of_part(self, cluster: int, part: int) -> Sequence[Share]:
        """What the rows with a number count for in a cluster."""
        return self.shares(cluster, self._parts[part][0])

    def shares(self, cluster: int, row: Row) -> Sequence[Share]:
        """What a row counts for in a cluster."""
        return self.of_cluster.get(cluster, self.usual).get(row, ())


def _plan(stretches: Sequence[tuple[date, date]], boundaries: Sequence[date], kept: date, today: date) -> Plan:
    plan: dict[Row, list[Share]] = defaultdict(list)
    for stretch, (start, until) in enumerate(stretches):
        inside = [day for day in boundaries if start < day < until]
        for first, last in pairwise([start, *inside, until]):
            for row, sign in fewest(first, last, plan.keys(), kept=kept, today=today).items():
                plan[row].append(Share(stretch, first, sign))
    return plan


def _alike(plans: Iterable[Plan]) -> list[list[Row]]:
    """Rows that count for the same in every plan; the most first."""
    plans = list(plans)
    found: dict[tuple[tuple[Share, ...], ...], list[Row]] = defaultdict(list)
    for row in {row for plan in plans for row in plan}:
        found[tuple(tuple(plan.get(row, ())) for plan in plans)].append(row)
    return sorted(found.values(), key=lambda rows: (-len(rows), min(rows)))
