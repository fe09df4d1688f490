"""Groups that are members: groups of the directory that the portal did not make. It reads them, and binds their names.

A group is known by its id in the directory, since a name may pass to another group, whose members must not get the
role. A group that was renamed keeps it: the role binding follows, and the activity says so.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from environments.directory import NamedGroup
from environments.kube.client import Question
from environments.lib.errors import PermanentError, ReconcileError
from environments.lib.identity import RESERVED as PREFIX
from environments.lib.identity import GroupsBy, Naming
from environments.reconcile.facts import GroupMemberFacts
from environments.reconcile.steps.base import Context, GroupMemberState

Found = dict[int, GroupMemberFacts]

GONE = "The directory no longer has the group {name}, so it gives no access. Remove it here."
ANOTHER = "Another group in the directory has the name {name} now. Remove this group, or add it again."
TWINS = "The directory has several groups named {name}, and a token does not tell them apart. It gives no access."
RESERVED = "The directory renamed this group to {name}, which the cluster cannot grant a role. It gives no access."


def look(context: Context) -> tuple[Found, list[str]]:
    """What the directory has of each group now; and what was renamed, a sentence each. Raises TemporaryError."""
    found: Found = {}
    notes: list[str] = []
    for state in context.group_members:
        if state.wanted and not state.is_team:
            found[state.pk] = _look(context, state, notes)
    return found, notes


def names(states: Iterable[GroupMemberState], naming: Naming) -> tuple[str, ...]:
    """The names by which a role binding names those that the directory has; none where it names no groups."""
    if not naming.bind_groups:
        return ()
    present = [state for state in states if state.wanted and state.present]
    return tuple(sorted({name for state in present if (name := name_of(state, naming))}))


def name_of(state: GroupMemberState, naming: Naming) -> str:
    """The group's name on the cluster; empty if it has none."""
    if state.is_team:
        name = naming.claimed_group(state.claim)
        return "" if name.startswith(PREFIX) else name
    return naming.existing_group(state.name, state.path, state.directory_id)


def bound(context: Context) -> Found:
    """What is known once the role bindings are as wanted: which groups they name, and which have left."""
    wanted = [state for state in context.group_members if state.wanted and (state.claim or not state.is_team)]
    named = {state.pk: bool(names([state], context.naming)) for state in wanted}
    return left(context) | {
        pk: GroupMemberFacts(bound=is_named, allowed=None if is_named else False) for pk, is_named in named.items()
    }


def left(context: Context) -> Found:
    """Those that are not wanted: no role binding names them any more, and nothing else is to be undone."""
    return {state.pk: GroupMemberFacts(gone=True) for state in context.group_members if not state.wanted}


def verdict(
    context: Context, state: GroupMemberState, promises: Iterable[Question], fences: Iterable[Question]
) -> GroupMemberFacts:
    """Whether the cluster allows a group, by its name alone, what its role promises; and what no member may."""
    found = names([state], context.naming)

    def may(question: Question) -> bool:
        asked = replace(question, namespace=context.desired.namespace)
        return all(context.cluster.may(asked, "", [name, "system:authenticated"]).allowed for name in found)

    for question in promises:
        if not may(question):
            return GroupMemberFacts(allowed=False, message=f"The cluster does not allow them to {question} yet.")
    opened = next(filter(may, fences), None)
    if opened:
        text = f"Another role on the cluster allows them to {opened}, so isolation is not guaranteed."
        return GroupMemberFacts(allowed=True, message=text)
    return GroupMemberFacts(allowed=True, message="")


def _look(context: Context, state: GroupMemberState, notes: list[str]) -> GroupMemberFacts:
    by_path = context.naming.groups_by == GroupsBy.PATH and bool(state.path)
    try:
        named = context.directory.find_groups(state.path if by_path else state.name)
        mine = next((group for group in named if group.id == state.directory_id), None)
        mine = mine or context.directory.read_group(state.directory_id)
    except PermanentError as error:
        return GroupMemberFacts(message=error.message)  # what was known of it stays
    if mine is None:
        return GroupMemberFacts(present=False, message=(ANOTHER if named else GONE).format(name=state.name))
    if mine.name != state.name or (by_path and mine.path != state.path):
        return _renamed(context, state, mine, notes)
    if len(named) > 1 and context.naming.groups_by == GroupsBy.NAME:
        return GroupMemberFacts(present=False, message=TWINS.format(name=state.name))
    return GroupMemberFacts(present=True, size=_size(context, mine), message="")


def _renamed(context: Context, state: GroupMemberState, group: NamedGroup, notes: list[str]) -> GroupMemberFacts:
    """A group whose name changed: the role binding follows, unless the new name may hold no role."""
    twins = [each for each in context.directory.find_groups(group.name) if each.id != group.id]
    if twins and context.naming.groups_by == GroupsBy.NAME:
        return GroupMemberFacts(present=False, message=TWINS.format(name=group.name))
    renamed = replace(state, name=group.name, path=group.path)
    if group.of_portal or not name_of(renamed, context.naming):
        return GroupMemberFacts(present=False, message=RESERVED.format(name=group.name))
    notes.append(f"The directory renamed the group {state.name} to {group.name}. The role binding names it so now.")
    return GroupMemberFacts(group.name, group.path, _size(context, group), present=True, message="")


def _size(context: Context, group: NamedGroup) -> int | None:
    with suppress(ReconcileError):
        return context.directory.count_members(group.id)
    return None
