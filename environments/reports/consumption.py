"""Sums over the record, made by the database in one query however many environments there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BigIntegerField, Case, F, IntegerField, Max, Q, QuerySet, Sum, Value, When

from environments.models import Consumption
from environments.models.environments import EnvironmentQuerySet
from environments.reports.resources import RESOURCES
from environments.reports.spans import Piece

#: The columns that add up.
SUMS = ("seconds", *(name for each in RESOURCES for name in (each.reserved, each.used)))

Sums = dict[str, int]


@dataclass(frozen=True)
class Selection:
    """Rows of the record: those that count, and those of them that are taken away."""

    rows: Q
    away: Q | None = None

    def __or__(self, other: "Selection") -> "Selection":
        parts = [each for each in (self.away, other.away) if each is not None]
        return Selection(self.rows | other.rows, reduce(or_, parts) if parts else None)

    def sum(self, name: str) -> Sum:
        """The sum of a column over them."""
        if self.away is None:
            return Sum(name)
        return Sum(Case(When(self.away, then=-F(name)), default=F(name), output_field=BigIntegerField()))


def select(pieces: Sequence[Piece], of: Q | None = None) -> Selection:
    """The rows that pieces stand for, of those environments that `of` says (a condition on a row)."""
    away = [_rows(piece, of) for piece in pieces if piece.sign < 0]
    return Selection(reduce(or_, (_rows(piece, of) for piece in pieces)), reduce(or_, away) if away else None)


def record(environments: EnvironmentQuerySet) -> QuerySet[Consumption]:
    """The record of some environments, days and months alike."""
    found = Consumption.objects.order_by()
    return found.filter(environment__in=environments.order_by()) if environments.query.where else found


def totals(
    environments: EnvironmentQuerySet, selection: Selection, by: Mapping[str, Any], names: Sequence[str] = SUMS
) -> dict[tuple[Any, ...], Sums]:
    """Sums by what `by` names, such as {"team": F("environment__team")}: one query."""
    return _grouped(environments, selection, by, {name: selection.sum(name) for name in names})


def peaks(
    environments: EnvironmentQuerySet, selection: Selection, by: Mapping[str, Any]
) -> dict[tuple[Any, ...], Sums]:
    """The greatest use by what `by` names, in the units of the record: one query."""
    return _grouped(environments, selection, by, {each.peak: Max(each.peak) for each in RESOURCES})


def segment(boundaries: Iterable[date]) -> Any:
    """How many of the boundaries a row's start has reached: rows with the same number have the same rate."""
    days = sorted(set(boundaries))
    whens = [When(start__gte=day, then=Value(number)) for number, day in reversed(list(enumerate(days, 1)))]
    return Case(*whens, default=Value(0), output_field=IntegerField())


def add(sums: Iterable[Mapping[str, int]], names: Sequence[str] = SUMS) -> Sums:
    """Sums added up."""
    total = dict.fromkeys(names, 0)
    for each in sums:
        for name in names:
            total[name] += each[name]
    return total


def _rows(piece: Piece, of: Q | None) -> Q:
    rows = Q(span=piece.span, start__gte=piece.first, start__lt=piece.until)
    return rows if of is None else rows & of


def _grouped(
    environments: EnvironmentQuerySet, selection: Selection, by: Mapping[str, Any], figures: Mapping[str, Any]
) -> dict[tuple[Any, ...], Sums]:
    """PostgreSQL's sums of big integers are decimals, and without rows there is none: all are made integers."""
    found = record(environments).filter(selection.rows)
    keys = {f"by_{name}": path for name, path in by.items()}
    named = {f"all_{name}": figure for name, figure in figures.items()}
    if keys:
        lines = found.values(**keys).annotate(**named).values_list(*keys, *named)
    else:
        lines = [tuple(found.aggregate(**named).values())]
    width = len(keys)
    return {
        tuple(line[:width]): {name: int(value or 0) for name, value in zip(figures, line[width:], strict=True)}
        for line in lines
    }
