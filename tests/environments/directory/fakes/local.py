"""The portal's own groups, with the hands of the fakes."""

import uuid
from typing import Any

from environments.directory import DirectoryClient, GroupKey
from environments.directory.local import LocalClient
from environments.models import Directory, LocalGroup, User


class LocalWorld:
    kind = "local"

    def __init__(self) -> None:
        self._directory = Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)

    def client(self) -> DirectoryClient:
        return LocalClient(self._directory.pk)

    def person(self, name: str, *, active: bool = True) -> Any:
        return User.objects.create(username=f"{name}@example.com", email=f"{name}@example.com", is_active=active)

    def foreign_group(self, key: GroupKey) -> str:
        group = LocalGroup.objects.create(directory=self._directory, name=key.name, environment_id=uuid.uuid4())
        return str(group.pk)

    def join(self, group_id: str, count: int) -> set[str]:
        people = [self.person(f"extra{number:04}") for number in range(count)]
        LocalGroup.objects.get(pk=group_id).members.add(*people)
        return {str(person.pk) for person in people}

    def member_ids(self, group_id: str) -> list[str]:
        return sorted(str(pk) for pk in LocalGroup.objects.get(pk=group_id).members.values_list("pk", flat=True))

    def rename(self, group_id: str, name: str) -> None:
        LocalGroup.objects.filter(pk=group_id).update(name=name)

    def drop_group(self, group_id: str) -> None:
        LocalGroup.objects.get(pk=group_id).delete()
