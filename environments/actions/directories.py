"""What platform admins do with a directory: try it out with a group of its own."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from environments import directory
from environments.directory import DirectoryClient, DirectoryRow, GroupKey, Person
from environments.lib import naming
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

_NOT_YET = ("NotYet", "NotSeen", "Conflict")  # a directory of many copies needs some seconds
_PAUSE = 2.0
_PATIENCE = 16.0  # seconds for all waiting together: somebody sits before the page


@dataclass(frozen=True)
class Line:
    """One step of the test and how it ended."""

    step: str
    said: str
    worked: bool


def try_out(row: DirectoryRow, person_email: str, pause: Callable[[float], None] = time.sleep) -> list[Line]:
    """Make a group, put the person in, read it, take them out, delete the group; a line for each step.

    Never raises: a failure is a line. What was made is deleted also after a failure; where that fails too, the last
    line names the group. `pause` waits between two looks at a directory that is slow to show what it was told.
    """
    lines: list[Line] = []
    try:
        client = directory.connect(row)
        person = _known(client, person_email)
    except ReconcileError as error:
        return [Line("Find the person", error.message, worked=False)]
    lines.append(Line("Find the person", f"{person.email} is {person.username or person.id}.", worked=True))
    return lines + _Trial(client, person, pause).run()


def _known(client: DirectoryClient, email: str) -> Person:
    person = client.find_person(email)
    if person is None:
        raise PermanentError(f"{email} was not found in the directory.", reason="Unknown")
    if not person.active:
        raise PermanentError(f"The account {email} is deactivated in the directory.", reason="Inactive")
    return person


class _Trial:
    """One group's short life."""

    def __init__(self, client: DirectoryClient, person: Person, pause: Callable[[float], None]) -> None:
        name = f"{naming.slug(settings.PORTAL_NAME) or 'portal'}-self-test-{naming.new_suffix()}"
        self._key = GroupKey(name, str(uuid.uuid4()), "A test by the portal. It may be deleted.")
        self._client, self._person, self._pause = client, person, pause
        self._patience = _PATIENCE
        self._group = ""
        self._lines: list[Line] = []

    def run(self) -> list[Line]:
        """All steps; those after the first need the group, and the last one is done in any case."""
        if self._step("Make a group with the person in it", self._make):
            self._step("Find the group again", self._find)
            self._step("Add the person", self._add)
            self._step("Read the members", self._read)
            self._step("Remove the person", self._remove)
        if not self._step("Delete the group", self._delete):
            text = f"The group {self._key.name} may still be in the directory. Delete it there."
            self._lines.append(Line("Clean up", text, worked=False))
        return self._lines

    def _step(self, step: str, do: Callable[[], str]) -> bool:
        while True:
            try:
                self._lines.append(Line(step, do(), worked=True))
            except ReconcileError as error:
                if error.reason in _NOT_YET and self._patience > 0:
                    self._patience -= _PAUSE
                    self._pause(_PAUSE)
                    continue
                self._lines.append(Line(step, error.message, worked=False))
                return False
            return True

    def _make(self) -> str:
        self._group = self._client.create_group(self._key, self._person)
        return f"{self._key.name} is there."

    def _find(self) -> str:
        found = self._client.find_group(self._key)
        if found != self._group:
            raise TemporaryError("The directory does not show the group that it made.", reason="NotSeen")
        return "By its name, and it is the portal’s own."

    def _add(self) -> str:
        self._client.add_members(self._group, [self._person])
        return "They were in already; adding them again did no harm."

    def _read(self) -> str:
        self._expect({self._person.id})
        return "Exactly the person who was put in."

    def _remove(self) -> str:
        self._client.remove_members(self._group, [self._person.id])
        self._expect(set())
        return "The group is empty."

    def _delete(self) -> str:
        """Also a group that was made by a call whose answer got lost."""
        group = self._group or self._client.find_group(self._key)
        if not group:
            return "There is no group to delete."
        self._client.delete_group(group)
        if self._client.find_group(self._key):
            raise TemporaryError("The directory still shows the group.", reason="NotSeen")
        return "The group was deleted."

    def _expect(self, wanted: set[str]) -> None:
        if self._client.members(self._group) != wanted:
            raise TemporaryError("The directory does not show the members as they were set.", reason="NotSeen")
