"""The members of the directory groups. Adds every wanted member; removes only people whom the portal added."""

from contextlib import suppress
from dataclasses import replace

from environments.directory import Person
from environments.directory.answers import NotRemovedError
from environments.lib.errors import PermanentError
from environments.lib.phases import Role
from environments.reconcile.facts import Facts, MemberFacts, StrangerFacts
from environments.reconcile.steps import group_members, strangers
from environments.reconcile.steps.base import Context, GroupState, MemberState, Outcome, Step

_UNKNOWN = "{email} was not found in the directory. Check the address, or ask for an account there."
_INACTIVE = "The account {email} is deactivated in the directory."
_UNCONFIRMED = "{email} was removed from {group}. The directory does not show members, so it could not confirm that."
_ANOTHER = "{email} belongs to another person in the directory now. Remove this member, or add the address again."
#: Seconds until the directory is asked again for a person it does not know, and whether who left has stayed out.
LOOK_AGAIN = 600.0
#: Seconds until the portal tries again to remove those whom the directory did not remove.
REMOVE_AGAIN = 60.0


def ensure(context: Context) -> Outcome:
    """Make each group hold its wanted members. A person whom the directory does not know does not stop the others."""
    facts: dict[int, MemberFacts] = {}
    notes: list[str] = []
    removed, stuck = set[str](), dict[str, str]()
    people = {group.role: _people(context, group, facts) for group in context.groups}
    context = _identified(context, {pk: person.id for some in people.values() for pk, person in some.items()})
    found: dict[Role, tuple[StrangerFacts, ...]] = {}
    for group in context.groups:
        if group.directory_id:
            present = _present(context, group)
            notes += _sync(context, group, people[group.role], facts, present, removed, stuck)
            if present is not None:  # who is in a group that is never shown is not known
                found[group.role] = strangers.look(context, group, present, notes)
        else:
            found[group.role] = ()
    leaving = [member for member in context.members if not member.wanted]
    facts |= {member.pk: _left(member, removed) for member in leaving if member.directory_id not in stuck}
    named, renamed = group_members.look(context)
    left_out = sum(1 for fact in facts.values() if fact.in_group is False and not fact.gone)
    count = len(context.wanted_members())
    seen = Facts(members=facts, group_members=named, strangers=found, notes=(*notes, *renamed))
    if stuck:
        return Outcome(" ".join(sorted(stuck.values())), "NotRemoved", seen, wait=REMOVE_AGAIN)
    return Outcome(
        f"{count - left_out} of {count} in the directory groups",
        "SomeUnknown" if left_out else "Done",
        facts=seen,
        look_again=LOOK_AGAIN if left_out or leaving else None,
    )


def _people(context: Context, group: GroupState, facts: dict[int, MemberFacts]) -> dict[int, Person]:
    """The wanted members whom the directory knows; the others are noted on their lines."""
    people = {}
    for member in context.wanted_members(group.role):
        person = _person(context, member)
        if refusal := _why_not(member, person):
            facts[member.pk] = MemberFacts(in_group=False, message=refusal.format(email=member.email))
        elif person:
            people[member.pk] = person
    return people


def _why_not(member: MemberState, person: Person | None) -> str:
    """Why a person of the directory is not put into the group; empty if nothing is in the way."""
    if person is None:
        return _UNKNOWN
    if member.directory_id and person.id != member.directory_id:
        return _ANOTHER  # who gets an address later gets nothing with it
    return "" if person.active else _INACTIVE


def _identified(context: Context, found: dict[int, str]) -> Context:
    """The context with the id of everybody whom the portal may have added, even if the worker died who did it."""
    members = tuple(
        replace(member, directory_id=found.get(member.pk) or member.directory_id or _id_of_leaver(context, member))
        for member in context.members
    )
    return replace(context, members=members)


def _id_of_leaver(context: Context, member: MemberState) -> str:
    if member.wanted:
        return ""
    with suppress(PermanentError):  # an address of two people is none that anybody was added by
        person = context.find_person(member)
        return person.id if person else ""
    return ""


