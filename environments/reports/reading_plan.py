"""Which consumption rows to read for some ranges of days, and what each row contributes to.

If a rate changes in the middle of a month, the plan reads the month's row and the rows for one part of the month; the
other part is the difference. So a change of rates adds only a few rows, for the clusters concerned.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When

from environments.reports.consumption import Selection, within
from environments.reports.spans import SpanRow, fewest_rows, ranges_of


@dataclass(frozen=True)
class Contribution:
    """A row contributes to one stretch, at the rate in force on a day; it is subtracted if the sign is -1."""

    stretch: int
    day: date
    sign: int


#: Rows, each with all its contributions.
Plan = Mapping[SpanRow, Sequence[Contribution]]


class ReadingPlan:
    """The rows to read for some stretches of days, during which the rates of some clusters change."""

    def __init__(
        self, stretches: Sequence[tuple[date, date]], boundaries: Mapping[int, tuple[date, ...]], today: date
    ) -> None:
        """A stretch is (first day, day after the last). Rows read for one stretch are reused for later ones."""
        # A clock that is a day ahead may already have pruned older rows.
        kept = today - timedelta(days=settings.CONSUMPTION_DAILY_DAYS - 2)
        plans = {days: _plan(stretches, days, kept, today) for days in {(), *boundaries.values()}}
        self.default: Plan = plans[()]
        self.by_cluster = {cluster: plans[days] for cluster, days in boundaries.items()}
        self._parts = _parts_of(list(plans.values()))

    def selections(self) -> list[Selection]:
        """Return the rows to read. Rows that only some clusters need are read only for their environments."""
        more: dict[SpanRow, list[int]] = defaultdict(list)
        for cluster, plan in self.by_cluster.items():
            for row in plan.keys() - self.default.keys():
                more[row].append(cluster)
        return [*map(Selection, sorted(self.default)), *(Selection(row, tuple(more[row])) for row in sorted(more))]

    def part_number(self) -> Any:
        """Return an expression that numbers rows, so that rows with the same number have the same contributions."""
        whens = [
            When(within(ranges_of(rows)), then=Value(number)) for number, rows in enumerate(self._parts[1:], 1) if rows
        ]
        return Case(*whens, default=Value(0), output_field=IntegerField())

    def contributions_of_part(self, cluster: int, part: int) -> Sequence[Contribution]:
        """Return what the rows with this part number contribute to in a cluster."""
        return self.contributions(cluster, self._parts[part][0])

    def contributions(self, cluster: int, row: SpanRow) -> Sequence[Contribution]:
        """Return what a row contributes to in a cluster."""
        return self.by_cluster.get(cluster, self.default).get(row, ())


def _plan(stretches: Sequence[tuple[date, date]], boundaries: Sequence[date], kept: date, today: date) -> Plan:
    plan: dict[SpanRow, list[Contribution]] = defaultdict(list)
    for stretch, (start, until) in enumerate(stretches):
        inside = [day for day in boundaries if start < day < until]
        for first, last in pairwise([start, *inside, until]):
            for row, sign in fewest_rows(first, last, plan.keys(), kept=kept, today=today).items():
                plan[row].append(Contribution(stretch, first, sign))
    return plan


def _parts_of(plans: Iterable[Plan]) -> list[list[SpanRow]]:
    """Group rows that have the same contributions in every plan, largest group first."""
    plans = list(plans)
    found: dict[tuple[tuple[Contribution, ...], ...], list[SpanRow]] = defaultdict(list)
    for row in {row for plan in plans for row in plan}:
        found[tuple(tuple(plan.get(row, ())) for plan in plans)].append(row)
    return sorted(found.values(), key=lambda rows: (-len(rows), min(rows)))
