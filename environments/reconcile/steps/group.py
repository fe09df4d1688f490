"""The directory's groups, one for each role in use."""

from dataclasses import replace

from environments.directory import Person
from environments.directory.answers import NotOursError
from environments.lib.errors import PermanentError
from environments.reconcile.facts import Facts, MemberFacts
from environments.reconcile.steps.base import Context, GroupState, Outcome, Step

_TWINS = 3  # groups of one name that one run deletes at the most


def ensure(context: Context) -> Outcome:
    """Find or create each group. A new group starts with the first member whom the directory knows."""
    ids, facts = {}, {}
    notes: list[str] = []
    for group in context.groups:
        if not context.wanted_members(group.role):
            ids[group.role] = _dissolve(context, group)
            continue
        found = _find(context, group, notes)
        if found is None:
            first = _first_member(context, group)
            if first is None:
                continue
            pk, person = first
            found = context.directory.create_group(group.key, person)
            facts[pk] = replace(MemberFacts.of(person), in_group=True)
        ids[group.role] = found
    missing = [group.role.value for group in context.groups if group.role not in ids]
    message = ", ".join(group.key.name for group in context.groups if ids.get(group.role))
    if missing:
        message += f"; the {' and '.join(missing)} group is created once the directory knows a member of it"
    return Outcome(message, facts=Facts(group_ids=ids, members=facts, notes=tuple(notes)))


def remove(context: Context) -> Outcome:
    """Delete our groups, also those whose id was lost in a crash."""
    for group in context.groups:
        _delete(context, group)
    return Outcome("The portal deleted the directory groups.")


def _dissolve(context: Context, group: GroupState) -> str:
    """Delete the group of a role that no member has; its id from now on."""
    _delete(context, group)
    return ""


def _delete(context: Context, group: GroupState) -> None:
    """Delete a group, and what else is ours under its name: a directory that is slow to show one may have two."""
    if group.directory_id:
        context.directory.delete_group(group.directory_id)
    for _ in range(_TWINS):
        try:
            found = context.directory.find_group(group.key)
        except PermanentError as error:
            if error.reason != "NotOurs":
                raise
            for ours in error.ours if isinstance(error, NotOursError) else ():
                context.directory.delete_group(ours)
            return  # the rest is not ours
        if not found:
            return
        context.directory.delete_group(found)


def _find(context: Context, group: GroupState, notes: list[str]) -> str | None:
    """The group's id, None where it has to be made (again).

    Looked for by its name each time: a cluster knows groups by nothing else. Raises PermanentError (NotOurs).
    A group that was renamed gets its name back, and a note says so.
    """
    found = context.directory.find_group(group.key)
    if not group.directory_id or found == group.directory_id:
        if found and context.directory.finds_renamed and not context.is_new:
            _name_again(context, replace(group, directory_id=found), notes)
        return found
    try:
        context.directory.members(group.directory_id)
    except PermanentError as error:
        if error.reason == "GroupGone":
            return found
        if error.reason != "MembersHidden":
            raise
    _name_again(context, group, notes)
    return group.directory_id


def _name_again(context: Context, group: GroupState, notes: list[str]) -> None:
    """Rename our group back, if it has another name. Raises PermanentError (Renamed) where the directory refuses."""
    live = context.directory.read_group(group.directory_id)
    if live is None or live.name == group.key.name:
        return  # it is only not found by its name yet
    try:
        context.directory.rename_group(group.directory_id, group.key.name)
    except PermanentError as error:
        raise PermanentError(
            f"Someone renamed the group {group.key.name} to {live.name}, and the directory does not let the portal "
            f"rename it back. Ask its admin to. {error.message}",
            reason="Renamed",
        ) from error
    notes.append(f"Someone renamed the group {group.key.name} to {live.name}. The portal renamed it back.")


def _first_member(context: Context, group: GroupState) -> tuple[int, Person] | None:
    """The person to create the group with. Raises PermanentError where the owner is not known."""
    for member in context.wanted_members(group.role):
        person = context.find_person(member)
        if person and person.active:
            return member.pk, person
        if context.is_owner(member):
            raise PermanentError(
                f"{member.email} has no active account in the directory. Ask a platform admin to check it there.",
                reason="OwnerUnknown",
            )
    return None


STEP = Step("Group", "Directory group", "Directory group removed", ensure, remove, inline=True)