def _left(member: MemberState, removed: set[str]) -> MemberFacts:
    """Of a person who is not wanted: removed just now, or no longer there."""
    return MemberFacts(directory_id=member.directory_id, in_group=False, gone=member.directory_id not in removed)


def _person(context: Context, member: MemberState) -> Person | None:
    if member.directory_id and member.in_group is not False:  # who is known is not looked for: no answer removes them
        return Person(member.directory_id, member.directory_email or member.email, member.username)
    return context.find_person(member)


def _sync(
    context: Context,
    group: GroupState,
    people: dict[int, Person],
    facts: dict[int, MemberFacts],
    present: set[str] | None,
    removed: set[str],
    stuck: dict[str, str],
) -> list[str]:
    """Make the group hold these people; what had to be repaired, a sentence each.

    `present`: who is in it, None if the directory does not show it. `removed` gets who was taken out; `stuck` who could
    not be, with a sentence about it.
    """
    inside = _known(context, group) if present is None else present
    missing = [person for person in people.values() if person.id not in inside]
    if missing:
        context.directory.add_members(group.directory_id, missing)
    for pk, person in people.items():
        facts[pk] = replace(MemberFacts.of(person), in_group=True, message="")
    leaving = _unseen_leavers(context, group) if present is None else present & set(_elsewhere(context, group))
    stuck |= _remove(context, group, leaving)
    removed.update(leaving - stuck.keys())
    if present is None:
        if leaving:  # some servers take all members for none in particular
            context.directory.add_members(group.directory_id, list(people.values()))
        return _unconfirmed(context, group, leaving - stuck.keys())
    lost = {person.id for person in missing} & _known(context, group)
    return [
        f"{person.email} was missing from {group.key.name} and was added again."
        for person in missing
        if person.id in lost
    ]


def _present(context: Context, group: GroupState) -> set[str] | None:
    """Who is in the group: complete, or an error and nothing happens; None if the directory never shows it."""
    try:
        return context.directory.members(group.directory_id)
    except PermanentError as error:
        if error.reason != "MembersHidden":
            raise
        return None


def _remove(context: Context, group: GroupState, leaving: set[str]) -> dict[str, str]:
    """Take people out of the group; those who could not be, with a sentence for each."""
    if not leaving:
        return {}
    try:
        context.directory.remove_members(group.directory_id, sorted(leaving))
    except NotRemovedError as error:
        emails = {member.directory_id: member.email for member in context.members}
        said = "The directory did not remove {email} from {group}. Ask its admin to remove them there."
        return {each: said.format(email=emails.get(each, each), group=group.key.name) for each in error.ids}
    return {}


def _unseen_leavers(context: Context, group: GroupState) -> set[str]:
    """Our own members who may still be in a group that shows none: who leaves, and who just got another role."""
    elsewhere = set(_elsewhere(context, group))
    members = [member for member in context.members if member.directory_id in elsewhere]
    return {
        member.directory_id
        for member in members
        if (not member.bound if member.wanted else member.in_group is not False)
    }


def _unconfirmed(context: Context, group: GroupState, removed: set[str]) -> list[str]:
    """For each person who was removed without a confirmation, a sentence."""
    return [
        _UNCONFIRMED.format(email=member.email, group=group.key.name)
        for member in context.members
        if member.directory_id in removed and not member.wanted and member.role == group.role
    ]


def _elsewhere(context: Context, group: GroupState) -> list[str]:
    """Our own members who do not belong into this group: on their way out, or with another role now."""
    here = {member.directory_id for member in context.wanted_members(group.role)}
    return sorted({member.directory_id for member in context.members if member.directory_id} - here)


def _known(context: Context, group: GroupState) -> set[str]:
    """Those who were in this group when it was last read."""
    return {member.directory_id for member in context.wanted_members(group.role) if member.in_group}


STEP = Step("Members", "Members", "", ensure, needs=("Group",), inline=True)
