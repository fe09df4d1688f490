"""Sums over the record, made by the database: few queries, however many environments there are.

By day, week or month: PostgreSQL is asked in one SELECT, which it shares out among its workers. SQLite looks each row
up in every part of a condition, reads the environment (several pages) for what it is grouped by, and sorts all rows. So
it is asked in a SELECT for each day, week or month, all in one query, and is told the group: it runs in this process
and can ask.
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
from environments.reports.spans import Piece, Row, pieces
from environments.reports.units import RESOURCES, Resource

#: The columns that add up.
SUMS = ("seconds", *(name for each in RESOURCES for name in (each.reserved, each.used)))

Sums = dict[str, int]

_MOST = 200  # SELECTs in a query; SQLite takes 500
_MANY = ("pk", "owner")  # paths that lead to nearly as many things as there are environments

#: A row, what the paths lead to, and the figures.
Line = tuple[Row, tuple[Any, ...], Sums]


def within(pieces: Sequence[Piece], of: Q | None = None) -> Q:
    """The rows that pieces stand for, of those environments that `of` says (a condition on a row)."""
    rows = (Q(span=piece.span, start__gte=piece.first, start__lt=piece.until) for piece in pieces)
    # One flat OR: SQLite looks each part up in the index, but not where parts are nested.
    return reduce(or_, (row if of is None else row & of for row in rows))


def record(environments: EnvironmentQuerySet) -> QuerySet[Consumption]:
    """The record of some environments: days, weeks and months alike.

    Beside a condition that is never true, PostgreSQL keeps “one of these environments” as a look-up among the rows of
    the period. Alone it becomes a join that reads the whole year of each environment: ten times the time and more.
    """
    found = Consumption.objects.order_by()
    if not environments.query.where:
        return found
    return found.filter(Q(environment__in=environments.order_by()) | Q(seconds__lt=0))


def totals(
    environments: EnvironmentQuerySet, wanted: Q, by: Mapping[str, Any], names: Sequence[str] = SUMS
) -> dict[tuple[Any, ...], Sums]:
    """Sums by what `by` names, such as {"key": F("environment")}: one query."""
    return grouped(environments, wanted, by, aggregates(names))


def aggregates(names: Sequence[str] = SUMS) -> dict[str, Any]:
    """The sums of columns."""
    return {name: Sum(name) for name in names}


def shares() -> dict[str, Any]:
    """By resource an aggregate: the highest share of its quota that any one environment reached, per thousand.

    Reached on a day, or in a week or month where rows of such are read; against what was reserved then, on average.
    """
    return {each.key: Max(_peak_share(each)) for each in RESOURCES}


def _peak_share(each: Resource) -> Any:
    """Half up, in integers, so that both databases agree: peak / (reserved / seconds)."""
    reserved = NullIf(F(each.reserved), Value(0, output_field=BigIntegerField()))
    return (F(each.peak) * F("seconds") * 2000 + F(each.reserved)) / (reserved * 2)


def add(sums: Iterable[Mapping[str, int]], names: Sequence[str] = SUMS) -> Sums:
    """Sums added up."""
    total = dict.fromkeys(names, 0)
    for each in sums:
        for name in names:
            total[name] += each[name]
    return total


def grouped(
    environments: EnvironmentQuerySet, wanted: Q, by: Mapping[str, Any], figures: Mapping[str, Any]
) -> dict[tuple[Any, ...], Sums]:
    """Figures (aggregates by name) by what `by` names: one query.

    PostgreSQL's sums of big integers are decimals, and without rows there is none: all are made integers.
    """
    found = record(environments).filter(wanted)
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


class Wanted(NamedTuple):
    """The rows of one day, week or month: of all environments, or of those on some clusters."""

    row: Row
    clusters: tuple[int, ...] = ()


def condition(wanted: Iterable[Wanted]) -> Q:
    """The rows that are wanted, as one condition."""
    rows: dict[tuple[int, ...], list[Row]] = defaultdict(list)
    for each in wanted:
        rows[each.clusters].append(each.row)
    found = within(pieces(rows.pop((), [])))
    for clusters, some in rows.items():
        mine = Environment.objects.filter(cluster__in=clusters).order_by()
        found |= within(pieces(some), Q(environment__in=mine))
    return found


def is_by_row(path: str) -> bool:
    """Whether sums by what a path leads to are had sooner row by row than in one line for each."""
    return connection.vendor == "sqlite" and path not in _MANY


def by_row(
    environments: EnvironmentQuerySet, wanted: Sequence[Wanted], paths: Sequence[str], figures: Mapping[str, Any]
) -> Iterator[Line]:
    """The figures (aggregates by name) of each row that is wanted, by what paths lead to from an environment."""
    if not wanted:
        return
    if connection.vendor == "sqlite":
        groups = _Groups(environments, paths)
        for some in batched(wanted, _MOST, strict=False):
            yield from _one_by_one(groups, some, figures)
        return
    by = {"span": F("span"), "start": F("start")}
    by |= {str(number): F(f"environment__{path}") for number, path in enumerate(paths)}
    for (span, start, *key), sums in grouped(environments, condition(wanted), by, figures).items():
        yield Row(span, start), tuple(key), sums


def _one_by_one(groups: "_Groups", wanted: Sequence[Wanted], figures: Mapping[str, Any]) -> Iterator[Line]:
    named = {f"all_{name}": figure for name, figure in figures.items()}
    parts = [
        groups.rows(each)
        .values(number=Value(number, output_field=IntegerField()), group=groups.number)
        .annotate(**named)
        .values_list("number", "group", *named)
        for number, each in enumerate(wanted)
    ]
    for number, group, *sums in parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]:
        if group is not None:
            line = {name: int(figure or 0) for name, figure in zip(figures, sums, strict=True)}
            yield wanted[number].row, groups.keys[group], line


class _Groups:
    """What paths lead to from some environments, numbered, for SQLite to ask by a row's environment."""

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

    def rows(self, wanted: Wanted) -> QuerySet[Consumption]:
        """Those that are wanted, of these environments."""
        found = Consumption.objects.order_by().filter(span=wanted.row.span, start=wanted.row.start)
        if wanted.clusters:
            return found.alias(cluster=self.cluster).filter(cluster__in=wanted.clusters)
        return found if self.is_all else found.alias(of=self.number).filter(of__isnull=False)
