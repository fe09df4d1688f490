"""The report on reservation and usage: how much quotas reserved, and how much of it was used."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.db.models import F
from django.utils import timezone

from environments.lib.charts import Chart, Units, bar_chart
from environments.reports import units
from environments.reports.consumption import (
    SUMS,
    Selection,
    Sums,
    add_up,
    aggregates,
    grouped_figures,
    is_faster_by_row,
    peak_shares,
    sums_by_row,
    totals,
    within,
)
from environments.reports.filters import Filters, FiltersForm
from environments.reports.formats import on_page
from environments.reports.groups import CHOICES, GROUPINGS, EnvironmentTotals, Grouping, environment_totals
from environments.reports.spans import ranges_covering, rows_of
from environments.reports.tables import Column, Figure, Kind, Link, Report, Row, Rows, Table, compared
from environments.reports.units import RESOURCES, Resource

SLUG = "use"
_MOST_BARS = 10

#: A group and its figures.
GroupSums = tuple[Any, Sums]

EXPLANATION = (
    "Reserved hours are what the quotas allowed; used hours are what was in use. Both count observed time only, so a "
    "gap in the data counts as neither.",
    "Efficiency is used hours as a percentage of reserved hours. Peak is the highest usage of any one "
    "environment of the group, as a percentage of its own quota.",
    "Hours are rounded once, half up, when they are shown. A total is rounded from the exact total, so it may differ "
    "from the sum of the rounded rows in the last digit.",
)


class ReservationForm(FiltersForm):
    """How to group reservation and usage."""

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
    grouping = GROUPINGS[filters.options["by"]]
    lines = _lines(filters, grouping)
    total_sums = add_up(sums for _, sums in lines)
    before = _before(filters)
    environments = environment_totals(filters.environments, filters.period, timezone.now(), grouping.path)
    reserved = [each for each in RESOURCES if total_sums[each.reserved]]
    tables = [_summary(filters, grouping, lines, environments, total_sums)]
    tables += [_table(filters, grouping, each, lines) for each in reserved]
    return Report(
        figures=[figure for each in reserved for figure in _figures(each, total_sums, before)],
        charts=[_chart(grouping, each, table) for each, table in zip(reserved, tables[1:], strict=True)][:2]
        if len(lines) > 1
        else [],
        tables=tables,
        explanation=EXPLANATION,
    )


def _before(filters: Filters) -> Sums:
    """Return the sums of the period before."""
    start, until = filters.period.before
    return totals(filters.environments, within(ranges_covering(start, until, today=filters.today)), {})[()]


def _lines(filters: Filters, grouping: Grouping) -> list[GroupSums]:
    """Return each group with its sums and, under each resource's key, its highest share of a quota per thousand."""
    ranges = ranges_covering(filters.period.start, filters.period.until, today=filters.today)
    figures = aggregates() | peak_shares()
    found: dict[Any, Sums] = defaultdict(lambda: dict.fromkeys(figures, 0))
    if is_faster_by_row(grouping.path):
        wanted = list(map(Selection, rows_of(ranges)))
        for _, (key,), sums in sums_by_row(filters.environments, wanted, [grouping.path], figures):
            _join(found[key], sums)
    else:
        for (key,), sums in grouped_figures(
            filters.environments, within(ranges), {"key": F(grouping.consumption_path)}, figures
        ).items():
            found[key] = sums
    return sorted(found.items(), key=lambda line: str(line[0]))


def _join(line: Sums, more: Sums) -> None:
    for name in SUMS:
        line[name] += more[name]
    for each in RESOURCES:
        line[each.key] = max(line[each.key], more[each.key])


def _figures(each: Resource, now: Sums, before: Sums) -> list[Figure]:
    hours = Column("", Kind.DECIMAL, each.hours_unit, units.HOURS)
    reserved = compared(f"{each.title} reserved", hours, each.reserved_hours(now), each.reserved_hours(before))
    used = compared(f"{each.title} efficiency", Column("", Kind.PERCENT), each.efficiency(now), each.efficiency(before))
    return [reserved, used]


