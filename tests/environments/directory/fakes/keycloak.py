"""Keycloak's Admin REST API. https://www.keycloak.org/docs-api/latest/rest-api/index.html"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from environments.directory.keycloak import KeycloakClient
from tests.environments.directory.fakes.base import FakeDirectory, FakeGroup, FakePerson

SERVER = "https://kc.example.com"


@dataclass
class FakeKeycloak(FakeDirectory):
    kind = "keycloak"
    client_class = KeycloakClient
    base = f"{SERVER}/admin/realms/acme"
    token_url = f"{SERVER}/realms/acme/protocol/openid-connect/token"

    parents: dict[str, str] = field(default_factory=dict)  # sub-group: group

    def error(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
        name = "errorMessage" if status == 409 else "error"
        return httpx.Response(status, json={name: detail}, headers=headers)

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        params = dict(request.url.params)
        membership = re.fullmatch(r"/users/([^/]+)/groups/([^/]+)", path)
        if membership:
            return self._membership(request.method, *membership.groups())
        person = re.fullmatch(r"/users/([^/]+)", path)
        if person and request.method == "GET":
            found = self.people.get(person.group(1))
            return httpx.Response(200, json=_user(found)) if found else self.error(404, "no such person")
        match request.method, path:
            case "GET", "/users":
                return self._window([_user(person) for person in self._users(params)], params)
            case "GET", "/groups":
                return self._window(self._search(params), params)
            case "GET", "/groups/count":
                return httpx.Response(200, json={"count": len(self.groups)})
            case "POST", "/groups":
                return self._create(json.loads(request.content))
        body = json.loads(request.content) if request.method == "PUT" else {}
        return self._group(request.method, *path.removeprefix("/groups/").split("/"), params=params, body=body)

    def _users(self, params: dict[str, str]) -> list[FakePerson]:
        """`exact` compares whole values, in any case: Keycloak keeps both in lower case."""
        people = list(self.people.values())
        for name in ("email", "username"):
            if name in params:
                assert params["exact"] == "true"
                people = [person for person in people if getattr(person, name).lower() == params[name].lower()]
        return people

    def _search(self, params: dict[str, str]) -> list[dict[str, Any]]:
        """Matching groups, each within its parents."""
        assert params["exact"] == "true"
        found = []
        for group in self.groups.values():
            if group.name == params["search"]:
                parent = self.groups.get(self.parents.get(group.id, ""))
                shown = _shown(group, full=params.get("briefRepresentation") == "false", parent=parent)
                found.append(_shown(parent) | {"subGroups": [shown]} if parent else shown)
        return found

    def _window(self, items: list[dict[str, Any]], params: dict[str, str]) -> httpx.Response:
        first, most = int(params.get("first", 0)), int(params.get("max", 100))
        return httpx.Response(200, json=items[first : first + most])

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        assert body.keys() <= {"name", "attributes"}, "older versions refuse properties they do not know"
        assert all(isinstance(value, list) for value in body["attributes"].values())
        if any(group.name == body["name"] and group.id not in self.parents for group in self.groups.values()):
            return self.error(409, f"Top level group named '{body['name']}' already exists.")
        group_id = self.group(body["name"], attributes=body["attributes"])
        return httpx.Response(201, headers={"Location": f"{self.base}/groups/{group_id}"})

    def _group(
        self, method: str, group_id: str, *rest: str, params: dict[str, str], body: dict[str, Any]
    ) -> httpx.Response:
        group = self.groups.get(group_id)
        if group is None:
            return self.error(404, "Could not find group by id")
        if rest == ("members",):
            members = sorted((self.people[member] for member in group.members), key=lambda person: person.username)
            return self._window([_user(person) for person in members], params)
        assert rest == ()
        if method == "DELETE":
            self.drop_group(group_id)
            return httpx.Response(204)
        if method == "PUT":
            group.name = body["name"]
            group.more |= {"attributes": body["attributes"]} if "attributes" in body else {}
            return httpx.Response(204)
        return httpx.Response(200, json=_shown(group, full=True))

    def _membership(self, method: str, person_id: str, group_id: str) -> httpx.Response:
        if person_id not in self.people:
            return self.error(404, "User not found")
        group = self.groups.get(group_id)
        if group is None:
            return self.error(404, "Group not found")
        group.members = [member for member in group.members if member != person_id]
        group.members += [person_id] if method == "PUT" else []
        return httpx.Response(204)


def _user(person: FakePerson) -> dict[str, Any]:
    return {
        "id": person.id,
        "username": person.username,
        "email": person.email,
        "enabled": person.active,
        "emailVerified": True,
        "createdTimestamp": 1_700_000_000_000,
    }


def _shown(group: FakeGroup, *, full: bool = False, parent: FakeGroup | None = None) -> dict[str, Any]:
    path = f"/{parent.name}/{group.name}" if parent else f"/{group.name}"
    shown = {"id": group.id, "name": group.name, "path": path, "subGroupCount": 0, "subGroups": []}
    return shown | {"attributes": {}} | group.more if full else shown
