"""SCIM servers that do otherwise than they say, as real ones were seen to, one fault at a time or several together."""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

from tests.environments.directory.fake import DANA, THEO, FakeServer, error, user


@dataclass
class OddServer(FakeServer):
    exact: bool = False  # filters distinguish capitals
    answers: str = ""  # filters: "empty", "all" or "refused"
    first_page_only: bool = False
    post_members: bool = True
    put_members: bool = True
    replace: str = ""  # PATCH replace is "refused", or is "added"
    value_paths: str = ""  # "refused" or "failed" (500)
    value_removal: str = "refused"  # remove with values: "refused", "works" or "all" (everybody is out)
    adds: bool = True
    shows_members: bool = True
    unique_external_ids: bool = False
    unknown: str = ""  # whom the server refuses to add

    def _list(self, request: httpx.Request, resources: list[dict[str, Any]]) -> httpx.Response:
        query = request.url.params.get("filter", "")
        if query and self.answers == "refused":
            return error(400, "no such filter")
        if query and self.answers:
            resources = [] if self.answers == "empty" else resources
            return self._paged(request, resources)
        if query and self.exact:
            name, value = re.fullmatch(r'([\w.]+) eq (".*")', query).groups()  # type: ignore[union-attr]
            return self._paged(request, [each for each in resources if json.loads(value) in _texts(each, name)])
        if self.first_page_only and not query:
            found = json.loads(super()._list(request, resources).content)
            return httpx.Response(200, json=found | {"Resources": resources[: self.page_size]})
        return super()._list(request, resources)

    def _paged(self, request: httpx.Request, resources: list[dict[str, Any]]) -> httpx.Response:
        start = 1 if self.first_page_only else int(request.url.params.get("startIndex", 1))
        page = resources[start - 1 : start - 1 + self.page_size]
        return httpx.Response(200, json={"totalResults": len(resources), "startIndex": start, "Resources": page})

    def _create(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if self.unique_external_ids and any(
            group.get("externalId") == body.get("externalId") for group in self.groups.values()
        ):
            return error(409, "externalId is taken")
        made = super()._create(request)
        if made.status_code == 201 and not self.post_members:
            self.groups[made.json()["id"]]["members"] = []
            return httpx.Response(201, json=made.json() | {"members": []})
        return self._hidden(made)

    def _group(self, request: httpx.Request, group: dict[str, Any]) -> httpx.Response:
        kept = list(group.get("members", []))
        refused = self._refusal(request, group) if request.method == "PATCH" else None
        answer = refused or super()._group(request, group)
        if request.method == "PUT" and not self.put_members:
            self.groups[group["id"]]["members"] = kept
            answer = httpx.Response(200, json=self.groups[group["id"]])
        return self._hidden(answer)

    def _refusal(self, request: httpx.Request, group: dict[str, Any]) -> httpx.Response | None:
        for operation in json.loads(request.content)["Operations"]:
            kind, path = operation["op"], operation["path"]
            if self.unknown and self.unknown in json.dumps(operation):
                return error(400, "no such user")
            if kind == "replace" and self.replace == "refused":
                return error(501)
            if kind == "remove" and "[" in path and self.value_paths:
                return error(501 if self.value_paths == "refused" else 500)
            if kind == "remove" and "[" in path and not any(f'"{each["value"]}"' in path for each in group["members"]):
                return httpx.Response(400, json={"scimType": "noTarget", "detail": "nobody matches"})
            if kind == "remove" and "value" in operation and self.value_removal == "refused":
                return error(400, "a remove operation carries no value")
        return None

    def _apply(self, group: dict[str, Any], operation: dict[str, Any]) -> None:
        if operation["op"] == "add" and not self.adds:
            return
        if operation["op"] == "replace" and self.replace == "added":
            operation = operation | {"op": "add"}
        if operation["op"] == "remove" and "value" in operation:
            out = {member["value"] for member in operation["value"]}
            left = [member for member in group["members"] if member["value"] not in out]
            group["members"] = [] if self.value_removal == "all" else left
            return
        super()._apply(group, operation)

    def _hidden(self, answer: httpx.Response) -> httpx.Response:
        if self.shows_members or answer.status_code not in (200, 201):
            return answer
        shown = {name: value for name, value in answer.json().items() if name != "members"}
        return httpx.Response(answer.status_code, json=shown)


def odd(**options: Any) -> OddServer:
    people = [user("u1", DANA.email), user("u2", THEO.email), user("u3", "max@example.com")]
    return OddServer(users=people, **options)


class Kept:
    """A keeper in memory, for clients of several processes."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        return dict(self.facts)

    def keep(self, fact: str, value: str) -> None:
        self.facts[fact] = value


def _texts(resource: dict[str, Any], name: str) -> list[str]:
    if name == "emails.value":
        return [entry["value"] for entry in resource.get("emails", [])]
    return [str(resource.get(name, ""))]
