"""Sums of consumption, computed by the database. The number of queries does not grow with the environments.

`sums_by_row` groups by day, week or month. PostgreSQL gets one SELECT and runs it in parallel. SQLite would check each
row against every part of the condition, read the environment (several pages) to find its group, and sort all rows. So
SQLite gets one SELECT for each day, week or month, all in one query, and calls a Python function for the group.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import batched
from operator import or_
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BigIntegerField, CharField, F, Func, IntegerField, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, NullIf

from environments.models import Consumption, Environment
from environments.models.environments import EnvironmentQuerySet
from environments.reports.spans import SpanRange, SpanRow, ranges_of
from environments.reports.units import RESOURCES, Resource

#: The columns that can be summed.
SUMS = ("seconds", *(name for each in RESOURCES for name in (each.reserved, each.used)))

Sums = dict[str, int]

SELECTS_PER_QUERY = 200  # SQLite allows 500
_FINE_GRAINED = ("pk", "owner")  # paths with nearly as many groups as environments

#: A row, its group (a value for each path), and the sums.
RowSums = tuple[SpanRow, tuple[Any, ...], Sums]


def within(ranges: Sequence[SpanRange], of: Q | None = None) -> Q:
    """Return the condition for rows in some ranges, limited to the rows that meet `of`, if given."""
    rows = (Q(span=each.span, start__gte=each.first, start__lt=each.until) for each in ranges)
    # One flat OR: SQLite uses the index for each part, but not for nested parts.
    return reduce(or_, (row if of is None else row & of for row in rows))


def consumption_of(environments: EnvironmentQuerySet) -> QuerySet[Consumption]:
    """Return the consumption rows of some environments: days, weeks and months.

    The OR with a condition that is never true makes PostgreSQL look environments up for the rows of the period.
    Without it PostgreSQL joins, reads the whole year of each environment, and takes more than ten times as long.
    """
    found = Consumption.objects.order_by()
    if not environments.query.where:
        return found
    return found.filter(Q(environment__in=environments.order_by()) | Q(seconds__lt=0))


def totals(
    environments: EnvironmentQuerySet, wanted: Q, by: Mapping[str, Any], names: Sequence[str] = SUMS
) -> dict[tuple[Any, ...], Sums]:
    """Return sums grouped by the expressions in `by`, such as {"key": F("environment")}, in one query."""
    return grouped_figures(environments, wanted, by, aggregates(names))


def aggregates(names: Sequence[str] = SUMS) -> dict[str, Any]:
    """Return a Sum for each column."""
    return {name: Sum(name) for name in names}


def peak_shares() -> dict[str, Any]:
    """Return an aggregate for each resource: the highest share of its quota that one environment used, per thousand.

    It is the peak of a row (a day, week or month) as a share of the row's average reservation.
    """
    return {each.key: Max(_peak_share(each)) for each in RESOURCES}


def _peak_share(each: Resource) -> Any:
    """Return peak / (reserved / seconds), rounded half up in integers so that both databases agree."""
    reserved = NullIf(F(each.reserved), Value(0, output_field=BigIntegerField()))
    return (F(each.peak) * F("seconds") * 2000 + F(each.reserved)) / (reserved * 2)


def add_up(sums: Iterable[Mapping[str, int]], names: Sequence[str] = SUMS) -> Sums:
    """Add sums up, column by column."""
    total = dict.fromkeys(names, 0)
    for each in sums:
        for name in names:
            total[name] += each[name]
    return total


def grouped_figures(
    environments: EnvironmentQuerySet, wanted: Q, by: Mapping[str, Any], figures: Mapping[str, Any]
) -> dict[tuple[Any, ...], Sums]:
    """Return figures (aggregates by name) grouped by the expressions in `by`, in one query.

    PostgreSQL returns decimals for sums of big integers, and NULL if there are no rows: all become integers.
    """
    found = consumption_of(environments).filter(wanted)
    keys = {f"by_{name}": path for name, path in by.items()}
    named = {f"all_{name}": figure for name, figure in figures.items()}
    if keys:
        lines: Iterable[tuple[Any, ...]] = found.values(**keys).annotate(**named).values_list(*keys, *named)
    else:
        lines = [tuple(found.aggregate(**named).values())]
    width = len(keys)
    return {
        tuple(line[:width]): {name: int(value or 0) for name, value in zip(figures, line[width:], strict=True)}
        for line in lines
    }


class Selection(NamedTuple):
    """The rows of one day, week or month, for all environments or for those on some clusters."""

    row: SpanRow
    clusters: tuple[int, ...] = ()


def condition(selections: Iterable[Selection]) -> Q:
    """Return one condition for all selected rows."""
    rows: dict[tuple[int, ...], list[SpanRow]] = defaultdict(list)
    for each in selections:
        rows[each.clusters].append(each.row)
    found = within(ranges_of(rows.pop((), [])))
    for clusters, some in rows.items():
        mine = Environment.objects.filter(cluster__in=clusters).order_by()
        found |= within(ranges_of(some), Q(environment__in=mine))
    return found


def is_faster_by_row(path: str) -> bool:
    """Whether it is faster to sum row by row than with one GROUP BY over the path."""
    return connection.vendor == "sqlite" and path not in _FINE_GRAINED


def sums_by_row(
    environments: EnvironmentQuerySet, selections: Sequence[Selection], paths: Sequence[str], figures: Mapping[str, Any]
) -> Iterator[RowSums]:
    """Yield figures (aggregates by name) of each selected row, grouped by paths from the environment."""
    if not selections:
        return
    if connection.vendor == "sqlite":
        groups = _SqliteGroups(environments, paths)
        for some in batched(selections, SELECTS_PER_QUERY, strict=False):
            yield from _sums_by_select(groups, some, figures)
        return
    by = {"span": F("span"), "start": F("start")}
    by |= {str(number): F(f"environment__{path}") for number, path in enumerate(paths)}
    for (span, start, *key), sums in grouped_figures(environments, condition(selections), by, figures).items():
        yield SpanRow(span, start), tuple(key), sums


def _sums_by_select(
    groups: "_SqliteGroups", selections: Sequence[Selection], figures: Mapping[str, Any]
) -> Iterator[RowSums]:
    named = {f"all_{name}": figure for name, figure in figures.items()}
    parts = [
        groups.rows(each)
        .values(number=Value(number, output_field=IntegerField()), group=groups.number)
        .annotate(**named)
        .values_list("number", "group", *named)
        for number, each in enumerate(selections)
    ]
    for number, group, *sums in parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]:
        if group is not None:
            line = {name: int(figure or 0) for name, figure in zip(figures, sums, strict=True)}
            yield selections[number].row, groups.keys[group], line


class _SqliteGroups:
    """The groups of some environments, numbered. SQLite calls functions that return the number for an environment."""

    number = Func(F("environment"), function="environment_group", output_field=IntegerField())
    cluster = Func(F("environment"), function="environment_cluster", output_field=IntegerField())

    def __init__(self, environments: EnvironmentQuerySet, paths: Sequence[str]) -> None:
        lines = environments.order_by().annotate(text=Cast("pk", CharField())).values_list("text", "cluster", *paths)
        numbers: dict[tuple[Any, ...], int] = {}
        number_of, cluster_of = dict[str, int](), dict[str, int]()
        for environment, cluster, *key in lines:
            number_of[environment] = numbers.setdefault(tuple(key), len(numbers))
            cluster_of[environment] = cluster
        self.keys, self.is_all = list(numbers), not environments.query.where
        connection.ensure_connection()
        connection.connection.create_function("environment_group", 1, number_of.get, deterministic=True)
        connection.connection.create_function("environment_cluster", 1, cluster_of.get, deterministic=True)

    def rows(self, selection: Selection) -> QuerySet[Consumption]:
        """Return the selected rows of these environments."""
        found = Consumption.objects.order_by().filter(span=selection.row.span, start=selection.row.start)
        if selection.clusters:
            return found.alias(cluster=self.cluster).filter(cluster__in=selection.clusters)
        return found if self.is_all else found.alias(of=self.number).filter(of__isnull=False)
