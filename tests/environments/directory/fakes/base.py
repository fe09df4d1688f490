"""What every fake directory can do, whatever it speaks."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx

from environments.directory import DirectoryClient, GroupKey

SECRET = "t0p-s3cret"


@dataclass
class FakePerson:
    id: str
    username: str
    email: str
    active: bool = True


@dataclass
class FakeGroup:
    id: str
    name: str
    members: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Fault:
    """From the call after `skip` matching ones on, answer with a status."""

    status: int
    matches: Callable[[httpx.Request], bool]
    skip: int = 0
    detail: str = "because"
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 10_000


@dataclass
class FakeDirectory:
    """People and groups, and a product's way to speak of them."""

    kind: ClassVar[str]
    client_class: ClassVar[Callable[..., DirectoryClient]]
    base: ClassVar[str]
    token_url: ClassVar[str]
    client_id: ClassVar[str] = "portal"

    people: dict[str, FakePerson] = field(default_factory=dict)
    groups: dict[str, FakeGroup] = field(default_factory=dict)
    calls: list[httpx.Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    page_size: int = 1000
    tamper: Callable[[httpx.Request, httpx.Response], httpx.Response] | None = None

    # What a test does to the directory behind the portal's back.

    def person(self, name: str, *, active: bool = True, **more: Any) -> FakePerson:
        found = FakePerson(f"id-{name}", f"{name}@example.com", f"{name}@example.com", active)
        for attribute, value in more.items():
            setattr(found, attribute, value)
        self.people[found.id] = found
        return found

    def foreign_group(self, key: GroupKey) -> str:
        """A group of our name that another made."""
        return self.group(key.name)

    def named_group(self, name: str, count: int = 0) -> str:
        """A group of the company's own, with so many members."""
        group_id = self.foreign_group(GroupKey(name, ""))
        self.join(group_id, count)
        return group_id

    def group(self, name: str, **more: Any) -> str:
        group = FakeGroup(f"g{len(self.groups) + 1}", name, [], more)
        self.groups[group.id] = group
        return group.id

    def join(self, group_id: str, count: int) -> set[str]:
        """Many people, all members."""
        ids = {self.person(f"extra{number:04}").id for number in range(count)}
        self.groups[group_id].members.extend(sorted(ids))
        return ids

    def member_ids(self, group_id: str) -> list[str]:
        return sorted(self.groups[group_id].members)

    def drop_group(self, group_id: str) -> None:
        del self.groups[group_id]

    def rename(self, group_id: str, name: str) -> None:
        """What an admin of the directory does to a group."""
        self.groups[group_id].name = name

    def fail(self, status: int, **options: Any) -> None:
        """Answer a status from now on, to every call or to those that match."""
        matches = options.pop("matches", lambda request: True)
        self.faults.append(Fault(status, matches, **options))

    # What the portal sees.

    def client(self, **connection: str) -> DirectoryClient:
        row = {"url": self.base, "token_url": "", "client_id": self.client_id, "secret": SECRET} | connection
        return type(self).client_class(SimpleNamespace(**row), httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == self.token_url:
            return self._token(request)
        self.calls.append(request)
        response = self._fault(request) or self._answer(request)
        return self.tamper(request, response) if self.tamper else response

    def sent(self, method: str) -> list[str]:
        return [request.url.path for request in self.calls if request.method == method]

    def _fault(self, request: httpx.Request) -> httpx.Response | None:
        if not self.authorized(request):
            return self.error(401, "the token is not valid")
        for fault in self.faults:
            if not fault.matches(request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times > 0:
                fault.times -= 1
                return self.error(fault.status, fault.detail, fault.headers)
        return None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(httpx.URL(self.base).path.rstrip("/"))
        return self.answer(request, path)

    def authorized(self, request: httpx.Request) -> bool:
        return request.headers["Authorization"].removeprefix("Bearer ") in self.valid

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["grant_type"] == "client_credentials"
        if not self.may_have_token(request, form):
            return httpx.Response(401, json={"error": "invalid_client", "error_description": f"not {SECRET}"})
        self.tokens.append(f"token{len(self.tokens) + 1}")
        self.valid.add(self.tokens[-1])
        return httpx.Response(200, json={"access_token": self.tokens[-1], "expires_in": 300, "token_type": "Bearer"})

    def may_have_token(self, request: httpx.Request, form: dict[str, str]) -> bool:
        basic = base64.b64encode(f"{self.client_id}:{SECRET}".encode()).decode()
        in_header = request.headers.get("Authorization") == f"Basic {basic}"
        return in_header or (form.get("client_id"), form.get("client_secret")) == (self.client_id, SECRET)

    # What is the product's.

    def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        raise NotImplementedError

    def error(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
        raise NotImplementedError
