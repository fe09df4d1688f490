"""The access review: who has access to which environments, since when, granted by whom, and whether verified."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.urls import reverse

from environments.lib.phases import Role
from environments.models import GroupMember, Member, Stranger, Team
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Cell, Column, Figure, Kind, Link, Report, Row, Rows, Table

SLUG = "access"
_COUNT = Column("", Kind.INTEGER)

EXPLANATION = (
    "Shows the current grants in environments that are not deleted. A grant is one person's access to one environment.",
    "Verified means that the cluster confirmed, for this person, the permissions of their role. Outside the team means "
    "that the person is neither a member nor a manager of the environment's team.",
    "Access that is being removed is listed until the directory confirms the removal.",
    "A second table lists the groups and teams that have a role. The directory knows who is in a group.",
    "A third table lists people whom someone added to a group of an environment in the directory, not here.",
)


class AccessForm(FiltersForm):
    """How to sort grants, and which to show."""

    own_fields: ClassVar[tuple[str, ...]] = ("by", "only")
    has_period: ClassVar[bool] = False
    by = forms.ChoiceField(
        label="Sort by",
        required=False,
        choices=[("person", "Person"), ("environment", "Environment")],
        initial="person",
        error_messages={"invalid_choice": "Unknown order. Sorted by person."},
    )
    only = forms.ChoiceField(
        label="Show",
        required=False,
        choices=[
            ("", "All grants"),
            ("outside", "Outside the team"),
            ("unproven", "Not verified"),
            ("admin", "Admins"),
        ],
        initial="",
        error_messages={"invalid_choice": "Unknown choice. Showing all grants."},
    )


def build(filters: Filters) -> Report:
    """The report."""
    members = _members(filters)
    figures = members.aggregate(
        people=Count(Lower("email"), distinct=True),
        grants=Count("pk"),
        admins=Count("pk", filter=Q(role=Role.ADMIN)),
        not_verified=Count("pk", filter=_NOT_VERIFIED),
        outside=Count("pk", filter=Q(is_outside=True)),
    )
    only = filters.options["only"]
    return Report(
        figures=[
            Figure("People", figures["people"], _COUNT),
            Figure("Grants", figures["grants"], _COUNT),
            Figure("Admins", figures["admins"], _COUNT, href=filters.link(SLUG, only="admin")),
            Figure("Outside the team", figures["outside"], _COUNT, href=filters.link(SLUG, only="outside")),
            Figure("Not verified", figures["not_verified"], _COUNT, href=filters.link(SLUG, only="unproven")),
        ],
        tables=[
            _table(filters, members.filter(_SHOWN[only]) if only else members),
            _groups_table(filters, _SHOWN_GROUPS[only]),
            _strangers_table(filters, _SHOWN_STRANGERS[only]),
        ],
        explanation=EXPLANATION,
    )


_NOT_VERIFIED = Q(allowed=False) | Q(allowed=None)
_SHOWN_GROUPS = {
    "": Q(),
    "outside": Q(environment__team__isnull=False) & (Q(team=None) | ~Q(team=F("environment__team"))),
    "unproven": _NOT_VERIFIED,
    "admin": Q(role=Role.ADMIN),
}
_SHOWN_STRANGERS = {"": Q(), "outside": Q(), "unproven": Q(), "admin": Q(role=Role.ADMIN)}
_SHOWN = {"outside": Q(is_outside=True), "unproven": _NOT_VERIFIED, "admin": Q(role=Role.ADMIN)}


def _members(filters: Filters) -> QuerySet[Member]:
    """Return the members of the environments in the report."""
    # By key, or by the address until the person is known.
    inside = _in_team(user=OuterRef("person")) | Q(person=None) & _in_team(
        address=Lower(OuterRef("email")), user__email_trusted=True
    )
    outside = When(Q(environment__team__isnull=False) & ~inside, then=Value(True))
    environments = filters.environments.live().granted()
    members = Member.objects.filter(environment__in=environments).exclude(wanted=False, in_group=False)
    return members.annotate(is_outside=Case(outside, default=Value(False)))


def _in_team(**who: Any) -> Q:
    """Whether someone is a member or a manager of the environment's team. Their address is found by its index."""
    sides = (Team.members.through, Team.managers.through)
    people = (side._default_manager.alias(address=Lower("user__email")) for side in sides)
    found = [Q(Exists(some.filter(team=OuterRef("environment__team"), **who))) for some in people]
    return found[0] | found[1]


def _table(filters: Filters, members: QuerySet[Member]) -> Table:
    by_person = filters.options["by"] == "person"
    who, where = (Lower("email"), "email"), ("environment__name", "environment__namespace")
    rows = members.order_by(*(who + where if by_person else where + who))
    columns = [*_PERSON_COLUMNS, *_ENVIRONMENT_COLUMNS] if by_person else [*_ENVIRONMENT_COLUMNS, *_PERSON_COLUMNS]

    before, after = reverse("environment", args=[_ANY]).split(_ANY)

    def make(some: Sequence[Any]) -> Iterable[Row]:
        for values in some:
            grant = _Grant._make(values)
            address = f"{before}{grant.namespace}{after}"
            person, place = (grant.email, grant.username), _environment_cells(grant, address)
            yield (*person, *place, *_grant_cells(grant)) if by_person else (*place, *person, *_grant_cells(grant))

    return Table(
        key="access",
        title="Grants by person" if by_person else "Grants by environment",
        columns=[*columns, *_GRANT_COLUMNS],
        # Only the columns that are shown: a whole environment includes its template's content.
        rows=Rows(rows.values_list(*_PATHS), make),
        empty="No grants match these filters.",
    )


