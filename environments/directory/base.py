"""What the portal needs from a directory of people and groups.

One small interface; a file beside this one for each protocol. Implementations translate everything foreign
into `TemporaryError` and `PermanentError`, give every call a timeout, and keep no state but their connection.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Person:
    """A person in the directory. `id` is the directory's own; `active` False: deactivated."""

    id: str
    email: str
    username: str
    active: bool = True


@dataclass(frozen=True)
class GroupKey:
    """How a group is found again: its name, fixed before the first call, and the environment it belongs to.

    `group_id` is the directory's own id as the portal recorded it, empty before that.
    """

    name: str
    environment_id: str
    description: str = ""
    group_id: str = ""


@dataclass(frozen=True)
class NamedGroup:
    """A group of the directory, whoever made it. `name` as the directory spells it.

    `path`: the name with those of the groups around it, where the directory nests groups (Keycloak). `of_portal`: it
    carries an environment's id, so this portal or another one made it.
    """

    id: str
    name: str
    path: str = ""
    of_portal: bool = False


class DirectoryClient(Protocol):
    """One directory, spoken to as the portal's own client. Safe to use from several threads."""

    finds_renamed: bool
    """Whether `find_group` also finds a group that someone renamed."""

    def find_person(self, email: str) -> Person | None:
        """The person with this e-mail address, None if a complete search finds no one."""
        ...

    def read_person(self, person_id: str, email: str) -> Person | None:
        """The person with this id, with this one of their addresses if they have it; None if they are not shown."""
        ...

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none.

        Raises PermanentError (NotOurs) where the name is taken by a group that another made.
        """
        ...

    def create_group(self, key: GroupKey, first_member: Person) -> str:
        """Create the group with its first member (some servers refuse an empty group); its id."""
        ...

    def members(self, group_id: str) -> set[str]:
        """The ids of all members. Complete or an error: never a part.

        Raises PermanentError (GroupGone; MembersHidden where the directory shows no group's members).
        """
        ...

    def add_members(self, group_id: str, people: list[Person]) -> None:
        """Add people; those who are in already stay."""
        ...

    def remove_members(self, group_id: str, person_ids: list[str]) -> None:
        """Remove people; those who are not in are passed over.

        Raises TemporaryError (NotRemoved) where somebody is still in afterwards.
        """
        ...

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone."""
        ...

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group of the portal its name again; its members and the environment's id stay.

        Raises PermanentError (GroupGone; Refused where the directory does not allow it).
        """
        ...

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name in any case, whoever made them; or an error.

        Where the directory nests groups, a name that begins with a slash is a path.
        """
        ...

    def read_group(self, group_id: str) -> NamedGroup | None:
        """The group with this id, whoever made it; None if there is none."""
        ...

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has, by one call; None if the directory does not say. Raises as `members`."""
        ...

    def close(self) -> None:
        """Close the kept connections."""
        ...

    def check(self) -> str:
        """One sentence that says who answers. Raises one of the two errors if the directory does not answer."""
        ...


@runtime_checkable
class OwnAccounts(Protocol):
    """A directory whose people are the portal's own accounts."""

    def find_account(self, key: int) -> Person | None:
        """The person with this account, None if there is none."""
        ...


@runtime_checkable
class Explores(Protocol):
    """A directory whose servers differ in what they can do."""

    def explore(self) -> list[str]:
        """Look at what the server can do, by what is there; a sentence for each finding."""
        ...