def _summary(
    filters: Filters,
    grouping: Grouping,
    lines: Sequence[GroupSums],
    environments: Mapping[Any, EnvironmentTotals],
    total_sums: Sums,
) -> Table:
    reserved = [each for each in RESOURCES if total_sums[each.reserved]]

    def cells(sums: Sums, exist: EnvironmentTotals) -> Row:
        seconds = max(exist.seconds, sums["seconds"])
        return (exist.count, *(each.efficiency(sums) for each in reserved), units.percent(sums["seconds"], seconds))

    def make(some: Sequence[GroupSums]) -> Iterable[Row]:
        names = grouping.name(filters, SLUG, [key for key, _ in some])
        for key, sums in some:
            yield (*names[key], *cells(sums, environments.get(key, EnvironmentTotals())))

    all_environments = EnvironmentTotals(
        sum(each.count for each in environments.values()), sum(each.seconds for each in environments.values())
    )
    return Table(
        key="efficiency",
        title=f"Efficiency by {grouping.title.lower()}",
        columns=[
            *grouping.columns,
            Column("Environments", Kind.INTEGER, is_only_exported=grouping.path == "pk"),
            *(Column(f"{each.title} efficiency", Kind.PERCENT) for each in reserved),
            Column("Observed", Kind.PERCENT),
        ],
        rows=Rows(_most_first(lines, RESOURCES[0]), make),
        totals=("Total", *_blank(grouping), *cells(total_sums, all_environments)) if lines else None,
        empty="No usage was recorded in this period.",
    )


def _table(
    filters: Filters,
    grouping: Grouping,
    each: Resource,
    lines: Sequence[GroupSums],
) -> Table:
    mine = [line for line in lines if line[1][each.reserved] or line[1][each.used]]

    def cells(sums: Sums, share: int) -> Row:
        reserved, used = sums[each.reserved], sums[each.used]
        hours = (each.hours(reserved), each.hours(used), each.hours(reserved - used))
        return (*hours, each.efficiency(sums), units.quotient(share, 10, units.SHARES))

    def make(some: Sequence[GroupSums]) -> Iterable[Row]:
        names = grouping.name(filters, SLUG, [key for key, _ in some])
        for key, sums in some:
            yield (*names[key], *cells(sums, sums[each.key]))

    sums, share = add_up(sums for _, sums in mine), max((sums[each.key] for _, sums in mine), default=0)

    hours = (Kind.DECIMAL, each.hours_unit, units.HOURS)
    return Table(
        key=each.key,
        title=each.title,
        columns=[
            *grouping.columns,
            Column("Reserved", *hours),
            Column("Used", *hours),
            Column("Unused", *hours),
            Column("Efficiency", Kind.PERCENT),
            Column("Peak", Kind.PERCENT),
        ],
        rows=Rows(_most_first(mine, each), make),
        totals=("Total", *_blank(grouping), *cells(sums, share)) if mine else None,
    )


def _most_first(lines: Sequence[GroupSums], each: Resource) -> list[GroupSums]:
    """Sort groups by what they reserved, the most first."""
    return sorted(lines, key=lambda line: (-line[1][each.reserved], -line[1]["seconds"]))


def _blank(grouping: Grouping) -> list[str]:
    return [""] * (len(grouping.columns) - 1)


def _chart(grouping: Grouping, each: Resource, table: Table) -> Chart:
    """Return a chart of the groups with the largest reservations, from the rows of the table."""
    rows, count = table.rows[:_MOST_BARS], len(table.rows)
    at = len(grouping.columns)
    links = [row[0].href if isinstance(row[0], Link) else "" for row in rows]
    which = "" if count <= _MOST_BARS else f", top {_MOST_BARS} of {count} by reservation"
    return bar_chart(
        f"chart-{each.key}",
        f"{each.title}{which}",
        grouping.title,
        [(row[0].text if isinstance(row[0], Link) else str(row[0]), row[at : at + 2]) for row in rows],  # type: ignore[misc] # hours
        [("Reserved", "soft"), ("Used", "area")],
        Units(lambda value: f"{on_page(table.columns[at], value, '')} {each.hours_unit}"),
        links=links if any(links) else (),
    )
