"""The members of the directory groups. Adds every wanted member; removes only people whom the portal added."""

from contextlib import suppress
from dataclasses import replace

from environments.directory import Person
from environments.lib.errors import PermanentError
from environments.lib.phases import Role
from environments.reconcile.facts import Facts, MemberFacts, StrangerFacts
from environments.reconcile.steps import group_members, strangers
from environments.reconcile.steps.base import Context, GroupState, MemberState, Outcome, Step

_UNKNOWN = "{email} was not found in the directory. Check the address, or ask for an account there."
_INACTIVE = "The account {email} is deactivated in the directory."
_ANOTHER = "{email} belongs to another person in the directory now. Remove this member, or add the address again."
#: Seconds until the directory is asked again for a person it does not know, and whether who left has stayed out.
LOOK_AGAIN = 600.0


def ensure(context: Context) -> Outcome:
    """Make each group hold its wanted members. A person whom the directory does not know does not stop the others."""
    facts: dict[int, MemberFacts] = {}
    notes: list[str] = []
    removed: set[str] = set()
    people = {group.role: _people(context, group, facts) for group in context.groups}
    context = _identified(context, {pk: person.id for some in people.values() for pk, person in some.items()})
    found: dict[Role, tuple[StrangerFacts, ...]] = {}
    for group in context.groups:
        if group.directory_id:
            present = context.directory.members(group.directory_id)  # complete, or an error and nothing happens
            notes += _sync(context, group, people[group.role], facts, present, removed)
            found[group.role] = strangers.look(context, group, present, notes)
        else:
            found[group.role] = ()
    leaving = [member for member in context.members if not member.wanted]
    facts |= {member.pk: _left(member, removed) for member in leaving}
    named, renamed = group_members.look(context)
    left_out = sum(1 for fact in facts.values() if fact.in_group is False and not fact.gone)
    count = len(context.wanted_members())
    return Outcome(
        f"{count - left_out} of {count} in the directory groups",
        "SomeUnknown" if left_out else "Done",
        facts=Facts(members=facts, group_members=named, strangers=found, notes=(*notes, *renamed)),
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
    present: set[str],
    removed: set[str],
) -> list[str]:
    """Make the group hold these people; what had to be repaired, a sentence each. `removed` gets who was taken out."""
    missing = [person for person in people.values() if person.id not in present]
    if missing:
        context.directory.add_members(group.directory_id, missing)
    for pk, person in people.items():
        facts[pk] = replace(MemberFacts.of(person), in_group=True, message="")
    leaving = [member_id for member_id in _elsewhere(context, group) if member_id in present]
    if leaving:
        context.directory.remove_members(group.directory_id, leaving)
        removed.update(leaving)
    lost = {person.id for person in missing} & _known(context, group)
    return [
        f"{person.email} was missing from {group.key.name} and was added again."
        for person in missing
        if person.id in lost
    ]


def _elsewhere(context: Context, group: GroupState) -> list[str]:
    """Our own members who do not belong into this group: on their way out, or with another role now."""
    here = {member.directory_id for member in context.wanted_members(group.role)}
    return sorted({member.directory_id for member in context.members if member.directory_id} - here)


def _known(context: Context, group: GroupState) -> set[str]:
    """Those who were in this group when it was last read."""
    return {member.directory_id for member in context.wanted_members(group.role) if member.in_group}


STEP = Step("Members", "Members", "", ensure, needs=("Group",), inline=True)
