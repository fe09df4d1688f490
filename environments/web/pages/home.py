"""The home page: what needs the reader, their environments, their teams', and what happened recently."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice
from uuid import UUID

from django.utils import timezone

from environments.actions import access_tokens, memberships
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, GroupMember, Member, User
from environments.models.environments import EnvironmentQuerySet
from environments.routine.folding import Line, fold
from environments.web.pages.activity import Show, by_side
from environments.web.pages.connection import Connection
from environments.web.pages.fullness import QuotaBar, fullest
from environments.web.pages.listing import first
from environments.web.pages.needs import Need, needs

_MINE = 8  # lines; the list has the others
_OTHERS = 5
_RECENTLY = timedelta(days=14)  # further back there is only the history; it keeps the question small
_READ = 40  # events of each kind that are folded into lines
_OF_EACH = {Show.PEOPLE: 4, Show.PORTAL: 2, Show.ALERTS: 2}  # lines


@dataclass(frozen=True)
class HomeRow:
    """An environment on the home page, with the reader's way into it if they are a member."""

    environment: Environment
    bar: QuotaBar | None
    connection: Connection | None

    @property
    def can_download(self) -> bool:
        """Whether a kubeconfig can be downloaded at once."""
        ready = self.environment.phase in (Phase.READY, Phase.DEGRADED) and self.environment.wanted
        return ready and self.connection is not None and self.connection.is_verified


@dataclass(frozen=True)
class Some:
    """The first lines of a list, and how many there are in all."""

    rows: list[HomeRow]
    all: int


@dataclass(frozen=True)
class HomePage:
    """Everything on the home page above the catalog."""

    needs: list[Need]
    mine: Some
    others: Some
    activity: list[Line]  # people's first

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show: the reader is new, and the catalog is their home."""
        return not (self.needs or self.mine.rows or self.others.rows)


def home_page(user: User) -> HomePage | None:
    """Everything on the home page above the catalog, in a fixed number of queries; None for a newcomer.

    A newcomer neither owns an environment nor is a member of one, and decides on none.
    """
    visible = Environment.objects.visible_to(user).live()
    mine = _some(user, visible.of(user), _MINE)
    if not mine.rows and not user.is_approver:
        return None
    others = _some(user, visible.exclude(pk__in=Environment.objects.of(user).order_by().values("pk")), _OTHERS)
    shown = [row.environment for row in (mine if mine.rows else others).rows]
    page = HomePage(needs(user), mine, others, _activity(shown))
    return None if page.is_empty else page


def _some(user: User, environments: EnvironmentQuerySet, most: int) -> Some:
    """The newest of them as lines, in four queries."""
    found, number = first(environments.order_by("-created_at", "pk"), most)
    members = Member.objects.of(user).filter(wanted=True, environment__in=[row.pk for row in found])
    mine = _through_groups(user, found) | {each.environment_id: each for each in members}
    return Some([_row(row, mine.get(row.pk)) for row in found], number)


def _through_groups(user: User, found: list[Environment]) -> dict[UUID, Member]:
    """What a person has through a group or a team, by environment; the strongest role where there are several."""
    rows = {row.pk: row for row in found}
    groups = list(GroupMember.objects.of(user).filter(wanted=True, environment__in=rows).select_related("team"))
    groups.sort(key=lambda each: memberships.STRENGTH.index(Role(each.role)), reverse=True)
    return {
        each.environment_id: access_tokens.member_of_group(each, rows[each.environment_id], user) for each in groups
    }


def _row(environment: Environment, member: Member | None) -> HomeRow:
    connection = Connection(environment, member) if member else None
    return HomeRow(environment, fullest(environment), connection)


def _activity(environments: list[Environment]) -> list[Line]:
    """What happened recently in these, what people did first, in one query."""
    since = timezone.now() - _RECENTLY
    by_id = {row.pk: row for row in environments}
    sides = by_side(Event.objects.filter(environment__in=by_id, at__gte=since), _READ)
    for event in chain(*sides.values()):
        event.environment = by_id[event.environment_id]
    return [line for side, most in _OF_EACH.items() for line in islice(fold(sides[side]), most)]
