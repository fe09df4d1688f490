"""What somebody has to look after: environments that failed, that lost their owner, that end soon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment, User
from environments.models.environments import EnvironmentQuerySet
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Column, Figure, Kind, Link, Report, Row, Rows, Table

SLUG = "attention"
DAYS = 14  # ahead, unless somebody asks for more
_COUNT = Column("", Kind.INTEGER)
_RELATED = ("owner", "team", "version__template", "cluster")
#: Only what is shown: an environment as a whole has its template's content with it.
_SHOWN = (
    "name",
    "namespace",
    "ends_at",
    "orphaned_at",
    "orphaned_why",
    "owner__email",
    "team__name",
    "version__template__name",
    "cluster__name",
)

EXPLANATION = (
    "It tells how things stand now, so it has no period.",
    "Failed: a step will not be tried again by itself; the owner can mend what it says and press “Try again”.",
    "Orphaned: the owner was found gone; a manager of the team may hand the environment over or delete it.",
    "Ending: unless the owner extends it, it is deleted with everything in it.",
)


class AttentionForm(FiltersForm):
    """How far ahead to look."""

    own_fields: ClassVar[tuple[str, ...]] = ("days",)
    has_period: ClassVar[bool] = False
    days = forms.IntegerField(label="Ending within (days)", required=False, min_value=1, max_value=366, initial=DAYS)


def build(filters: Filters) -> Report:
    """The report."""
    now, days = timezone.now(), int(filters.options["days"])
    kinds = {
        "failed": failed(filters.environments),
        "orphaned": orphaned(filters.environments),
        "ending": ending(filters.environments, now, days),
    }
    tables = [
        _table("failed", "Failed", kinds["failed"], _failed_rows(now), _columns("Failed since", "What it says")),
        _table("orphaned", "Orphaned", kinds["orphaned"], _orphaned_rows(now), _columns("Since", "Why")),
        _table("ending", f"Ending within {days} days", kinds["ending"], _ending_rows(now), _ending_columns()),
    ]
    figures = [
        Figure(table.title, len(table.rows), _COUNT, tone=tone if len(table.rows) else "", href=f"#{table.key}")
        for table, tone in zip(tables, ("bad", "warn", ""), strict=True)
    ]
    return Report(figures=figures, tables=tables, explanation=EXPLANATION)


def failed(environments: EnvironmentQuerySet) -> EnvironmentQuerySet:
    """Those that wait for a person, the longest first."""
    steps = Condition.objects.filter(environment=OuterRef("pk"), status=Status.FAILED).order_by("last_transition_at")
    since = Coalesce(Subquery(steps.values("last_transition_at")[:1]), "created_at")
    message = Subquery(steps.values("message")[:1])
    return environments.filter(phase=Phase.FAILED).annotate(since=since, failure=message).order_by("since", "pk")


def orphaned(environments: EnvironmentQuerySet) -> EnvironmentQuerySet:
    """Those whose owner is gone, the longest first."""
    return environments.live().filter(orphaned_at__isnull=False).order_by("orphaned_at", "pk")


def ending(environments: EnvironmentQuerySet, now: datetime, days: int) -> EnvironmentQuerySet:
    """Those whose end is near, the next first."""
    return environments.filter(wanted=True, ends_at__lt=now + timedelta(days=days)).order_by("ends_at", "pk")


def _table(key: str, title: str, found: EnvironmentQuerySet, make: Any, columns: Sequence[Column]) -> Table:
    empty = {"failed": "None has failed.", "orphaned": "Every one has its owner.", "ending": "None ends that soon."}
    return Table(key, title, columns, Rows(found.select_related(*_RELATED).only(*_SHOWN), make), empty=empty[key])


def _columns(since: str, why: str) -> list[Column]:
    return [
        *_ENVIRONMENT_COLUMNS,
        Column(since, Kind.MOMENT),
        Column("Days", Kind.INTEGER),
        Column(why, missing=""),
        Column("Speak to"),
    ]


def _ending_columns() -> list[Column]:
    return [*_ENVIRONMENT_COLUMNS, Column("Ends", Kind.MOMENT), Column("Days left", Kind.INTEGER), Column("Speak to")]


_ENVIRONMENT_COLUMNS = (
    Column("Environment", Kind.LINK),
    Column("Namespace", is_only_exported=True),
    Column("Team", missing="no team"),
    Column("Template", is_only_exported=True),
    Column("Cluster", is_only_exported=True),
)


def _environment_cells(row: Environment) -> Row:
    link = Link(row.name, reverse("environment", args=[row.namespace]), row.namespace)
    return (link, row.namespace, row.team.name if row.team else None, row.version.template.name, row.cluster.name)


def _failed_rows(now: datetime) -> Any:
    def make(some: Sequence[Any]) -> Iterable[Row]:
        for row in some:
            yield (*_environment_cells(row), row.since, (now - row.since).days, row.failure, row.owner.email)

    return make


def _orphaned_rows(now: datetime) -> Any:
    """Whom to speak to is the team's managers: the owner is gone."""

    def make(some: Sequence[Any]) -> Iterable[Row]:
        managers = _managers({row.team_id for row in some})
        for row in some:
            days = (now - row.orphaned_at).days
            who = ", ".join(managers[row.team_id]) or "a platform admin"
            yield (*_environment_cells(row), row.orphaned_at, days, row.orphaned_why, who)

    return make


def _ending_rows(now: datetime) -> Any:
    def make(some: Sequence[Any]) -> Iterable[Row]:
        for row in some:
            yield (
                *_environment_cells(row),
                row.ends_at,
                max(0, round((row.ends_at - now) / timedelta(days=1))),
                row.owner.email,
            )

    return make


def _managers(teams: set[int | None]) -> dict[int | None, list[str]]:
    found: dict[int | None, list[str]] = defaultdict(list)
    pairs = User.objects.filter(is_active=True, is_manager=True, managed_teams__in=teams - {None})
    for team, email in pairs.order_by("email").values_list("managed_teams", "email"):
        found[team].append(email)
    return found
