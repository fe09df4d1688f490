"""The cost report (showback): reserved hours at the rate in force at the time."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils import timezone

from environments.lib.charts import Units, bar_chart
from environments.models import Cluster
from environments.reports import units
from environments.reports.bills import Bill, Prices, all_prices, bill, bills, total
from environments.reports.filters import Filters, FiltersForm
from environments.reports.formats import on_page
from environments.reports.groups import CHOICES, GROUPINGS, EnvironmentTotals, Grouping, environment_totals
from environments.reports.tables import Column, Figure, Kind, Link, Report, Row, Rows, Table, compared
from environments.reports.units import CPU, RESOURCES

SLUG = "cost"
AMOUNT = Column("Cost", Kind.MONEY, missing="No rate")
_MOST_BARS = 12

EXPLANATION = (
    "Reserved hours are charged whether they are used or not, because a quota reserves capacity that no other "
    "environment can have. Only observed time is charged; the column “Observed” shows how much of the time that is.",
    "Each hour is charged at the rate in force at the time. Hours without a rate are not included in the amounts.",
    "Amounts are rounded once, half up, when they are shown. A total is rounded from the exact total, so it may differ "
    "from the sum of the rounded rows in the last digit. It is the same for every grouping.",
)


class CostForm(FiltersForm):
    """How to group costs."""

    own_fields: ClassVar[tuple[str, ...]] = ("by",)
    by = forms.ChoiceField(
        label="Group by",
        required=False,
        choices=CHOICES,
        initial="team",
        error_messages={"invalid_choice": "Unknown grouping. Grouped by team."},
    )


def build(filters: Filters) -> Report:
    """The report."""
    grouping, prices, now = GROUPINGS[filters.options["by"]], all_prices(), timezone.now()
    grouped_bills = list(bills(filters.environments, filters.period, prices, filters.today, grouping.path).items())
    environments = environment_totals(filters.environments, filters.period, now, grouping.path)
    before = bill(filters.environments, filters.period.previous(), prices, filters.today)
    total_bill = total(each for _, each in grouped_bills)
    table = _table(filters, grouping, grouped_bills, environments, total_bill)
    return Report(
        figures=_figures(total_bill, before),
        charts=[_chart(table, grouping)] if len(grouped_bills) > 1 and total_bill.total else [],
        tables=[table],
        explanation=EXPLANATION,
        notice=_notice(filters, prices) if total_bill.lacks_rate else "",
    )


def _figures(now: Bill, before: Bill) -> list[Figure]:
    figures = [compared("Cost", AMOUNT, now.amount(), before.amount())]
    for each in RESOURCES:
        if now.parts[each.key] or before.parts[each.key]:
            figures.append(compared(f"{each.title} cost", AMOUNT, now.amount(each.key), before.amount(each.key)))
    return figures


def _table(
    filters: Filters,
    grouping: Grouping,
    grouped_bills: Sequence[tuple[Any, Bill]],
    environments: dict[Any, EnvironmentTotals],
    total_bill: Bill,
) -> Table:
    lines = sorted(grouped_bills, key=lambda line: (-line[1].total, -line[1].seconds, str(line[0])))

    def make(some: Sequence[tuple[Any, Bill]]) -> Iterable[Row]:
        names = grouping.name(filters, SLUG, [key for key, _ in some])
        for key, each in some:
            yield (*names[key], *_cells(each, environments.get(key, EnvironmentTotals())))

    blank = [""] * (len(grouping.columns) - 1)
    all_environments = EnvironmentTotals(
        sum(each.count for each in environments.values()), sum(each.seconds for each in environments.values())
    )
    return Table(
        key="costs",
        title=f"Cost by {grouping.title.lower()}",
        columns=[*grouping.columns, *_columns(grouping, total_bill)],
        rows=Rows(lines, make),
        totals=("Total", *blank, *_cells(total_bill, all_environments)) if grouped_bills else None,
        empty="No usage was recorded in this period.",
    )


def _columns(grouping: Grouping, total_bill: Bill) -> list[Column]:
    """Return the columns. Resources without a reservation are only in the exports, whose columns never change."""
    return [
        Column("Environments", Kind.INTEGER, is_only_exported=grouping.path == "pk"),
        *(
            Column(each.title, Kind.MONEY, missing="No rate", is_only_exported=not _has(total_bill, each.key))
            for each in RESOURCES
        ),
        Column("Total", Kind.MONEY, missing="No rate"),
        Column(
            "CPU without a rate",
            Kind.DECIMAL,
            "core-hours",
            units.HOURS,
            is_only_exported=not total_bill.unpriced["cpu"],
        ),
        Column("Observed", Kind.PERCENT),
    ]


def _has(each: Bill, resource: str) -> bool:
    return bool(each.parts[resource] or each.unpriced[resource])


def _cells(each: Bill, environments: EnvironmentTotals) -> Row:
    seconds = max(environments.seconds, each.seconds)
    return (
        environments.count,
        *(each.amount(resource.key) for resource in RESOURCES),
        each.amount(),
        CPU.hours(each.unpriced["cpu"]),
        units.percent(each.seconds, seconds),
    )


def _chart(table: Table, grouping: Grouping) -> Any:
    """Return a chart of the groups with the highest cost, from the rows of the table."""
    at = next(number for number, column in enumerate(table.columns) if column.title == "Total")
    rows = table.rows[:_MOST_BARS]
    names = [row[0].text if isinstance(row[0], Link) else str(row[0]) for row in rows]
    links = [row[0].href if isinstance(row[0], Link) else "" for row in rows]
    count = len(table.rows)
    return bar_chart(
        "cost",
        "Cost" if count <= _MOST_BARS else f"Cost, top {_MOST_BARS} of {count}",
        grouping.title,
        [(name, [row[at]]) for name, row in zip(names, rows, strict=True)],  # type: ignore[list-item] # money
        [("Cost", "area")],
        Units(lambda value: on_page(AMOUNT, value, settings.CURRENCY)),
        links=links if any(links) else (),
    )


def _notice(filters: Filters, prices: Prices) -> str:
    """Return a sentence about the clusters that have no rate for a part of the period."""
    period = filters.period
    clusters = Cluster.objects.filter(environments__in=filters.environments).distinct()
    lacking = [cluster.name for cluster in clusters if prices.on(cluster.pk, period.start) is None]
    clusters_without = f": {', '.join(lacking)}" if lacking else ""
    return f"No rate for part of this period{clusters_without}. Hours without a rate are not included in the amounts."
