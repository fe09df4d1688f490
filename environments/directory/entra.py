"""Microsoft Entra ID: people and security groups of one tenant, over Microsoft Graph v1.0.

Written from https://learn.microsoft.com/graph/api/resources/group and the pages group-upsert, group-list,
group-post-members, group-delete-members, group-list-members, group-delete and user-list beside it,
https://learn.microsoft.com/graph/errors, https://learn.microsoft.com/graph/throttling and
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (tokens).

The base URL is https://graph.microsoft.com/v1.0 (national clouds have others), the token endpoint names the tenant.
The group's `uniqueName`, which cannot be changed, holds the environment's id. Names of groups are not unique in Entra
ID: a group of our name that another made is refused, since a token may tell groups by name.

The tenant is many copies that agree after a while: what was just made may be answered with 404. A group is made by
its `uniqueName`, so that making it again makes no second one; and for a minute after it was made, a 404 is a
"not yet".
"""

import threading
import time
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

import httpx

from environments.directory.answers import (
    Json,
    NotFoundError,
    bears_environment,
    gone,
    not_ours,
    number,
    objects,
    text,
    truth,
    words,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.rest import SOON, Page, RestClient, inner, pages, part
from environments.directory.transport import Connection, Dialect
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

PAGE = 999  # the most that the documentation allows
MAX_NICKNAME = 64
FRESH = 60.0  # seconds in which a new group may not be seen everywhere
_PERSON = "id,mail,userPrincipalName,accountEnabled"
_GROUP = "id,displayName,uniqueName"
_ALREADY_IN = "added object references already exist"


class EntraClient(RestClient):
    """A DirectoryClient for one tenant. Safe to use from several threads."""

    user_query: ClassVar[dict[str, str]] = {"$select": _PERSON}
    group_query: ClassVar[dict[str, str]] = {"$select": _GROUP}

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        parts = urlsplit(connection.url)
        dialect = Dialect(scope=f"{parts.scheme}://{parts.netloc}/.default", detail=_detail)
        super().__init__(connection, dialect, transport)
        self._made: dict[str, float] = {}
        self._lock = threading.Lock()

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none (yet). Raises PermanentError (NotOurs). GET /groups."""
        named = self._named(key.name)
        if any(group.get("uniqueName") != _unique_name(key) for group in named) or len(named) > 1:
            raise not_ours(key.name)
        return text(named[0], "id") if named else None

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name, in any case. GET /groups."""
        return [self._named_group(group) for group in self._named(name)]

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has. `$count` needs this header: learn.microsoft.com/graph/aad-advanced-queries."""
        query = {"$count": "true", "$top": "1", "$select": "id"}
        path, headers = f"{self._group_path(group_id)}/members", {"ConsistencyLevel": "eventual"}
        try:
            count = number(self._http.request("GET", path, params=query, headers=headers).body.get("@odata.count"))
        except NotFoundError as error:
            raise self._missing(group_id) from error
        return None if count is None else int(count)

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone. DELETE /groups/{id}. Raises TemporaryError (NotYet)."""
        super().delete_group(group_id)
        with self._lock:
            self._made.pop(group_id, None)

    def check(self) -> str:
        """One sentence that says who answers. Reads a person and a group, as the portal's work needs."""
        for path in ("/users", self.groups):
            self._page(path, {"$top": "1", "$select": "id"})
        return f"Microsoft Graph at {urlsplit(self._base).hostname} answers and lets the portal read people and groups."

    def _named(self, name: str) -> list[Json]:
        query = {"$filter": f"displayName eq {_literal(name)}", "$select": _GROUP}
        found = pages(self._page, self.groups, query)
        return [group for group in found if words(group.get("displayName")).casefold() == name.casefold()]

    def _rename(self, group_id: str, name: str) -> None:
        """PATCH /groups/{id}."""
        self._http.request("PATCH", self._group_path(group_id), body={"displayName": name})

    def _named_group(self, group: Json) -> NamedGroup:
        of_portal = bears_environment(words(group.get("uniqueName")))
        return NamedGroup(text(group, "id"), text(group, "displayName"), of_portal=of_portal)

    def _people(self, email: str) -> Iterator[Person]:
        """GET /users. `accountEnabled` is only given where it is asked for."""
        wanted = _literal(email)
        query = {"$filter": f"mail eq {wanted} or userPrincipalName eq {wanted}", "$select": _PERSON}
        return (_person(user) for user in pages(self._page, "/users", query))

    def _person(self, user: Json) -> Person:
        return _person(user)

    def _create(self, key: GroupKey) -> str:
        """PATCH /groups(uniqueName='…'): 201 with the group, or 204 where it exists, which is then looked for."""
        body = {
            "displayName": key.name,
            "description": key.description or f"Environment {key.environment_id}",
            "groupTypes": [],
            "mailEnabled": False,
            "mailNickname": key.name[:MAX_NICKNAME],
            "securityEnabled": True,
        }
        path = f"{self.groups}(uniqueName='{part(_unique_name(key))}')"
        reply = self._http.request("PATCH", path, body=body, headers={"Prefer": "create-if-missing"})
        if not reply.body:
            return self.find_group(key) or ""
        group_id = text(reply.body, "id")
        self._remember(group_id)
        return group_id

    def _members(self, group_id: str) -> Iterator[Json]:
        """GET /groups/{id}/members: people, and whatever else is in the group."""
        query = {"$select": "id", "$top": str(PAGE)}
        return pages(self._page, f"{self._group_path(group_id)}/members", query)

    def _add(self, group_id: str, person_id: str) -> None:
        """POST /groups/{id}/members/$ref; 400 where the person is in already."""
        body = {"@odata.id": f"{self._base}/directoryObjects/{part(person_id)}"}
        try:
            self._http.request("POST", f"{self._group_path(group_id)}/members/$ref", body=body)
        except PermanentError as error:
            if isinstance(error, NotFoundError) or _ALREADY_IN not in error.message:
                raise

    def _remove(self, group_id: str, person_id: str) -> None:
        """DELETE /groups/{id}/members/{id}/$ref. Without `$ref` it would delete the person."""
        self._http.request("DELETE", f"{self._group_path(group_id)}/members/{part(person_id)}/$ref")

    def _page(self, path: str, params: dict[str, str] | None) -> Page:
        """One page and the address of the next."""
        body = self._http.request("GET", path, params=params).body
        return objects(body.get("value")), words(body.get("@odata.nextLink"))

    def _missing(self, group_id: str) -> ReconcileError:
        with self._lock:
            made = self._made.get(group_id)
        if made is None or time.monotonic() - made > FRESH:
            return gone()
        return TemporaryError(
            "The directory does not show the new group everywhere yet.", reason="NotYet", retry_after=SOON
        )

    def _remember(self, group_id: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._made = {known: made for known, made in self._made.items() if now - made <= FRESH} | {group_id: now}


def _detail(answer: Json) -> str:
    return words(inner(answer, "error").get("message"))


def _literal(value: str) -> str:
    """A text in a $filter. A quote within it is doubled (OData 4.01, URL conventions §5.1.1.6)."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def _unique_name(key: GroupKey) -> str:
    """The group's own key. It holds the role too (in the name), since an environment has a group for each."""
    return f"{key.environment_id}.{key.name}"


def _person(user: Json) -> Person:
    username = words(user.get("userPrincipalName"))
    return Person(
        id=text(user, "id"),
        email=words(user.get("mail")) or username,
        username=username,
        active=truth(user.get("accountEnabled"), default=True),
    )
