"""People in a group of the environment whom the portal did not put there: an admin of the directory did.

They are shown, and by the directory's setting removed: only after the group was read completely, and only if every
member is known by their id in the directory. Otherwise one of them could be a member under another address.
"""

from contextlib import suppress

from environments.lib.errors import ReconcileError
from environments.reconcile.facts import StrangerFacts
from environments.reconcile.steps.base import Context, GroupState

MOST = 100  # on the record, of one group
_NEW = 20  # looked up in one run; the next one goes on
_NAMED = 5  # in one line of the activity


def look(context: Context, group: GroupState, present: set[str], notes: list[str]) -> tuple[StrangerFacts, ...]:
    """The strangers in a group. `present`: the ids of all in it; `notes` get who was removed."""
    there = sorted(present - {member.directory_id for member in context.members})
    if there and context.removes_strangers and all(member.directory_id for member in context.wanted_members()):
        there = _remove(context, group, there, notes)
    known = [StrangerFacts(each) for each in there if each in context.strangers]
    new = [each for each in there if each not in context.strangers][:_NEW]
    return (*known, *(_who(context, each) for each in new))[:MOST]


def _remove(context: Context, group: GroupState, there: list[str], notes: list[str]) -> list[str]:
    """Remove them; those who are still in the group afterwards. A refusal holds up no member."""
    left = set(there)
    with suppress(ReconcileError):
        context.directory.remove_members(group.directory_id, there)
        left &= context.directory.members(group.directory_id)
    if gone := [each for each in there if each not in left]:
        names = [
            who.email or who.username or who.directory_id for who in (_who(context, each) for each in gone[:_NAMED])
        ]
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        notes.append(f"Removed {', '.join(names)}{more} from {group.key.name}: not a member here.")
    return sorted(left)


def _who(context: Context, directory_id: str) -> StrangerFacts:
    with suppress(ReconcileError):
        if person := context.directory.read_person(directory_id, ""):
            return StrangerFacts(directory_id, person.email, person.username)
    return StrangerFacts(directory_id)  # a group within the group, or not shown
