"""Microsoft Graph v1.0. https://learn.microsoft.com/graph/api/resources/group"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from environments.directory import DirectoryClient
from environments.directory.entra import EntraClient
from tests.environments.directory.fakes.base import FakeDirectory, FakeGroup, FakePerson

CODES = {
    400: "Request_BadRequest",
    401: "InvalidAuthenticationToken",
    403: "Authorization_RequestDenied",
    404: "Request_ResourceNotFound",
    429: "TooManyRequests",
}


@dataclass
class FakeEntra(FakeDirectory):
    """`lag`: how many calls do not see a new group yet."""

    kind = "entra"
    client_class = EntraClient
    base = "https://graph.microsoft.com/v1.0"
    token_url = "https://login.microsoftonline.com/acme/oauth2/v2.0/token"

    lag: int = 0
    _hidden: dict[str, int] = field(default_factory=dict)

    def client(self, **connection: str) -> DirectoryClient:
        return super().client(**{"token_url": self.token_url} | connection)

    def may_have_token(self, request: httpx.Request, form: dict[str, str]) -> bool:
        assert form["scope"] == "https://graph.microsoft.com/.default"
        return super().may_have_token(request, form)

    def error(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
        inner = {"date": "2026-01-01T00:00:00", "request-id": "r1", "client-request-id": "r1"}
        body = {"code": CODES.get(status, "UnknownError"), "message": detail, "innerError": inner}
        return httpx.Response(status, json={"error": body}, headers=headers)

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        upsert = re.fullmatch(r"/groups\(uniqueName='([^']+)'\)", path)
        if upsert:
            return self._upsert(request, upsert.group(1))
        person = re.fullmatch(r"/users/([^/]+)", path)
        if person and request.method == "GET":
            found = self.people.get(person.group(1))
            return httpx.Response(200, json=_user(found)) if found else self.error(404, "no such person")
        match request.method, path:
            case "GET", "/users":
                return self._page(request, [_user(person) for person in self._users(request)])
            case "GET", "/groups":
                return self._page(request, [_shown(group) for group in self._groups(request)])
        group_id, *rest = path.removeprefix("/groups/").split("/")
        group = self.groups.get(group_id)
        if group is None or self._is_hidden(group_id):
            return self.error(
                404, f"Resource '{group_id}' does not exist or one of its queried references is not present."
            )
        return self._group(request, group, rest)

    def _users(self, request: httpx.Request) -> list[FakePerson]:
        """Strings are compared in any case. `accountEnabled` is only given where it is asked for."""
        query = request.url.params.get("$filter")
        if query is None:
            return list(self.people.values())
        assert "accountEnabled" in request.url.params["$select"]
        mail, name = re.fullmatch(r"mail eq '(.*)' or userPrincipalName eq '(.*)'", query).groups()  # type: ignore[union-attr]
        wanted = {_unquoted(mail), _unquoted(name)}
        return [who for who in self.people.values() if {who.email.lower(), who.username.lower()} & wanted]

    def _groups(self, request: httpx.Request) -> list[FakeGroup]:
        query = request.url.params.get("$filter")
        if query is None:
            return list(self.groups.values())
        name = _unquoted(re.fullmatch(r"displayName eq '(.*)'", query).group(1))  # type: ignore[union-attr]
        found = [group for group in self.groups.values() if group.name.lower() == name]
        return [group for group in found if not self._is_hidden(group.id)]

    def _is_hidden(self, group_id: str) -> bool:
        left = self._hidden.get(group_id, 0)
        self._hidden[group_id] = max(0, left - 1)
        return left > 0

    def _page(self, request: httpx.Request, items: list[dict[str, Any]]) -> httpx.Response:
        params = request.url.params
        most = min(int(params.get("$top", 100)), self.page_size)
        start = int(params.get("$skiptoken", "t0")[1:])
        body: dict[str, Any] = {"@odata.context": f"{self.base}/$metadata", "value": items[start : start + most]}
        if start + most < len(items):
            body["@odata.nextLink"] = str(request.url.copy_merge_params({"$skiptoken": f"t{start + most}"}))
        return httpx.Response(200, json=body)

    def _upsert(self, request: httpx.Request, unique_name: str) -> httpx.Response:
        """group-upsert: 201 with the group, or 204 where it exists, on the copy that takes the writes."""
        assert request.headers["Prefer"] == "create-if-missing"
        body = json.loads(request.content)
        assert {"displayName", "mailEnabled", "mailNickname", "securityEnabled"} <= body.keys()
        assert re.fullmatch(r'[^@()\\\[\]";:<>, ]{1,64}', body["mailNickname"])
        for group in self.groups.values():
            if group.more.get("uniqueName") == unique_name:
                group.name = body["displayName"]
                return httpx.Response(204)
        group_id = self.group(body["displayName"], uniqueName=unique_name)
        self._hidden[group_id] = self.lag
        return httpx.Response(201, json=_shown(self.groups[group_id]))

    def _group(self, request: httpx.Request, group: FakeGroup, rest: list[str]) -> httpx.Response:
        match request.method, rest:
            case "GET", []:
                return httpx.Response(200, json=_shown(group))
            case "PATCH", []:
                group.name = json.loads(request.content)["displayName"]
                return httpx.Response(204)
            case "DELETE", []:
                self.drop_group(group.id)
                return httpx.Response(204)
            case "GET", ["members"] if "$count" in request.url.params:
                assert request.headers["ConsistencyLevel"] == "eventual", "Graph ignores $count without it"
                return httpx.Response(200, json={"@odata.count": len(group.members), "value": []})
            case "GET", ["members"]:
                return self._page(request, [{"@odata.type": "#microsoft.graph.user", "id": m} for m in group.members])
            case "POST", ["members", "$ref"]:
                person_id = json.loads(request.content)["@odata.id"].removeprefix(f"{self.base}/directoryObjects/")
                return self._join(group, person_id)
            case "DELETE", ["members", person_id, "$ref"]:
                if person_id not in group.members:
                    return self.error(404, f"Resource '{person_id}' does not exist.")
                group.members.remove(person_id)
                return httpx.Response(204)
        raise AssertionError(f"{request.method} {request.url} would do something else")

    def _join(self, group: FakeGroup, person_id: str) -> httpx.Response:
        if person_id not in self.people:
            return self.error(404, f"Resource '{person_id}' does not exist.")
        if person_id in group.members:
            text = "One or more added object references already exist for the following modified properties: 'members'."
            return self.error(400, text)
        group.members.append(person_id)
        return httpx.Response(204)


def _unquoted(literal: str) -> str:
    assert "'" not in literal.replace("''", ""), "a quote left the filter"
    return literal.replace("''", "'").lower()


def _user(person: FakePerson) -> dict[str, Any]:
    return {
        "id": person.id,
        "mail": person.email or None,
        "userPrincipalName": person.username,
        "accountEnabled": person.active,
    }


def _shown(group: FakeGroup) -> dict[str, Any]:
    return {"id": group.id, "displayName": group.name, "uniqueName": group.more.get("uniqueName")}
