"""The attention report: environments that failed, lost their owner, or expire soon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment, User
from environments.models.environments import EnvironmentQuerySet
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Column, Figure, Kind, Link, Report, Row, Rows, Table

SLUG = "attention"
DAYS = 14  # the default for environments that expire soon
_SHORT_LIFE = 14  # days: what lives no longer is always about to expire
_COUNT = Column("", Kind.INTEGER)
_RELATED = ("owner", "team", "version__template", "cluster")
#: Only the columns that are shown: a whole environment includes its template's content.
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
    "Shows the current state.",
    "Failed: a step failed. The owner can fix what the message says and select “Try again now”. "
    "The portal also retries automatically.",
    "Orphaned: the owner's account no longer exists. A manager of the team can transfer the environment to a new owner "
    "or delete it.",
    "Expiring: unless the owner extends the environment, it is deleted with everything in it. Environments made "
    "for 14 days or less are left out.",
)


class AttentionForm(FiltersForm):
    """How far ahead to look for environments that expire."""

    own_fields: ClassVar[tuple[str, ...]] = ("days",)
    has_period: ClassVar[bool] = False
    days = forms.IntegerField(label="Expires within (days)", required=False, min_value=1, max_value=366, initial=DAYS)


def build(filters: Filters) -> Report:
    """The report."""
    now, days = timezone.now(), int(filters.options["days"])
    kinds = {
        "failed": failed(filters.environments),
        "orphaned": orphaned(filters.environments),
        "ending": ending(filters.environments, now, days),
    }
    tables = [
        _table("failed", "Failed", kinds["failed"], _failed_rows(now), _columns("Failed since", "Message")),
        _table("orphaned", "Orphaned", kinds["orphaned"], _orphaned_rows(now), _columns("Orphaned since", "Reason")),
        _table("ending", f"Expiring within {days} days", kinds["ending"], _ending_rows(now), _ending_columns()),
    ]
    figures = [
        Figure(table.title, len(table.rows), _COUNT, tone=tone if len(table.rows) else "", href=f"#{table.key}")
        for table, tone in zip(tables, ("bad", "warn", ""), strict=True)
    ]
    return Report(figures=figures, tables=tables, explanation=EXPLANATION)


def failed(environments: EnvironmentQuerySet) -> EnvironmentQuerySet:
    """Return failed environments, the longest failed first."""
    steps = Condition.objects.filter(environment=OuterRef("pk"), status=Status.FAILED).order_by("last_transition_at")
    since = Coalesce(Subquery(steps.values("last_transition_at")[:1]), "created_at")
    message = Subquery(steps.values("message")[:1])
    return environments.filter(phase=Phase.FAILED).annotate(since=since, failure=message).order_by("since", "pk")


def orphaned(environments: EnvironmentQuerySet) -> EnvironmentQuerySet:
    """Return environments whose owner is gone, the longest orphaned first."""
    return environments.live().filter(orphaned_at__isnull=False).order_by("orphaned_at", "pk")


def ending(environments: EnvironmentQuerySet, now: datetime, days: int) -> EnvironmentQuerySet:
    """Return environments that expire within some days, the next first; without those made for two weeks or less."""
    # First what is cheap to compare: SQLite adds days to a time in Python, row by row.
    soon = environments.filter(wanted=True, ends_at__lt=now + timedelta(days=days))
    return soon.filter(ends_at__gt=F("created_at") + timedelta(days=_SHORT_LIFE)).order_by("ends_at", "pk")


def _table(key: str, title: str, found: EnvironmentQuerySet, make: Any, columns: Sequence[Column]) -> Table:
    empty = {
        "failed": "No failures.",
        "orphaned": "No orphaned environments.",
        "ending": "No environments expire in this time.",
    }
    return Table(key, title, columns, Rows(found.select_related(*_RELATED).only(*_SHOWN), make), empty=empty[key])


def _columns(since: str, why: str) -> list[Column]:
    return [
        *_ENVIRONMENT_COLUMNS,
        Column(since, Kind.MOMENT, "UTC"),
        Column("Days", Kind.INTEGER),
        Column(why, missing=""),
        Column("Contact"),
    ]


def _ending_columns() -> list[Column]:
    return [
        *_ENVIRONMENT_COLUMNS,
        Column("Expires", Kind.MOMENT, "UTC"),
        Column("Days left", Kind.INTEGER),
        Column("Contact"),
    ]


_ENVIRONMENT_COLUMNS = (
    Column("Environment", Kind.LINK),
    Column("Namespace", is_only_exported=True),
    Column("Team", missing="No team"),
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
    """The contacts are the team's managers, because the owner is gone."""

    def make(some: Sequence[Any]) -> Iterable[Row]:
        managers = _managers({row.team_id for row in some})
        for row in some:
            days = (now - row.orphaned_at).days
            who = ", ".join(managers[row.team_id]) or "Platform admins"
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
