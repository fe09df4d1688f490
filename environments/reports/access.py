"""The access review: who has access to what, since when, granted by whom, and whether the cluster confirmed it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.urls import reverse

from environments.lib.phases import Role
from environments.models import Member, Team
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Cell, Column, Figure, Kind, Link, Report, Row, Rows, Table

SLUG = "access"
_COUNT = Column("", Kind.INTEGER)

EXPLANATION = (
    "It tells how things stand now, of environments that are not deleted, so it has no period.",
    "Proven means that the cluster was asked, as this person, for what their role promises, and said yes. “Outside” is "
    "access of somebody who is neither in the environment's team nor manages it.",
    "Access that is being taken away is still listed until the directory has confirmed it.",
)


class AccessForm(FiltersForm):
    """By person or by environment, and whose."""

    own_fields: ClassVar[tuple[str, ...]] = ("by", "only")
    has_period: ClassVar[bool] = False
    by = forms.ChoiceField(
        label="Sorted by",
        required=False,
        choices=[("person", "Person"), ("environment", "Environment")],
        initial="person",
        error_messages={"invalid_choice": "The list is sorted by person or by environment."},
    )
    only = forms.ChoiceField(
        label="Only",
        required=False,
        choices=[("", "All access"), ("outside", "Outside the team"), ("unproven", "Not proven"), ("admin", "Admins")],
        initial="",
        error_messages={"invalid_choice": "There is no such choice. All access is shown instead."},
    )


def build(filters: Filters) -> Report:
    """The report."""
    members = _members(filters)
    figures = members.aggregate(
        people=Count(Lower("email"), distinct=True),
        access=Count("pk"),
        admins=Count("pk", filter=Q(role=Role.ADMIN)),
        unproven=Count("pk", filter=_NOT_VERIFIED),
        outside=Count("pk", filter=Q(is_outside=True)),
    )
    only = filters.options["only"]
    return Report(
        figures=[
            Figure("People", figures["people"], _COUNT),
            Figure("Access", figures["access"], _COUNT, note="a person in an environment"),
            Figure("As admin", figures["admins"], _COUNT, href=filters.link(SLUG, only="admin")),
            Figure("Outside the team", figures["outside"], _COUNT, href=filters.link(SLUG, only="outside")),
            Figure("Not proven", figures["unproven"], _COUNT, href=filters.link(SLUG, only="unproven")),
        ],
        tables=[_table(filters, members.filter(_SHOWN[only]) if only else members)],
        explanation=EXPLANATION,
    )


_NOT_VERIFIED = Q(allowed=False) | Q(allowed=None)
_SHOWN = {"outside": Q(is_outside=True), "unproven": _NOT_VERIFIED, "admin": Q(role=Role.ADMIN)}


def _members(filters: Filters) -> QuerySet[Member]:
    """Everybody's access to the environments that are reported on."""
    inside = [
        Exists(
            through._default_manager.filter(team=OuterRef("environment__team"), user__email=Lower(OuterRef("email")))
        )
        for through in (Team.members.through, Team.managers.through)
    ]
    outside = When(Q(environment__team__isnull=False) & ~inside[0] & ~inside[1], then=Value(True))
    environments = filters.environments.live().granted()
    members = Member.objects.filter(environment__in=environments).exclude(wanted=False, in_group=False)
    return members.annotate(is_outside=Case(outside, default=Value(False)))


def _table(filters: Filters, members: QuerySet[Member]) -> Table:
    by_person = filters.options["by"] == "person"
    who, where = (Lower("email"), "email"), ("environment__name", "environment__namespace")
    rows = members.order_by(*(who + where if by_person else where + who))
    columns = [*_PERSON_COLUMNS, *_ENVIRONMENT_COLUMNS] if by_person else [*_ENVIRONMENT_COLUMNS, *_PERSON_COLUMNS]

    @cache
    def address(namespace: str) -> str:
        return reverse("environment", args=[namespace])

    def make(some: Sequence[Any]) -> Iterable[Row]:
        for values in some:
            grant = _Grant(*values)
            person, place = (grant.email, grant.username), _environment_cells(grant, address(grant.namespace))
            yield (*person, *place, *_grant_cells(grant)) if by_person else (*place, *person, *_grant_cells(grant))

    return Table(
        key="access",
        title="By person" if by_person else "By environment",
        columns=[*columns, *_GRANT_COLUMNS],
        # Only what is shown: an environment as a whole has its template's content with it.
        rows=Rows(rows.values_list(*_PATHS), make),
        empty="Nobody has such access.",
    )


class _Grant(NamedTuple):
    """One person's access to one environment, in the order of `_PATHS`."""

    email: str
    username: str
    name: str
    namespace: str
    cluster: str
    team: str | None
    role: str
    wanted: bool
    is_outside: bool
    added_at: datetime
    added_by: str | None
    allowed: bool | None
    checked_at: datetime | None


_PATHS = (
    "email",
    "username",
    "environment__name",
    "environment__namespace",
    "environment__cluster__name",
    "environment__team__name",
    "role",
    "wanted",
    "is_outside",
    "added_at",
    "added_by__email",
    "allowed",
    "checked_at",
)
_PERSON_COLUMNS = (Column("Person"), Column("User name", is_only_exported=True, missing=""))
_ENVIRONMENT_COLUMNS = (
    Column("Environment", Kind.LINK),
    Column("Namespace", is_only_exported=True),
    Column("Cluster", is_only_exported=True),
    Column("Team", missing="no team"),
)
_GRANT_COLUMNS = (
    Column("Role"),
    Column("Outside"),
    Column("Since", Kind.DATE),
    Column("Granted by", missing="the portal"),
    Column("Proven"),
    Column("Last asked", Kind.MOMENT, missing="not yet"),
)


def _environment_cells(grant: _Grant, address: str) -> tuple[Cell, ...]:
    return Link(grant.name, address, grant.namespace), grant.namespace, grant.cluster, grant.team


def _grant_cells(grant: _Grant) -> tuple[Cell, ...]:
    role = str(Role(grant.role).label)
    role = role if grant.wanted else f"{role}, being taken away"
    proven = {True: "yes", False: "no", None: "not yet"}[grant.allowed]
    outside = "outside" if grant.is_outside else ""
    return role, outside, grant.added_at.date(), grant.added_by, proven, grant.checked_at
