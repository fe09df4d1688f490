"""The ways to group figures, and the name of each group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Case, Count, Q, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest, Least
from django.urls import reverse

from environments.models import Cluster, Team, Template, User
from environments.models.environments import EnvironmentQuerySet
from environments.reports.filters import NO_TEAM, Filters
from environments.reports.periods import Milliseconds, Period, midnight, milliseconds
from environments.reports.tables import Cell, Column, Kind, Link

#: Returns the cells that name each group, by the groups' keys.
Naming = Callable[[Filters, str, Sequence[Any]], dict[Any, tuple[Cell, ...]]]


@dataclass(frozen=True)
class Grouping:
    """One way to group environments: `path` leads from an environment to its group.

    `name(filters, slug, keys)` returns the cells of `columns` for each key. Links lead to the report `slug`.
    """

    key: str
    title: str
    path: str
    name: Naming
    columns: tuple[Column, ...]

    @property
    def consumption_path(self) -> str:
        """The path from a consumption row to the group."""
        return "environment" if self.path == "pk" else f"environment__{self.path}"


def _teams(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    teams = Team.objects.filter(pk__in=[key for key in keys if key]).values_list("pk", "name", "cost_centre")
    found: dict[Any, tuple[Cell, ...]] = {
        pk: (Link(name, filters.link(slug, team=pk, by="environment")), centre) for pk, name, centre in teams
    }
    return found | {None: (Link("No team", filters.link(slug, team=NO_TEAM, by="environment")), "")}


def _cost_centres(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    names = {None: "No team", "": "No cost centre"}
    return {key: (names.get(key, key),) for key in keys}


def _templates(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    rows = Template.objects.filter(pk__in=keys).values_list("pk", "name", "slug")
    return {pk: (Link(name, filters.link(slug, template=key, by="environment")),) for pk, name, key in rows}


def _clusters(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    rows = Cluster.objects.filter(pk__in=keys).values_list("pk", "name", "slug")
    return {pk: (Link(name, filters.link(slug, cluster=key, by="environment")),) for pk, name, key in rows}


def _owners(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    people = User.objects.filter(pk__in=keys).only("first_name", "last_name", "email")
    return {
        person.pk: (
            Link(str(person), filters.link(slug, owner=person.email, by="environment"), person.email),
            person.email,
        )
        for person in people
    }


def _environments(filters: Filters, slug: str, keys: Sequence[Any]) -> dict[Any, tuple[Cell, ...]]:
    paths = (
        "name",
        "namespace",
        "team__name",
        "team__cost_centre",
        "owner__email",
        "version__template__name",
        "cluster__name",
    )
    rows = filters.environments.order_by().filter(pk__in=keys).values_list("pk", *paths)
    return {
        pk: (
            Link(name, reverse("environment", args=[namespace]), namespace),
            namespace,
            team or "",
            centre or "",
            *rest,
        )
        for pk, name, namespace, team, centre, *rest in rows
    }


GROUPINGS = {
    each.key: each
    for each in (
        Grouping(
            "team",
            "Team",
            "team",
            _teams,
            (Column("Team", Kind.LINK), Column("Cost centre", is_only_exported=True)),
        ),
        Grouping("cost_centre", "Cost centre", "team__cost_centre", _cost_centres, (Column("Cost centre"),)),
        Grouping("template", "Template", "version__template", _templates, (Column("Template", Kind.LINK),)),
        Grouping("cluster", "Cluster", "cluster", _clusters, (Column("Cluster", Kind.LINK),)),
        Grouping(
            "owner",
            "Owner",
            "owner",
            _owners,
            (Column("Owner", Kind.LINK), Column("Email", is_only_exported=True)),
        ),
        Grouping(
            "environment",
            "Environment",
            "pk",
            _environments,
            (
                Column("Environment", Kind.LINK),
                Column("Namespace", is_only_exported=True),
                Column("Team"),
                Column("Cost centre", is_only_exported=True),
                Column("Owner", is_only_exported=True),
                Column("Template", is_only_exported=True),
                Column("Cluster", is_only_exported=True),
            ),
        ),
    )
}

#: The choices of a form field.
CHOICES = [(key, each.title) for key, each in GROUPINGS.items()]


@dataclass(frozen=True)
class EnvironmentTotals:
    """How many environments existed in a period, and for how many seconds they could have been observed."""

    count: int = 0
    seconds: int = 0


def environment_totals(
    environments: EnvironmentQuerySet, period: Period, now: datetime, path: str = ""
) -> dict[Any, EnvironmentTotals]:
    """Count the environments that existed in a period, by the group that `path` leads to; without it, all under None.

    Their seconds run from Ready until they are deleted, within the period and until now.
    """
    start, until = midnight(period.start), min(midnight(period.until), now)
    granted = environments.granted().order_by()
    there = granted.filter(Q(deleted_at=None) | Q(deleted_at__gte=start), created_at__lt=until)
    end = Least(Milliseconds(Coalesce("deleted_at", Value(until))), _value(until))
    length = end - Greatest(Milliseconds("ready_at"), _value(start))
    observable = When(Q(ready_at__lt=until) & (Q(deleted_at=None) | Q(deleted_at__gt=start)), then=length)
    figures = {
        "there": Count("pk"),
        "observable": Sum(Case(observable, default=Value(0), output_field=BigIntegerField())),
    }
    if not path:
        return {None: _totals(*there.aggregate(**figures).values())}
    lines = there.values(path).annotate(**figures).values_list(path, *figures)
    return {key: _totals(count, total) for key, count, total in lines}


def _totals(count: int, length: int | None) -> EnvironmentTotals:
    return EnvironmentTotals(count, max(0, int(length or 0)) // 1000)


def _value(moment: datetime) -> Value:
    return Value(milliseconds(moment), output_field=BigIntegerField())
