"""Okta's management API. https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from environments.directory import DirectoryClient
from environments.directory.okta import OktaClient
from tests.environments.directory.fakes.base import SECRET, FakeDirectory, FakeGroup, FakePerson

CODES = {400: "E0000001", 401: "E0000011", 403: "E0000006", 404: "E0000007", 429: "E0000047"}


@dataclass
class FakeOkta(FakeDirectory):
    """With `key`, a service app that signs; without, an API token. `lag`: searches that miss a new group."""

    kind = "okta"
    client_class = OktaClient
    base = "https://acme.okta.com"
    token_url = "https://acme.okta.com/oauth2/v1/token"
    client_id = "0oaportal"

    key: RSAPublicKey | None = None
    lag: int = 0
    _hidden: dict[str, int] = field(default_factory=dict)

    def client(self, **connection: str) -> DirectoryClient:
        return super().client(**({} if self.key else {"client_id": ""}) | connection)

    def authorized(self, request: httpx.Request) -> bool:
        if self.key:
            return super().authorized(request)
        return request.headers["Authorization"] == f"SSWS {SECRET}"

    def may_have_token(self, request: httpx.Request, form: dict[str, str]) -> bool:
        assert self.key, "a client secret gives no token with Okta's own scopes"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert form["scope"] == "okta.groups.manage okta.users.read"
        claims = jwt.decode(form["client_assertion"], self.key, algorithms=["RS256"], audience=self.token_url)
        return claims["iss"] == claims["sub"] == self.client_id and 0 < claims["exp"] - claims["iat"] <= 3600

    def error(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
        body = {
            "errorCode": CODES.get(status, "E0000009"),
            "errorSummary": detail,
            "errorId": "oae1",
            "errorCauses": [],
        }
        return httpx.Response(status, json=body | {"errorLink": body["errorCode"]}, headers=headers)

    def foreign_group(self, key: Any) -> str:
        return self.group(key.name, description="Of the sales team")

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        person = re.fullmatch(r"/api/v1/users/([^/]+)", path)
        if person and request.method == "GET":
            found = self.people.get(person.group(1))
            return httpx.Response(200, json=_user(found)) if found else self.error(404, "no such person")
        match request.method, path:
            case "GET", "/api/v1/users":
                return self._page(request, [_user(person) for person in self._people(request)])
            case "GET", "/api/v1/groups":
                stats = request.url.params.get("expand") == "stats"
                return self._page(request, [_shown(group, stats=stats) for group in self._groups(request)])
            case "POST", "/api/v1/groups":
                return self._create(json.loads(request.content)["profile"])
        group_id, *rest = path.removeprefix("/api/v1/groups/").split("/")
        group = self.groups.get(group_id)
        if group is None:
            return self.error(404, f"Not found: Resource not found: {group_id} (UserGroup)")
        return self._group(request, group, rest)

    def _people(self, request: httpx.Request) -> list[FakePerson]:
        search = request.url.params.get("search")
        if search is None:
            return list(self.people.values())
        email, login = (
            json.loads(f'"{value}"').lower()
            for value in re.fullmatch(r'profile\.email eq "(.*)" or profile\.login eq "(.*)"', search).groups()
        )  # type: ignore[union-attr]
        return [who for who in self.people.values() if who.email.lower() == email or who.username.lower() == login]

    def _groups(self, request: httpx.Request) -> list[FakeGroup]:
        """Names are compared in any case; a new group is shown after a while."""
        search = request.url.params.get("search")
        if search is None:
            return list(self.groups.values())
        if by_id := re.fullmatch(r'id eq "(.*)"', search):
            return [group for group in self.groups.values() if group.id == by_id.group(1)]
        name = json.loads(re.fullmatch(r'profile\.name eq (".*")', search).group(1))  # type: ignore[union-attr]
        found = []
        for group in self.groups.values():
            if group.name.lower() == name.lower():
                hidden = self._hidden.get(group.id, 0)
                self._hidden[group.id] = max(0, hidden - 1)
                found += [] if hidden else [group]
        return found

    def _page(self, request: httpx.Request, items: list[dict[str, Any]]) -> httpx.Response:
        """A page and, in Link headers, its own address and the next one's. The cursor is opaque."""
        params = request.url.params
        most = min(int(params.get("limit", 1000)), self.page_size)
        start = int(params.get("after", "c0")[1:])
        links = [("link", f'<{request.url}>; rel="self"')]
        if start + most < len(items):
            following = request.url.copy_merge_params({"after": f"c{start + most}", "limit": str(most)})
            links.append(("link", f'<{following}>; rel="next"'))
        limits = [("X-Rate-Limit-Limit", "600"), ("X-Rate-Limit-Remaining", "599"), ("X-Rate-Limit-Reset", "1")]
        return httpx.Response(200, json=items[start : start + most], headers=links + limits)

    def _create(self, profile: dict[str, str]) -> httpx.Response:
        assert profile.keys() == {"name", "description"}
        if any(g.name == profile["name"] and g.more.get("type") != "APP_GROUP" for g in self.groups.values()):
            cause = "name: An object with this field already exists in the current organization"
            body = {"errorCode": "E0000001", "errorSummary": "Api validation failed: name"}
            return httpx.Response(400, json=body | {"errorCauses": [{"errorSummary": cause}]})
        group_id = self.group(profile["name"], description=profile["description"])
        self._hidden[group_id] = self.lag
        return httpx.Response(200, json=_shown(self.groups[group_id]))

    def _group(self, request: httpx.Request, group: FakeGroup, rest: list[str]) -> httpx.Response:
        match request.method, rest:
            case "GET", []:
                return httpx.Response(200, json=_shown(group))
            case "PUT", []:
                profile = json.loads(request.content)["profile"]
                group.name, group.more["description"] = profile["name"], profile.get("description")
                return httpx.Response(200, json=_shown(group))
            case "DELETE", []:
                self.drop_group(group.id)
                return httpx.Response(204)
            case "GET", ["users"]:
                return self._page(request, [_user(self.people[member]) for member in group.members])
        assert rest[0] == "users"
        if rest[1] not in self.people:
            return self.error(404, f"Not found: Resource not found: {rest[1]} (User)")
        group.members = [member for member in group.members if member != rest[1]]
        group.members += [rest[1]] if request.method == "PUT" else []
        return httpx.Response(204)


def _user(person: FakePerson) -> dict[str, Any]:
    status = "ACTIVE" if person.active else "DEPROVISIONED"
    return {"id": person.id, "status": status, "profile": {"login": person.username, "email": person.email}}


def _shown(group: FakeGroup, *, stats: bool = False) -> dict[str, Any]:
    profile = {"name": group.name, "description": group.more.get("description")}
    kind = group.more.get("type", "OKTA_GROUP")
    more = {"_embedded": {"stats": {"usersCount": len(group.members), "appsCount": 0}}} if stats else {}
    return more | {"id": group.id, "type": kind, "objectClass": ["okta:user_group"], "profile": profile}
