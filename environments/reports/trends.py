"""Weeks or months beside each other: environments, what was reserved and used, and what it cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
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
from environments.reports.spans import monday, next_month, next_week
from environments.reports.tables import Cell, Column, Figure, Kind, Report, Row, Rows, Table, growth
from environments.reports.units import CPU, MEMORY

SLUG = "trends"
COUNT = 12
_HOURS = Column("", Kind.DECIMAL, CPU.hours_unit, units.HOURS)
COST = Column("Cost", Kind.MONEY, missing="no rate")

EXPLANATION = (
    "A week begins on Monday; days are UTC's. Environments are those that existed at some time of it.",
    "Each line is compared with the one before it. The one under way is marked “so far” and compared with none: it "
    "lacks the days that are to come.",
    "Differences are those of the figures as they are shown. All figures are exact until then, and rounded once.",
)


class TrendsForm(FiltersForm):
    """Weeks or months, and how many."""

    own_fields: ClassVar[tuple[str, ...]] = ("by", "count")
    has_period: ClassVar[bool] = False
    by = forms.ChoiceField(
        required=False,
        choices=[("month", "Month"), ("week", "Week")],
        initial="month",
        error_messages={"invalid_choice": "Trends are told by week or by month. Here they are by month."},
    )
    count = forms.IntegerField(label="How many", required=False, min_value=2, max_value=26, initial=COUNT)


@dataclass(frozen=True)
class Bucket:
    """One week or month and its figures, as they are shown."""

    start: date
    until: date
    name: str
    is_running: bool
    environments: int
    created: int
    ended: int
    sums: Sums
    bill: Bill

    @property
    def label(self) -> str:
        """What a line of the table is called."""
        return f"{self.name}, so far" if self.is_running else self.name

    @property
    def cost(self) -> Cell:
        """What it cost."""
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
        tables=[_table(shown), _comparison(found)],
        explanation=EXPLANATION,
    )


def charts(shown: Sequence[Bucket]) -> list[Chart]:
    """What was reserved and used, and what it cost, where anything had a price."""
    return [use_chart(shown), *([cost_chart(shown)] if any(bucket.cost for bucket in shown) else [])]


def latest(today: date, by: str, count: int) -> list[tuple[date, date]]:
    """The last so many weeks or months, the one under way included, oldest first; each ends before the next begins."""
    starts = _starts(today, by, count)
    return list(pairwise([*starts, _after(by)(starts[-1])]))


def buckets(
    by: str,
    today: date,
    stretches: Sequence[tuple[date, date]],
    counted: Sequence[tuple[int, int, int]],
    figures: Sequence[tuple[Sums, Bill]],
) -> list[Bucket]:
    """Weeks or months with what was counted and summed up of each."""
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
    """Of each stretch of days: environments that existed, that were created, that ended; one query."""
    figures: dict[str, Any] = {}
    for number, (first, after) in enumerate(stretches):
        start, until = (datetime.combine(day, time(), UTC) for day in (first, after))
        alive = Q(created_at__lt=until) & (Q(deleted_at=None) | Q(deleted_at__gte=start))
        figures[f"there_{number}"] = Count("pk", filter=alive)
        figures[f"created_{number}"] = Count("pk", filter=Q(created_at__gte=start, created_at__lt=until))
        figures[f"ended_{number}"] = Count("pk", filter=Q(deleted_at__gte=start, deleted_at__lt=until))
    found = environments.granted().aggregate(**figures)
    kinds = ("there", "created", "ended")
    return [tuple(found[f"{kind}_{number}"] for kind in kinds) for number in range(len(stretches))]


def _figures(found: Sequence[Bucket]) -> list[Figure]:
    """The last complete one against the one before it."""
    complete = [bucket for bucket in found if not bucket.is_running]
    if len(complete) < 2:
        return []
    before, last = complete[-2:]
    said = last.name
    return [
        _figure(f"Environments, {said}", Column("", Kind.INTEGER), last.environments, before.environments),
        _figure("CPU reserved", _HOURS, CPU.reserved_hours(last.sums), CPU.reserved_hours(before.sums)),
        _figure("CPU used", _HOURS, CPU.used_hours(last.sums), CPU.used_hours(before.sums)),
        _figure("Cost", COST, last.cost, before.cost),
    ]


def _figure(label: str, column: Column, value: Cell, before: Cell) -> Figure:
    difference, percent = _compared(value, before)
    return Figure(label, value, column, before, difference, percent)


def _table(shown: Sequence[Bucket]) -> Table:
    return Table(
        key="trends",
        title="Newest first",
        columns=[
            Column("Period"),
            Column("Environments", Kind.INTEGER),
            Column("Created", Kind.INTEGER),
            Column("Ended", Kind.INTEGER),
            Column("CPU reserved", Kind.DECIMAL, CPU.hours_unit, units.HOURS),
            Column("CPU used", Kind.DECIMAL, CPU.hours_unit, units.HOURS),
            Column("Efficiency", Kind.PERCENT),
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
        bucket.ended,
        CPU.reserved_hours(bucket.sums),
        CPU.used_hours(bucket.sums),
        CPU.efficiency(bucket.sums),
        MEMORY.reserved_hours(bucket.sums),
        MEMORY.used_hours(bucket.sums),
        bucket.cost,
    )


#: What is compared: its name, how it is written, and where in a row of the first table it stands.
_COMPARED: tuple[tuple[str, Column, int], ...] = (
    ("Environments", Column("", Kind.INTEGER), 1),
    ("CPU reserved", _HOURS, 4),
    ("CPU used", _HOURS, 5),
    ("Cost", COST, 9),
)


def _comparison(found: Sequence[Bucket]) -> Table:
    columns = [Column("Period")]
    for name, kind, _ in _COMPARED:
        columns.append(Column(f"{name} ±", kind.kind, kind.unit, kind.digits))
        columns.append(Column(f"{name} growth", Kind.PERCENT))
    return Table(
        key="compared",
        title="Compared with the period before",
        columns=columns,
        rows=Rows([_difference(before, bucket) for before, bucket in reversed(list(pairwise(found)))]),
        note="Each line against the one before it; “so far” against none.",
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
    """Reserved and used core-hours."""
    return column_chart(
        "chart-use",
        "CPU reserved and used, core-hours",
        [_short(bucket) for bucket in shown],
        [
            ("Reserved", "soft", [CPU.reserved_hours(bucket.sums) for bucket in shown]),
            ("Used", "area", [CPU.used_hours(bucket.sums) for bucket in shown]),
        ],
        Units(lambda value: on_page(_HOURS, value, "")),
    )


def cost_chart(shown: Sequence[Bucket]) -> Chart:
    """Costs; where there was no rate there is no column."""
    values = [bucket.cost for bucket in shown]
    return column_chart(
        "chart-cost",
        "Cost",
        [_short(bucket) for bucket in shown],
        [("Cost", "area", values)],  # type: ignore[list-item] # money
        Units(lambda value: on_page(COST, value, settings.CURRENCY)),
    )


def _short(bucket: Bucket) -> str:
    name = f"{bucket.start:%b %Y}" if bucket.name.startswith(f"{bucket.start:%B}") else f"{bucket.start:%-d %b}"
    return f"{bucket.start:%b} …" if bucket.is_running else name
