"""Trends: environments, reservation, usage and cost of the last weeks or months."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.db.models import Count, Q

from environments.lib.charts import Chart, Units, column_chart
from environments.models.environments import EnvironmentQuerySet
from environments.reports import units
from environments.reports.bills import Bill, all_prices, by_stretch
from environments.reports.consumption import Sums
from environments.reports.filters import Filters, FiltersForm
from environments.reports.formats import on_page
from environments.reports.periods import midnight
from environments.reports.spans import monday, next_month, next_week
from environments.reports.tables import Cell, Column, Figure, Kind, Report, Row, Rows, Table, growth
from environments.reports.units import CPU, MEMORY

SLUG = "trends"
COUNT = 12
_HOURS = Column("", Kind.DECIMAL, CPU.hours_unit, units.HOURS)
COST = Column("Cost", Kind.MONEY, missing="No rate")

EXPLANATION = (
    "Weeks begin on Monday, in UTC. Environments are those that existed at any time in the period.",
    "Each period is compared with the one before it. The current period, marked “so far”, is not compared because it "
    "is incomplete.",
    "Changes are calculated from the figures as shown. Figures are rounded once, when they are shown.",
)


class TrendsForm(FiltersForm):
    """Weeks or months, and the number of periods."""

    own_fields: ClassVar[tuple[str, ...]] = ("by", "count")
    has_period: ClassVar[bool] = False
    by = forms.ChoiceField(
        label="Period length",
        required=False,
        choices=[("month", "Month"), ("week", "Week")],
        initial="month",
        error_messages={"invalid_choice": "Unknown period length. Showing months."},
    )
    count = forms.IntegerField(label="Number of periods", required=False, min_value=2, max_value=26, initial=COUNT)


@dataclass(frozen=True)
class Bucket:
    """A week or month with its figures."""

    start: date
    until: date
    name: str
    is_running: bool
    environments: int
    created: int
    deleted: int
    sums: Sums
    bill: Bill

    @property
    def label(self) -> str:
        """The name in tables; an incomplete period is marked."""
        return f"{self.name}, so far" if self.is_running else self.name

    @property
    def cost(self) -> Cell:
        """The cost, or None without a rate."""
        return self.bill.amount()


def build(filters: Filters) -> Report:
    """The report."""
    by = str(filters.options["by"])
    stretches = latest(filters.today, by, int(filters.options["count"]) + 1)
    figures = by_stretch(filters.environments, stretches, all_prices(), filters.today)
    found = buckets(by, filters.today, stretches, counts(filters.environments, stretches), figures)
    shown = found[1:]
    return Report(
        figures=_figures(found),
        charts=charts(shown) if any(bucket.environments for bucket in shown) else [],
        tables=[_table(shown), _comparison(found, by)],
        explanation=EXPLANATION,
    )


def charts(shown: Sequence[Bucket]) -> list[Chart]:
    """Return the charts of CPU hours and, if anything had a price, of cost."""
    return [use_chart(shown), *([cost_chart(shown)] if any(bucket.cost for bucket in shown) else [])]


def latest(today: date, by: str, count: int) -> list[tuple[date, date]]:
    """Return (first day, day after the last) of the last weeks or months, oldest first, the current one included."""
    starts = _starts(today, by, count)
    return list(pairwise([*starts, _after(by)(starts[-1])]))


def buckets(
    by: str,
    today: date,
    stretches: Sequence[tuple[date, date]],
    counted: Sequence[tuple[int, int, int]],
    figures: Sequence[tuple[Sums, Bill]],
) -> list[Bucket]:
    """Combine stretches of days with their counts and sums into buckets."""
    return [
        Bucket(
            start,
            until,
            f"{start:%B %Y}" if by == "month" else f"Week of {start:%-d %B %Y}",
            until > today,
            *counted[number],
            *figures[number],
        )
        for number, (start, until) in enumerate(stretches)
    ]


def _starts(today: date, by: str, count: int) -> list[date]:
    first = today.replace(day=1) if by == "month" else monday(today)
    found = [first]
    while len(found) < count:
        before = found[-1] - timedelta(days=1)
        found.append(before.replace(day=1) if by == "month" else monday(before))
    return found[::-1]


def _after(by: str) -> Callable[[date], date]:
    return next_month if by == "month" else next_week


def counts(environments: EnvironmentQuerySet, stretches: Sequence[tuple[date, date]]) -> list[tuple[int, int, int]]:
    """Count, for each stretch of days, the environments that existed, were created, and were deleted, in one query."""
    figures: dict[str, Any] = {}
    for number, (first, after) in enumerate(stretches):
        start, until = (midnight(day) for day in (first, after))
        alive = Q(created_at__lt=until) & (Q(deleted_at=None) | Q(deleted_at__gte=start))
        figures[f"existed_{number}"] = Count("pk", filter=alive)
        figures[f"created_{number}"] = Count("pk", filter=Q(created_at__gte=start, created_at__lt=until))
        figures[f"deleted_{number}"] = Count("pk", filter=Q(deleted_at__gte=start, deleted_at__lt=until))
    found = environments.granted().aggregate(**figures)
    kinds = ("existed", "created", "deleted")
    return [tuple(found[f"{kind}_{number}"] for kind in kinds) for number in range(len(stretches))]


def _figures(found: Sequence[Bucket]) -> list[Figure]:
    """Compare the last complete period with the one before it."""
    complete = [bucket for bucket in found if not bucket.is_running]
    if len(complete) < 2:
        return []
    before, last = complete[-2:]
    name = last.name
    return [
        _figure(f"Environments, {name}", Column("", Kind.INTEGER), last.environments, before.environments),
        _figure(f"CPU reserved, {name}", _HOURS, CPU.reserved_hours(last.sums), CPU.reserved_hours(before.sums)),
        _figure(f"CPU used, {name}", _HOURS, CPU.used_hours(last.sums), CPU.used_hours(before.sums)),
        _figure(f"Cost, {name}", COST, last.cost, before.cost),
    ]


def _figure(label: str, column: Column, value: Cell, before: Cell) -> Figure:
    difference, percent = _compared(value, before)
    return Figure(label, value, column, before, difference, percent)


def _table(shown: Sequence[Bucket]) -> Table:
    return Table(
        key="trends",
        title="Figures by period",
        columns=[
            Column("Period"),
            Column("Environments", Kind.INTEGER),
            Column("Created", Kind.INTEGER),
            Column("Deleted", Kind.INTEGER),
            Column("CPU reserved", Kind.DECIMAL, CPU.hours_unit, units.HOURS),
            Column("CPU used", Kind.DECIMAL, CPU.hours_unit, units.HOURS),
            Column("CPU efficiency", Kind.PERCENT),
            Column("Memory reserved", Kind.DECIMAL, MEMORY.hours_unit, units.HOURS),
            Column("Memory used", Kind.DECIMAL, MEMORY.hours_unit, units.HOURS),
            COST,
        ],
        rows=Rows([_row(bucket) for bucket in reversed(shown)]),
    )


def _row(bucket: Bucket) -> Row:
    return (
        bucket.label,
        bucket.environments,
        bucket.created,
        bucket.deleted,
        CPU.reserved_hours(bucket.sums),
        CPU.used_hours(bucket.sums),
        CPU.efficiency(bucket.sums),
        MEMORY.reserved_hours(bucket.sums),
        MEMORY.used_hours(bucket.sums),
        bucket.cost,
    )


#: What is compared: its name, its column type, and its index in a row of the first table.
_COMPARED: tuple[tuple[str, Column, int], ...] = (
    ("Environments", Column("", Kind.INTEGER), 1),
    ("CPU reserved", _HOURS, 4),
    ("CPU used", _HOURS, 5),
    ("Cost", COST, 9),
)


def _comparison(found: Sequence[Bucket], by: str) -> Table:
    columns = [Column("Period")]
    for name, kind, _ in _COMPARED:
        columns.append(Column(f"{name} change", kind.kind, kind.unit, kind.digits))
        columns.append(Column(f"{name} growth", Kind.PERCENT))
    return Table(
        key="compared",
        title="Change from period before",
        columns=columns,
        rows=Rows([_difference(before, bucket) for before, bucket in reversed(list(pairwise(found)))]),
        note=f"The current {by} is not compared.",
    )


def _difference(before: Bucket, bucket: Bucket) -> Row:
    cells: list[Cell] = [bucket.label]
    new, old = _row(bucket), _row(before)
    for _, _, at in _COMPARED:
        cells += (None, None) if bucket.is_running else _compared(new[at], old[at])
    return cells


def _compared(value: Cell, before: Cell) -> tuple[Cell, Decimal | None]:
    if not isinstance(value, int | Decimal) or not isinstance(before, int | Decimal):
        return None, None
    return value - before, growth(value, before)


def use_chart(shown: Sequence[Bucket]) -> Chart:
    """Return the chart of reserved and used core-hours."""
    return column_chart(
        "chart-use",
        "CPU reserved and used (core-hours)",
        [_short(bucket) for bucket in shown],
        [
            ("Reserved", "soft", [CPU.reserved_hours(bucket.sums) for bucket in shown]),
            ("Used", "area", [CPU.used_hours(bucket.sums) for bucket in shown]),
        ],
        Units(lambda value: on_page(_HOURS, value, "")),
        names=[bucket.label for bucket in shown],
    )


def cost_chart(shown: Sequence[Bucket]) -> Chart:
    """Return the chart of costs; a period without a rate has no column."""
    values = [bucket.cost for bucket in shown]
    return column_chart(
        "chart-cost",
        "Cost",
        [_short(bucket) for bucket in shown],
        [("Cost", "area", values)],  # type: ignore[list-item] # money
        Units(lambda value: on_page(COST, value, settings.CURRENCY)),
        names=[bucket.label for bucket in shown],
    )


def _short(bucket: Bucket) -> str:
    """Return the label below a chart's column."""
    is_month = bucket.start.day == 1 and bucket.until == next_month(bucket.start)
    name = f"{bucket.start:%b %Y}" if is_month else f"{bucket.start:%-d %b}"
    return "So far" if bucket.is_running else name
