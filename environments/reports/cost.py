"""Showback: what was reserved, at the rate that was in force at the time."""

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
AMOUNT = Column("Cost", Kind.MONEY, missing="no rate")
_MOST_BARS = 12

EXPLANATION = (
    "Reserved hours are charged, used or not: what a quota holds, nobody else can have. Only time that was observed is "
    "charged; “observed” says how much of the time that was.",
    "Each hour has the price of the rate that was in force at the time. What had no rate is not in the amounts.",
    "Amounts are exact until they are shown, and rounded once, half up. A total is the rounded exact total, so the "
    "rounded lines above it may differ from it in the last digit; grouped another way, it is the same.",
)


class CostForm(FiltersForm):
    """By what the costs are told."""

    own_fields: ClassVar[tuple[str, ...]] = ("by",)
    by = forms.ChoiceField(
        required=False,
        choices=CHOICES,
        initial="team",
        error_messages={"invalid_choice": "Costs are not told by that. They are told by team instead."},
    )


def build(filters: Filters) -> Report:
    """The report."""
    grouping, prices, now = GROUPINGS[filters.options["by"]], all_prices(), timezone.now()
    found = list(bills(filters.environments, filters.period, prices, filters.today, grouping.path).items())
    there = environment_totals(filters.environments, filters.period, now, grouping.path)
    before = bill(filters.environments, filters.period.previous(), prices, filters.today)
    together = total(each for _, each in found)
    table = _table(filters, grouping, found, there, together)
    return Report(
        figures=_figures(together, before),
        charts=[_chart(table, grouping)] if len(found) > 1 and together.total else [],
        tables=[table],
        explanation=EXPLANATION,
        notice=_notice(filters, prices) if together.lacks_rate else "",
    )


def _figures(now: Bill, before: Bill) -> list[Figure]:
    figures = [compared("Cost", AMOUNT, now.amount(), before.amount())]
    for each in RESOURCES:
        if now.parts[each.key] or before.parts[each.key]:
            figures.append(compared(each.title, AMOUNT, now.amount(each.key), before.amount(each.key)))
    return figures


def _table(
    filters: Filters,
    grouping: Grouping,
    found: Sequence[tuple[Any, Bill]],
    there: dict[Any, EnvironmentTotals],
    together: Bill,
) -> Table:
    lines = sorted(found, key=lambda line: (-line[1].total, -line[1].seconds, str(line[0])))

    def make(some: Sequence[tuple[Any, Bill]]) -> Iterable[Row]:
        names = grouping.name(filters, SLUG, [key for key, _ in some])
        for key, each in some:
            yield (*names[key], *_cells(each, there.get(key, EnvironmentTotals())))

    blank = [""] * (len(grouping.columns) - 1)
    everything = EnvironmentTotals(
        sum(each.count for each in there.values()), sum(each.seconds for each in there.values())
    )
    return Table(
        key="costs",
        title=f"By {grouping.title.lower()}",
        columns=[*grouping.columns, *_columns(grouping, together)],
        rows=Rows(lines, make),
        totals=("Total", *blank, *_cells(together, everything)) if found else None,
        empty="Nothing was reserved in this period, or none of it was observed.",
    )


def _columns(grouping: Grouping, together: Bill) -> list[Column]:
    """What nobody had reserved is only in the exports, whose columns are always the same."""
    return [
        Column("Environments", Kind.INTEGER, is_only_exported=grouping.path == "pk"),
        *(
            Column(each.title, Kind.MONEY, missing="no rate", is_only_exported=not _has(together, each.key))
            for each in RESOURCES
        ),
        Column("Total", Kind.MONEY, missing="no rate"),
        Column(
            "Without a rate", Kind.DECIMAL, "core-hours", units.HOURS, is_only_exported=not together.unpriced["cpu"]
        ),
        Column("Observed", Kind.PERCENT),
    ]


def _has(each: Bill, resource: str) -> bool:
    return bool(each.parts[resource] or each.unpriced[resource])


def _cells(each: Bill, there: EnvironmentTotals) -> Row:
    seconds = max(there.seconds, each.seconds)
    return (
        there.count,
        *(each.amount(resource.key) for resource in RESOURCES),
        each.amount(),
        CPU.hours(each.unpriced["cpu"]),
        units.percent(each.seconds, seconds),
    )


def _chart(table: Table, grouping: Grouping) -> Any:
    """The dearest groups, from the table's own rows."""
    at = next(number for number, column in enumerate(table.columns) if column.title == "Total")
    rows = table.rows[:_MOST_BARS]
    names = [row[0].text if isinstance(row[0], Link) else str(row[0]) for row in rows]
    links = [row[0].href if isinstance(row[0], Link) else "" for row in rows]
    count = len(table.rows)
    return bar_chart(
        "cost",
        "Cost" if count <= _MOST_BARS else f"Cost, the {_MOST_BARS} highest of {count}",
        grouping.title,
        [(name, [row[at]]) for name, row in zip(names, rows, strict=True)],  # type: ignore[list-item] # money
        [("Cost", "area")],
        Units(lambda value: on_page(AMOUNT, value, settings.CURRENCY)),
        links=links if any(links) else (),
    )


def _notice(filters: Filters, prices: Prices) -> str:
    """Which clusters have no rate for some of the period."""
    period = filters.period
    clusters = Cluster.objects.filter(environments__in=filters.environments).distinct()
    lacking = [cluster.name for cluster in clusters if prices.on(cluster.pk, period.start) is None]
    which = ", ".join(lacking) or "A cluster"
    return f"{which}: for some of this period there is no rate, so its hours are not in the amounts."
