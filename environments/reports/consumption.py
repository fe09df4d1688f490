"""Sums over the record, made by the database in one query however many environments there are."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BigIntegerField, F, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import NullIf

from environments.models import Consumption
from environments.models.environments import EnvironmentQuerySet
from environments.reports.resources import RESOURCES, Resource
from environments.reports.spans import Piece

#: The columns that add up.
SUMS = ("seconds", *(name for each in RESOURCES for name in (each.reserved, each.used)))

Sums = dict[str, int]


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
