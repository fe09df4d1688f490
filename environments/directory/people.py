"""Finds the one person whom an address belongs to."""

from collections.abc import Iterable

from environments.directory.answers import MAX_TEXT, bad_answer
from environments.directory.base import Person
from environments.lib.errors import PermanentError


def choose(people: Iterable[Person], address: str) -> Person | None:
    """The one person with this user name or e-mail address, in any case; None where nobody of them has it.

    A user name goes before an address that another entered, an active account before a deactivated one. Raises
    PermanentError (Ambiguous) where several active people are left: access must not go to whoever comes first.
    """
    wanted = address.casefold()
    found = {person.id: person for person in people if wanted in (person.username.casefold(), person.email.casefold())}
    named = [person for person in found.values() if person.username.casefold() == wanted]
    candidates = named or list(found.values())
    active = [person for person in candidates if person.active] or candidates
    if len(active) > 1:
        raise PermanentError(
            f"{address} belongs to {len(active)} people in the directory. Ask its admin to leave it with one of them.",
            reason="Ambiguous",
        )
    if active and max(len(active[0].username), len(active[0].id)) > MAX_TEXT:
        raise bad_answer(f"has a name of more than {MAX_TEXT} characters")  # cut, it would be somebody else's
    return active[0] if active else None
