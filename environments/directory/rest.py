"""What Keycloak, Okta and Entra ID have in common: one call per member, lists in pages, and a 404 to look at twice."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar
from urllib.parse import quote

import httpx

from environments.directory.answers import (
    ConflictError,
    Json,
    Limit,
    NotFoundError,
    choose,
    gone,
    partial_answer,
    text,
    too_many_pages,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.transport import Connection, Dialect, Http
from environments.lib.errors import ReconcileError, TemporaryError

SOON = 5.0  # seconds until what was just written is likely to be seen everywhere

Page = tuple[list[Json], str]  # what is on it, and the address of the next one, empty at the end


class RestClient:
    """Most of a DirectoryClient; the rest is one product's. Safe to use from several threads."""

    finds_renamed = False

    groups = "/groups"
    users = "/users"
    user_query: ClassVar[dict[str, str]] = {}  # of a request for one person
    group_query: ClassVar[dict[str, str]] = {}  # of a request for one group

    def __init__(self, connection: Connection, dialect: Dialect, transport: httpx.BaseTransport | None = None) -> None:
        self._http = Http(connection, dialect, transport)
        self._base = connection.url.rstrip("/")

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def find_person(self, email: str) -> Person | None:
        """The person with this e-mail address or user name, in any case; None if no one has it.

        Raises PermanentError (Ambiguous) where the address belongs to several active people.
        """
        return choose(self._people(email), email)

    def read_person(self, person_id: str, email: str) -> Person | None:
        """The person with this id, None if the directory does not show them. GET /users/{id}."""
        try:
            found = self._http.request("GET", f"{self.users}/{part(person_id)}", params=self.user_query or None).body
        except NotFoundError:
            return None
        return self._person(found)

    def create_group(self, key: GroupKey, first_member: Person) -> str:
        """Create the group, or take ours that is there, with its first member; its id.

        Raises PermanentError (NotOurs).
        """
        try:
            group_id = self.find_group(key) or self._create(key)
        except ConflictError:
            group_id = self.find_group(key) or ""
        if not group_id:
            raise TemporaryError(
                f"The directory does not show the new group {key.name} yet.", reason="Conflict", retry_after=SOON
            )
        self.add_members(group_id, [first_member])
        return group_id

    def members(self, group_id: str) -> set[str]:
        """The ids of all members. Complete or an error. Raises PermanentError (GroupGone)."""
        try:
            return {text(member, "id") for member in self._members(group_id)}
        except NotFoundError as error:
            raise self._missing(group_id) from error

    def add_members(self, group_id: str, people: list[Person]) -> None:
        """Add people; those who are in already stay.

        Raises PermanentError (GroupGone); TemporaryError (NotAdded), after all others, if a person is not known.
        """
        unknown = [person for person in people if not self._found(group_id, self._add, person.id)]
        if unknown:
            raise TemporaryError(
                f"The directory did not add {', '.join(person.email for person in unknown)} to the group.",
                reason="NotAdded",
            )

    def remove_members(self, group_id: str, person_ids: list[str]) -> None:
        """Remove people; those who are not in are passed over. Raises PermanentError (GroupGone)."""
        if not person_ids:
            return
        for person_id in sorted(set(person_ids) & self.members(group_id)):
            self._found(group_id, self._remove, person_id)

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone."""
        try:
            self._http.request("DELETE", self._group_path(group_id))
        except NotFoundError as error:
            missing = self._missing(group_id)
            if isinstance(missing, TemporaryError):
                raise missing from error

    def read_group(self, group_id: str) -> NamedGroup | None:
        """The group with this id, None if the directory does not show it. GET /groups/{id}."""
        try:
            found = self._http.request("GET", self._group_path(group_id), params=self.group_query or None).body
        except NotFoundError:
            return None
        return self._named_group(found)

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group its name again. Raises PermanentError (GroupGone; Refused)."""
        try:
            self._rename(group_id, name)
        except NotFoundError as error:
            raise self._missing(group_id) from error

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name, in any case."""
        raise NotImplementedError

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has; None if the directory does not say."""
        raise NotImplementedError

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none. Raises PermanentError (NotOurs)."""
        raise NotImplementedError

    def _people(self, email: str) -> Iterable[Person]:
        """Those who may be meant. Their e-mail is `email` where they have it."""
        raise NotImplementedError

    def _person(self, user: Json) -> Person:
        """A person as the product writes them."""
        raise NotImplementedError

    def _rename(self, group_id: str, name: str) -> None:
        raise NotImplementedError

    def _named_group(self, group: Json) -> NamedGroup:
        """A group as the product writes it."""
        raise NotImplementedError

    def _create(self, key: GroupKey) -> str:
        """Make the group; its id, empty where the answer does not say. Raises ConflictError where the name is taken."""
        raise NotImplementedError

    def _members(self, group_id: str) -> Iterable[Json]:
        raise NotImplementedError

    def _add(self, group_id: str, person_id: str) -> None:
        raise NotImplementedError

    def _remove(self, group_id: str, person_id: str) -> None:
        raise NotImplementedError

    def _group_path(self, group_id: str) -> str:
        return f"{self.groups}/{part(group_id)}"

    def _missing(self, group_id: str) -> ReconcileError:
        """What it means that the group is not found."""
        return gone()

    def _found(self, group_id: str, change: Callable[[str, str], None], person_id: str) -> bool:
        """Do it; False where it is the person who is not found. Raises PermanentError (GroupGone) for the group."""
        try:
            change(group_id, person_id)
        except NotFoundError:
            self._require_group(group_id)
            return False
        return True

    def _require_group(self, group_id: str) -> None:
        try:
            self._http.request("GET", self._group_path(group_id))
        except NotFoundError as error:
            raise self._missing(group_id) from error


def part(name: str) -> str:
    """An id or a name as one part of a path."""
    return quote(name, safe="")


def quoted(value: str) -> str:
    """A text in a filter expression, in double quotes. None of its own ends it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def pages(read: Callable[[str, dict[str, str] | None], Page], path: str, params: dict[str, str]) -> Iterator[Json]:
    """Everything in a list whose pages name the next one.

    Raises TemporaryError (PartialAnswer) where they go in a circle, PermanentError (TooManyPages) without end.
    """
    seen: set[str] = set()
    query: dict[str, str] | None = params
    limit, count = Limit(), 0
    while limit.allows(count):
        items, following = read(path, query)
        yield from items
        count += len(items)
        if not following:
            return
        if following in seen:
            raise partial_answer("The directory's list repeats a page.")
        seen.add(following)
        path, query = following, None  # the address has the query in it
    raise too_many_pages()


def inner(resource: Json, name: str) -> dict[str, Any]:
    """An object within an object, empty where there is none."""
    value = resource.get(name)
    return value if isinstance(value, dict) else {}
