"""No identity provider: groups live in the portal, and people are its own users."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, OperationalError, transaction

from environments.directory.base import GroupKey, NamedGroup, Person
from environments.lib.errors import PermanentError, TemporaryError
from environments.models import LocalGroup, User

#: Of a user, what makes a person.
_OF_PERSON = ("username", "email", "claimed_email", "is_active")


class LocalClient:
    """A DirectoryClient for the portal's own groups. Safe to use from several threads."""

    finds_renamed = False

    def __init__(self, directory_id: int) -> None:
        self._groups = LocalGroup.objects.filter(directory_id=directory_id)
        self._directory_id = directory_id

    def find_person(self, email: str) -> Person | None:
        """The account that is known to hold this e-mail address, in any case; None if there is none."""
        with _translated():
            holders = User.objects.with_address(email).filter(email_trusted=True)
            return _person(holders.only(*_OF_PERSON).first())

    def read_person(self, person_id: str, email: str) -> Person | None:
        """The account with this id, as a directory's."""
        return self.find_account(_pk(person_id))

    def find_account(self, key: int) -> Person | None:
        """The account with this key."""
        with _translated():
            return _person(User.objects.filter(pk=key).only(*_OF_PERSON).first())

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id. Raises PermanentError (NotOurs) where another environment has the name."""
        with _translated():
            group = self._groups.filter(name=key.name).first()
        if group is None:
            return None
        if str(group.environment_id) != key.environment_id:
            raise PermanentError(f"The group {key.name} belongs to another environment.", reason="NotOurs")
        return str(group.pk)

    def create_group(self, key: GroupKey, first_member: Person) -> str:
        """Create the group, or take the one that is there, with its first member. Raises PermanentError (NotOurs)."""
        with _translated():
            try:
                with transaction.atomic():
                    row = {"name": key.name, "environment_id": key.environment_id}
                    group = LocalGroup.objects.create(directory_id=self._directory_id, **row)
                    group.members.add(*_known([first_member.id]))
                return str(group.pk)
            except IntegrityError:  # it is there
                found = self.find_group(key)
        if found is None:
            raise TemporaryError(
                f"The group {key.name} was deleted while the portal was creating it.", reason="Conflict"
            )
        self.add_members(found, [first_member])
        return found

    def members(self, group_id: str) -> set[str]:
        """The ids of all members. Raises PermanentError (GroupGone)."""
        with _translated():
            found = list(self._groups.filter(pk=_pk(group_id)).values_list("members", flat=True))
        if not found:  # one without members has an empty row too
            raise _gone()
        return {str(pk) for pk in found if pk is not None}

    def add_members(self, group_id: str, people: list[Person]) -> None:
        """Add people; those who are in already stay."""
        with _translated():
            self._group(group_id).members.add(*_known([person.id for person in people]))

    def remove_members(self, group_id: str, person_ids: list[str]) -> None:
        """Remove people; those who are not in are passed over."""
        with _translated():
            self._group(group_id).members.remove(*(_pk(person_id) for person_id in person_ids))

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone."""
        with _translated():
            self._groups.filter(pk=_pk(group_id)).delete()

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group its name again. Raises PermanentError (GroupGone; NotOurs where another has the name)."""
        with _translated():
            try:
                with transaction.atomic():
                    renamed = self._groups.filter(pk=_pk(group_id)).update(name=name)
            except IntegrityError as error:
                raise PermanentError(f"Another environment has the group {name}.", reason="NotOurs") from error
        if not renamed:
            raise _gone()

    def find_groups(self, name: str) -> list[NamedGroup]:
        """The group with this name: all are of environments."""
        with _translated():
            return [_named_group(group) for group in self._groups.filter(name__iexact=name)]

    def read_group(self, group_id: str) -> NamedGroup | None:
        """The group with this id."""
        with _translated():
            return next((_named_group(group) for group in self._groups.filter(pk=_pk(group_id))), None)

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has. Raises PermanentError (GroupGone)."""
        return len(self.members(group_id))

    def close(self) -> None:
        """Do nothing: the database's connection is Django's."""

    def check(self) -> str:
        """One sentence that says how many people and groups there are."""
        with _translated():
            people, groups = User.objects.filter(is_active=True).count(), self._groups.count()
        return f"The portal keeps the groups itself: {people} people, {groups} groups."

    def _group(self, group_id: str) -> LocalGroup:
        group = self._groups.filter(pk=_pk(group_id)).first()
        if group is None:
            raise _gone()
        return group


def _person(user: User | None) -> Person | None:
    if user is None:
        return None
    email = user.claimed_email or user.email
    return Person(id=str(user.pk), email=email, username=user.username, active=user.is_active)


def _named_group(group: LocalGroup) -> NamedGroup:
    return NamedGroup(str(group.pk), group.name, of_portal=True)


def _gone() -> PermanentError:
    return PermanentError("The group no longer exists in the portal.", reason="GroupGone")


def _known(person_ids: list[str]) -> list[int]:
    """The keys of those whom the portal has."""
    return list(User.objects.filter(pk__in=map(_pk, person_ids)).values_list("pk", flat=True))


def _pk(text: str) -> int:
    """An id as this directory gives them; one of another directory matches no person."""
    return int(text) if text.isascii() and text.isdigit() else 0


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is locked or away, as one of the two errors."""
    try:
        yield
    except OperationalError as error:
        raise TemporaryError("The portal's database does not answer.", reason="Unavailable") from error