def _groups_table(filters: Filters, shown: Q) -> Table:
    """The groups and teams that have a role. Who is in a group is known to the directory, and in a team on its page."""
    environments = filters.environments.live().granted()
    rows = GroupMember.objects.filter(shown, environment__in=environments)
    who, where = ("name", "pk"), ("environment__name", "environment__namespace")
    rows = rows.order_by(*(who + where if filters.options["by"] == "person" else where + who))

    @cache
    def address(namespace: str) -> str:
        return reverse("environment", args=[namespace])

    def make(some: Sequence[Any]) -> Iterable[Row]:
        for values in some:
            each = _GroupGrant(*values)
            role = str(Role(each.role).label)
            yield (
                each.its_team or each.name,
                "Team" if each.its_team else "Directory group",
                each.size,
                *(Link(each.environment, address(each.namespace), each.namespace), each.namespace, each.cluster),
                each.team,
                role if each.wanted else f"{role}, being removed",
                each.added_at.date(),
                each.added_by,
                "See its people" if each.its_team and each.allowed is None else _VERIFIED[each.allowed],
                each.checked_at,
            )

    return Table(
        key="groups",
        title="Groups and teams with access",
        columns=[
            Column("Group"),
            Column("Kind"),
            Column("Members", Kind.INTEGER, missing="Not known"),
            *_ENVIRONMENT_COLUMNS,
            _GRANT_COLUMNS[0],
            *_GRANT_COLUMNS[2:],
        ],
        rows=Rows(rows.values_list(*_GROUP_PATHS), make),
        empty="No group or team has access.",
    )


def _strangers_table(filters: Filters, shown: Q) -> Table:
    """People in a group of an environment whom someone added in the directory, not in the portal."""
    rows = Stranger.objects.filter(shown, environment__in=filters.environments.live().granted())
    who, where = (Lower("email"), "username", "directory_id"), ("environment__name", "environment__namespace")
    rows = rows.order_by(*(who + where if filters.options["by"] == "person" else where + who))

    @cache
    def address(namespace: str) -> str:
        return reverse("environment", args=[namespace])

    def make(some: Sequence[Any]) -> Iterable[Row]:
        for email, username, directory_id, name, namespace, cluster, team, role, seen_at in some:
            place = (Link(name, address(namespace), namespace), namespace, cluster, team)
            yield (email or username or directory_id, username, *place, str(Role(role).label), seen_at.date())

    paths = ("email", "username", "directory_id", *_PATHS[2:7], "seen_at")
    return Table(
        key="strangers",
        title="In a group, but not a member",
        columns=[*_PERSON_COLUMNS, *_ENVIRONMENT_COLUMNS, _GRANT_COLUMNS[0], Column("Seen", Kind.DATE)],
        rows=Rows(rows.values_list(*paths), make),
        empty="No one is in a group of an environment without being a member.",
    )


class _GroupGrant(NamedTuple):
    """One group's access to one environment. The order is that of `_GROUP_PATHS`."""

    name: str
    its_team: str | None
    size: int | None
    environment: str
    namespace: str
    cluster: str
    team: str | None
    role: str
    wanted: bool
    added_at: datetime
    added_by: str | None
    allowed: bool | None
    checked_at: datetime | None


_GROUP_PATHS = (
    "name",
    "team__name",
    "size",
    "environment__name",
    "environment__namespace",
    "environment__cluster__name",
    "environment__team__name",
    "role",
    "wanted",
    "added_at",
    "added_by__email",
    "allowed",
    "checked_at",
)


class _Grant(NamedTuple):
    """One person's access to one environment. The order is that of `_PATHS`."""

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
_ANY = "any-namespace"  # stands for each in an address
_ROLES = {role.value: str(role.label) for role in Role}
_VERIFIED = {True: "Yes", False: "No", None: "Not yet"}
_PERSON_COLUMNS = (Column("Person"), Column("User name", is_only_exported=True, missing=""))
_ENVIRONMENT_COLUMNS = (
    Column("Environment", Kind.LINK),
    Column("Namespace", is_only_exported=True),
    Column("Cluster", is_only_exported=True),
    Column("Team", missing="No team"),
)
_GRANT_COLUMNS = (
    Column("Role"),
    Column("Outside the team"),
    Column("Since", Kind.DATE),
    Column("Granted by", missing="The portal"),
    Column("Verified"),
    Column("Last checked", Kind.MOMENT, "UTC", missing="Not checked yet"),
)


def _environment_cells(grant: _Grant, address: str) -> tuple[Cell, ...]:
    return Link(grant.name, address, grant.namespace), grant.namespace, grant.cluster, grant.team


def _grant_cells(grant: _Grant) -> tuple[Cell, ...]:
    role = _ROLES[grant.role] if grant.wanted else f"{_ROLES[grant.role]}, being removed"
    outside = "Yes" if grant.is_outside else "No"
    return role, outside, grant.added_at.date(), grant.added_by, _VERIFIED[grant.allowed], grant.checked_at
