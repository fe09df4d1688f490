"""A SCIM server that filters and patches, with the hands of the other fakes. The odd ones are in ../fake.py."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from environments.directory import GroupKey
from environments.directory.scim import ScimClient
from tests.environments.directory import fake as scim
from tests.environments.directory.fakes.base import FakeDirectory


@dataclass
class FakeScim(FakeDirectory):
    kind = "scim"
    client_class = ScimClient
    base = scim.BASE
    token_url = scim.TOKEN_URL

    server: scim.FakeServer = field(default_factory=scim.FakeServer)

    def client(self, **connection: str) -> Any:
        return super().client(**{"token_url": self.token_url} | connection)

    def error(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
        response = scim.error(status, detail)
        response.headers.update(headers or {})
        return response

    def person(self, name: str, *, active: bool = True, **more: Any) -> Any:
        found = super().person(name, active=active, **more)
        self.server.users.append(
            scim.user(found.id, found.username, active=active) | {"emails": [{"value": found.email}]}
        )
        return found

    def foreign_group(self, key: GroupKey) -> str:
        group_id = f"g{9 + len(self.server.groups)}"
        group = {"id": group_id, "displayName": key.name, "externalId": "others", "members": []}
        self.server.groups[group_id] = group
        return group_id

    def join(self, group_id: str, count: int) -> set[str]:
        ids = {self.person(f"extra{number:04}").id for number in range(count)}
        self.server.groups[group_id]["members"] += [{"value": person_id} for person_id in sorted(ids)]
        return ids

    def member_ids(self, group_id: str) -> list[str]:
        return sorted(member["value"] for member in self.server.groups[group_id]["members"])

    def rename(self, group_id: str, name: str) -> None:
        self.server.groups[group_id]["displayName"] = name

    def drop_group(self, group_id: str) -> None:
        del self.server.groups[group_id]

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        return self.server._answer(request, path)
