"""Teams of the portal as members: everyone in a team gets a role in an environment, as long as they are in the team.

Where the cluster knows the team's group, because people sign in there with the portal's first identity provider, the
role binding names that group, as for any group. Elsewhere its people become members, one by one, and follow the team.
A member of their own keeps their own role, and of several teams the strongest role counts.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import m2m_changed

from environments.actions import group_members, guards, memberships
from environments.actions.owed import owe
from environments.lib.activity import Activity
from environments.lib.phases import Role
from environments.models import Environment, Event, GroupMember, Member, Team, User

_NAMED = 5  # people in one line of the activity


def add_team(environment: Environment, actor: User, team: Team, role: Role) -> GroupMember:
    """Give a team a role; one that is a member already gets this role instead.

    Raises ValidationError by field (`team`, `role`) for a role that the template does not allow, and for a team with
    too many people; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    memberships.check_role(environment, role)
    with transaction.atomic():
        guards.lock_open(environment)
        known = environment.group_members.filter(team=team)
        known.exclude(role=role).update(bound=False, allowed=None)
        if not known.update(role=role, wanted=True, message=""):
            GroupMember.objects.create(environment=environment, team=team, name=team.group, role=role, added_by=actor)
        if environment.group_members.filter(wanted=True).count() > group_members.MAX_GROUPS:
            raise _refused(f"An environment has at most {group_members.MAX_GROUPS} groups and teams.", "too_many")
        message = f"{actor} gave the team {team} the role {role.value}."
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"group": str(team), "role": role.value})
        if _sync(environment):
            most = memberships.MAX_MEMBERS
            raise _refused(f"{team} has too many people: an environment has at most {most} members.", "too_many")
        owe(environment.pk)
    return environment.group_members.select_related("team").get(team=team)


def remove_team(environment: Environment, actor: User, key: int) -> GroupMember | None:
    """Take a group's or a team's role away, and its people's; None if there is none. Raises PermissionDenied."""
    with transaction.atomic():
        removed = group_members.remove_group(environment, actor, key)
        if removed and removed.team:
            _sync(environment)
    return removed


def follow(teams: Iterable[int] | None = None) -> None:
    """Have the members of environments follow the people of these teams, or of all."""
    rows = GroupMember.objects.filter(team__isnull=False, wanted=True, environment__wanted=True)
    rows = rows if teams is None else rows.filter(team__in=list(teams))
    for pk in sorted(set(rows.values_list("environment", flat=True)), key=str):
        with transaction.atomic():
            row = Environment.objects.select_for_update(no_key=True).select_related(None).filter(pk=pk, wanted=True)
            if environment := row.first():
                _sync(environment)


def watch() -> None:
    """From now on, follow every change of a team's people."""
    m2m_changed.connect(_changed, sender=Team.members.through, dispatch_uid="team_members")


def _changed(action: str, instance: User | Team, pk_set: set[int] | None, **more: Any) -> None:
    """Someone joins or leaves teams; either end of the relation says so. What is cleared has no keys: all follow."""
    if not action.startswith("post_"):
        return
    teams = [instance.pk] if isinstance(instance, Team) else pk_set
    if teams is None or GroupMember.objects.filter(team__in=teams).exists():
        transaction.on_commit(partial(follow, teams))


def _sync(environment: Environment) -> int:
    """Make the people of the environment's teams members, where role bindings do not name the team's group.

    Returns how many of them have no access, because an environment has room for so many members only.
    """
    rows = list(environment.group_members.filter(team__isnull=False).select_related("team", "added_by"))
    wanted = _wanted([row for row in rows if row.wanted and not row.claim(environment.cluster)])
    before = _state(environment)
    _leave(environment, wanted)
    _change(environment, wanted)
    left_out = _join(environment, wanted)
    for row in rows:
        without = left_out.get(row.pk, 0)
        message = f"{without} have no access: an environment has at most {memberships.MAX_MEMBERS} members."
        facts = {"name": row.team.group if row.team else row.name, "size": _people(row).count(), "present": True}
        GroupMember.objects.filter(pk=row.pk).update(**facts, **({"message": message} if without else {}))
    if _state(environment) != before:
        owe(environment.pk)
    return sum(left_out.values())


def _state(environment: Environment) -> set[tuple[Any, ...]]:
    """What role bindings follow from: members with their roles, and the names of teams' groups."""
    members = environment.members.filter(wanted=True).values_list("pk", "role")
    return {*members, *environment.group_members.filter(team__isnull=False).values_list("pk", "name", "role")}


def _people(row: GroupMember) -> Any:
    return User.objects.filter(teams=row.team, is_active=True)


def _wanted(rows: list[GroupMember]) -> dict[int, GroupMember]:
    """By person, the team through which they are a member: the one with the strongest role."""
    found: dict[int, GroupMember] = {}
    for row in sorted(rows, key=lambda each: memberships.STRENGTH.index(Role(each.role)), reverse=True):
        found |= dict.fromkeys(_people(row).values_list("pk", flat=True), row)
    return found


def _leave(environment: Environment, wanted: dict[int, GroupMember]) -> None:
    """Remove those who are in none of the teams now."""
    leaving = environment.members.filter(through__isnull=False, wanted=True).exclude(person__in=wanted)
    gone = list(leaving.values_list("email", flat=True))
    if gone:
        memberships.withdraw(environment, leaving)
        has = "has" if len(gone) == 1 else "have"
        _say(environment, f"{_names(gone)} left the team and no longer {has} access.", {})
    environment.members.filter(wanted=False).update(through=None)


def _change(environment: Environment, wanted: dict[int, GroupMember]) -> None:
    """Give those whose team has another role now, or who are in another one, that role."""
    for member in environment.members.filter(through__isnull=False, wanted=True).select_related("person"):
        row = wanted.get(member.person_id or 0)
        if row and member.person and (row.pk, row.role) != (member.through_id, member.role):
            memberships.give_through(environment, member.person, row)


def _join(environment: Environment, wanted: dict[int, GroupMember]) -> dict[int, int]:
    """Make everyone else a member, as many as there is room for; how many of each team have none."""
    inside = set(environment.members.filter(wanted=True).values_list("person", flat=True))
    room = memberships.MAX_MEMBERS - environment.members.filter(wanted=True).count()
    joining = User.objects.filter(pk__in=[pk for pk in wanted if pk not in inside]).order_by("pk")
    new: dict[int, list[str]] = {}
    left_out: dict[int, int] = {}
    for person in joining:
        row = wanted[person.pk]
        if Member.objects.of(person).filter(environment=environment, wanted=True).exists():
            continue  # by their address, until they are known
        if room <= 0:
            left_out[row.pk] = left_out.get(row.pk, 0) + 1
            continue
        room -= 1
        memberships.give_through(environment, person, row)
        new.setdefault(row.pk, []).append(person.email)
    teams = {row.pk: row for row in wanted.values()}
    for pk, given in new.items():
        said = f"{_names(given)} got the role {teams[pk].role} with the team {teams[pk]}."
        _say(environment, said, {"given": given, "role": teams[pk].role})
    return left_out


def _names(addresses: list[str]) -> str:
    more = len(addresses) - _NAMED
    return ", ".join(addresses[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _say(environment: Environment, message: str, data: dict[str, Any]) -> None:
    Event.record(environment, None, Activity.ACCESS_CHANGED, message, data)


def _refused(sentence: str, code: str) -> ValidationError:
    return ValidationError({"team": [ValidationError(sentence, code=code)]})
