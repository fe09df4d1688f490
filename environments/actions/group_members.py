"""Groups of the directory as members: an existing group gets a role, by its name. The portal never changes the group.

Only groups that a complete search of the directory finds, and no group that carries rights already: none of
Kubernetes' own, and none that a portal made for an environment, whose members are chosen there.
"""

import difflib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from environments import directory
from environments.actions import guards, memberships
from environments.actions.owed import owe
from environments.directory import NamedGroup
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.errors import ReconcileError
from environments.lib.identity import RESERVED, GroupsBy
from environments.lib.phases import Role
from environments.models import Cluster, Environment, Event, Group, GroupMember, User
from environments.reconcile import desired

MAX_GROUPS = 20  # of one environment
MAX_NAME = 150  # as long as a directory's names may be
_SHOWN = 80  # characters of what was typed
_OFFERED = 100  # of a person's own groups


def why_none(cluster: Cluster) -> str:
    """Why groups of the directory have no effect on a cluster, as a sentence; empty if they have."""
    if cluster.access != Cluster.Access.OIDC or not cluster.oidc_issuer:
        return (
            f"{cluster} does not know the groups of your directory, because people use tokens from this portal there."
        )
    if not cluster.bind_groups:
        return f"Role bindings on {cluster} name people only, so a group would have no access there."
    return ""


def own_groups(user: User) -> list[str]:
    """The groups that a person's last sign-in named, to choose from, without those of environments."""
    names = sorted(set(user.groups_claim), key=str.casefold)[:_OFFERED]
    taken = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    return [name for name in names if name not in taken and not name.startswith(RESERVED)]


def add_group(environment: Environment, actor: User, name: str, role: Role) -> GroupMember:
    """Give a group of the directory a role; one that is a member already gets this role instead.

    Raises ValidationError by field (`group`, `role`) for a role that the template does not allow, for a name that is
    not exactly one group's in the directory, for a group that may hold no role, on a cluster that knows no groups, if
    the directory does not answer, and for too many; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    memberships.check_role(environment, role)
    if sentence := why_none(environment.cluster):
        raise _refused(sentence, "cluster")
    found = _found(environment, actor, _checked(name))
    with transaction.atomic():
        guards.lock_open(environment)
        row = _give(environment, actor, found, role)
        if environment.group_members.filter(wanted=True).count() > MAX_GROUPS:
            raise _refused(f"An environment has at most {MAX_GROUPS} groups.", "too_many")
        message = f"{actor} gave the group {row.name} the role {role.value}."
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"group": row.name, "role": role.value})
        owe(environment.pk)
    return row


def remove_group(environment: Environment, actor: User, key: int) -> GroupMember | None:
    """Take a group's role away, with the next reconcile; None if there is no such group. Raises PermissionDenied."""
    guards.check_editable(environment, actor)
    with transaction.atomic():
        guards.lock_open(environment)
        row = environment.group_members.filter(pk=key, wanted=True).select_related("team").first()
        if row is None:
            return None
        environment.group_members.filter(pk=key).update(wanted=False)
        message = f"{actor} removed the {row.kind} {row}."
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"group": str(row), "role": row.role})
        owe(environment.pk)
    return row


def of_user(environment: Environment, user: User) -> GroupMember | None:
    """The group or team through which a person has access, the one with the strongest role; None without one."""
    mine = environment.group_members.of(user).filter(wanted=True).select_related("team")
    return min(mine, key=lambda each: memberships.STRENGTH.index(Role(each.role)), default=None)


def _give(environment: Environment, actor: User, found: NamedGroup, role: Role) -> GroupMember:
    """The row of a group, with the role. A group that had another one is bound anew."""
    known = environment.group_members.filter(directory_id=found.id, team=None)
    known.exclude(role=role).update(bound=False, allowed=None)
    known.update(role=role, wanted=True, name=found.name, path=found.path, present=None, message="")
    return known.first() or GroupMember.objects.create(
        environment=environment, name=found.name, path=found.path, directory_id=found.id, role=role, added_by=actor
    )


def _checked(name: str) -> str:
    name = name.strip()
    if not name:
        raise _refused("Enter the name of a group.", "required")
    if len(name) > MAX_NAME or not name.isprintable():
        raise _refused(f"A group's name has at most {MAX_NAME} characters and no line breaks.", "invalid")
    return name


def _found(environment: Environment, actor: User, name: str) -> NamedGroup:
    """The one group that is meant, as the directory has it. Raises ValidationError."""
    naming_of = desired.naming(environment.cluster)
    try:
        client = directory.connect(environment.directory)
        groups = client.find_groups(name)
        by_name = naming_of.groups_by == GroupsBy.NAME
        if len(groups) == 1 and by_name and groups[0].name != name:  # found by its path, or in other letters
            groups = client.find_groups(groups[0].name)
    except ReconcileError as error:
        raise _refused(f"The portal could not look up the group. {error.message}", "unreachable") from error
    if not groups:
        raise _refused(_unknown(name, actor), "not_found")
    if len(groups) > 1:
        raise _refused(_several(name, groups, by_path=naming_of.groups_by == GroupsBy.PATH), "ambiguous")
    _check_free(environment, groups[0])
    if not naming_of.existing_group(groups[0].name, groups[0].path, groups[0].id):
        raise _refused(f"The name {groups[0].name} is reserved for Kubernetes.", "reserved")
    return groups[0]


def _check_free(environment: Environment, group: NamedGroup) -> None:
    """Refuse groups that carry rights already: Kubernetes' own, and those of environments and of the portal's tests."""
    if group.name.startswith(RESERVED):
        raise _refused(f"The name {group.name} is reserved for Kubernetes.", "reserved")
    tests = f"{naming.slug(settings.PORTAL_NAME) or 'portal'}-self-test-"
    taken = Group.objects.filter(name__iexact=group.name).exists()
    if group.of_portal or taken or group.name.startswith(tests):
        text = f"The group {group.name} belongs to an environment. Add people, or a group of your company."
        raise _refused(text, "of_portal")


def _unknown(name: str, actor: User) -> str:
    close = difflib.get_close_matches(name, own_groups(actor), n=1, cutoff=0.8)
    text = f"The directory has no group “{name[:_SHOWN]}”."
    return f"{text} Did you mean {close[0]}?" if close else f"{text} Check the spelling."


def _several(name: str, groups: list[NamedGroup], *, by_path: bool) -> str:
    text = f"The directory has {len(groups)} groups named “{name[:_SHOWN]}”"
    if by_path:
        return f"{text}. Enter its full path, for example {groups[0].path}."
    return f"{text}, and a sign-in does not tell them apart. Ask its admin to rename one, or add people."


def _refused(sentence: str, code: str) -> ValidationError:
    return ValidationError({"group": [ValidationError(sentence, code=code)]})
