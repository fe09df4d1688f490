"""A SCIM server at the HTTP edge, with the faults of real ones to switch on."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from environments.directory import GroupKey, Person
from environments.directory.scim import ScimClient
from environments.lib.errors import ReconcileError

BASE = "https://idp.example.com/scim/v2"
TOKEN_URL = "https://idp.example.com/token"


KEY = GroupKey("dana-shop-x7k2p-admin", "6f1c0a52-0000-0000-0000-000000000001")
DANA = Person("u1", "dana@example.com", "dana@example.com")
THEO = Person("u2", "theo@example.com", "theo@example.com")


def user(user_id: str, email: str, **more: Any) -> dict[str, Any]:
    return {"id": user_id, "userName": email, "emails": [{"value": email}], "active": True} | more


@dataclass
class FakeServer:
    """People and groups, and how the server speaks of them. `calls` has every request: method, path, query."""

    users: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    filters: bool = True
    patches: bool = True
    etags: bool = False
    page_size: int = 100
    keeps_external_id: bool = True
    has_config: bool = True
    tamper: Callable[[httpx.Request, httpx.Response], httpx.Response] | None = None
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)

    def client(
        self, secret: str = "s3cret", token_url: str = "", client_id: str = "", keeper: Any = None
    ) -> ScimClient:
        connection = SimpleNamespace(url=BASE + "/", token_url=token_url, client_id=client_id, secret=secret)
        return ScimClient(connection, httpx.MockTransport(self), keeper=keeper)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/scim/v2")
        self.calls.append((request.method, path, dict(request.url.params)))
        self.headers.append(request.headers)
        response = self._answer(request, path)
        return self.tamper(request, response) if self.tamper else response

    def sent(self, method: str) -> list[str]:
        return [path for verb, path, _ in self.calls if verb == method]

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/ServiceProviderConfig":
            config = {"filter": {"supported": self.filters}, "patch": {"supported": self.patches}}
            return httpx.Response(200, json=config) if self.has_config else error(404)
        if path == "/Users":
            return self._list(request, self.users)
        if path == "/Groups":
            return self._list(request, list(self.groups.values())) if request.method == "GET" else self._create(request)
        if path.startswith("/Users/"):
            found = next((item for item in self.users if item["id"] == unquote(path.removeprefix("/Users/"))), None)
            return httpx.Response(200, json=found) if found else error(404, "no such user")
        group = self.groups.get(unquote(path.removeprefix("/Groups/")))
        return self._group(request, group) if group else error(404, "no such group")

    def _list(self, request: httpx.Request, resources: list[dict[str, Any]]) -> httpx.Response:
        query = request.url.params.get("filter", "")
        if query and self.filters:
            attribute, value = re.fullmatch(r'([\w.]+) eq (".*")', query).groups()  # type: ignore[union-attr]
            resources = [item for item in resources if json.loads(value).lower() in _values(item, attribute)]
        start = int(request.url.params.get("startIndex", 1))
        page = resources[start - 1 : start - 1 + self.page_size]
        return httpx.Response(200, json={"totalResults": len(resources), "startIndex": start, "Resources": page})

    def _create(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if any(group["displayName"] == body["displayName"] for group in self.groups.values()):
            return error(409, "displayName is taken")
        group = body | {"id": f"g{len(self.groups) + 1}"}
        if not self.keeps_external_id:
            del group["externalId"]
        self.groups[group["id"]] = group
        return httpx.Response(201, json=group)

    def _group(self, request: httpx.Request, group: dict[str, Any]) -> httpx.Response:
        etag = f'W/"{len(json.dumps(group))}"'
        wanted = request.headers.get("If-Match")
        if self.etags and wanted and wanted != etag:
            return error(412, "it changed")
        match request.method:
            case "DELETE":
                del self.groups[group["id"]]
                return httpx.Response(204)
            case "PUT":
                self.groups[group["id"]] = group = json.loads(request.content) | {"id": group["id"]}
            case "PATCH" if not self.patches:
                return error(501, "no PATCH here")
            case "PATCH":
                for operation in json.loads(request.content)["Operations"]:
                    self._apply(group, operation)
        return httpx.Response(200, json=group, headers={"ETag": etag} if self.etags else {})

    def _apply(self, group: dict[str, Any], operation: dict[str, Any]) -> None:
        if operation.get("path") == "displayName":
            group["displayName"] = operation["value"]
            return
        members = group.setdefault("members", [])
        if operation["op"] == "add":
            known = {member["value"] for member in members}
            members.extend(member for member in operation["value"] if member["value"] not in known)
        elif operation["op"] == "replace":
            group["members"] = operation["value"]
        else:
            gone = json.loads(re.fullmatch(r"members\[value eq (.*)\]", operation["path"]).group(1))  # type: ignore[union-attr]
            assert self.filters, "a filter in a path was sent to a server without filters"
            assert any(member["value"] == gone for member in members), "noTarget"
            group["members"] = [member for member in members if member["value"] != gone]


def error(status: int, detail: str = "", **headers: str) -> httpx.Response:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": detail, "status": str(status)}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def _values(resource: dict[str, Any], attribute: str) -> list[str]:
    if attribute == "emails.value":
        return [entry["value"].lower() for entry in resource.get("emails", [])]
    return [str(resource.get(attribute, "")).lower()]


def server(**options: Any) -> FakeServer:
    people = [user("u1", DANA.email), user("u2", THEO.email), user("u3", "max@example.com")]
    return FakeServer(users=people, **options)


def with_group(fake: FakeServer, *members: str) -> FakeServer:
    fake.groups["g1"] = {
        "id": "g1",
        "displayName": KEY.name,
        "externalId": f"{KEY.environment_id}/{KEY.name}",
        "members": [{"value": member} for member in members],
    }
    return fake


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(ReconcileError) as caught:
        call()
    return f"{type(caught.value).__name__} {caught.value.reason}"
