"""Keycloak: people and groups of one realm, over its Admin REST API.

Written from https://www.keycloak.org/docs-api/latest/rest-api/index.html (resources Groups and Users) and
https://www.keycloak.org/docs/latest/server_development/#admin-rest-api (tokens).

The base URL ends in the realm: https://kc.example.com/admin/realms/acme. The environment's id is an attribute of the
group, which its members cannot change. Sub-groups are searched too: a token that names groups without their path
would not tell another's sub-group of our name from ours.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from environments.directory.answers import (
    Json,
    Limit,
    NotFoundError,
    not_ours,
    number,
    objects,
    partial_answer,
    text,
    too_many_pages,
    truth,
    words,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.rest import RestClient, part
from environments.directory.transport import Connection, Dialect
from environments.lib.errors import PermanentError, TemporaryError

PAGE = 100  # what the documentation names as the default
COUNTED = 1000  # members that one call may list in order to count them
ENVIRONMENT = "environment-id"  # the attribute
_ADMIN = "/admin/realms/"


class KeycloakClient(RestClient):
    """A DirectoryClient for one realm. Safe to use from several threads."""

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        dialect = Dialect(token_url=token_url(connection.url), detail=_detail)
        super().__init__(connection, dialect, transport)

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none. Raises PermanentError (NotOurs). GET /groups."""
        named = [group for group in self._search(key.name) if words(group.get("name")) == key.name]
        if any(not _is_ours(group, key) for group in named) or len(named) > 1:
            raise not_ours(key.name)
        return text(named[0], "id") if named else None

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name or, if it begins with a slash, this path; sub-groups too. GET /groups."""
        found = [self._named_group(group) for group in self._search(name.rpartition("/")[2])]
        wanted = name.casefold()
        return [group for group in found if wanted == (group.path if name[:1] == "/" else group.name).casefold()]

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has, None for more than a thousand: Keycloak has no count of them."""
        query = {"first": "0", "max": str(COUNTED + 1), "briefRepresentation": "true"}
        try:
            found, _ = self._http.listing(f"{self._group_path(group_id)}/members", query)
        except NotFoundError as error:
            raise self._missing(group_id) from error
        return len(found) if len(found) <= COUNTED else None

    def check(self) -> str:
        """One sentence that says who answers. Reads a person and the groups, as the portal's work needs."""
        self._http.listing("/users", {"max": "1"})
        count = number(self._http.request("GET", "/groups/count").body.get("count"))
        if count is None:
            raise TemporaryError("The server at the directory's address is not Keycloak.", reason="BadAnswer")
        host, realm = urlsplit(self._base).hostname, self._base.rpartition("/")[2]
        return f"Keycloak at {host} answers for the realm {realm}; it has {count:.0f} groups."

    def _search(self, name: str) -> Iterator[Json]:
        """The groups that a search for a name finds, and all around and below them."""
        query = {"search": name, "exact": "true", "briefRepresentation": "false"}
        return (group for top in self._pages("/groups", query) for group in _tree(top))

    def _rename(self, group_id: str, name: str) -> None:
        """PUT /groups/{group-id}, with the attributes as they were: those that are sent replace all."""
        path = self._group_path(group_id)
        attributes = self._http.request("GET", path).body.get("attributes") or {}
        self._http.request("PUT", path, body={"name": name, "attributes": attributes})

    def _named_group(self, group: Json) -> NamedGroup:
        attributes = group.get("attributes")
        of_portal = isinstance(attributes, dict) and ENVIRONMENT in attributes
        return NamedGroup(text(group, "id"), text(group, "name"), words(group.get("path")), of_portal)

    def _people(self, email: str) -> Iterator[Person]:
        """GET /users, by address and by user name."""
        for field in ("email", "username"):
            for user in self._pages("/users", {field: email, "exact": "true", "briefRepresentation": "true"}):
                yield _person(user)

    def _person(self, user: Json) -> Person:
        return _person(user)

    def _create(self, key: GroupKey) -> str:
        """POST /groups: 201 with the new group's address, 409 where the name is taken."""
        attributes = {ENVIRONMENT: [key.environment_id]} | (
            {"description": [key.description]} if key.description else {}
        )
        reply = self._http.request("POST", "/groups", body={"name": key.name, "attributes": attributes})
        location = urlsplit(reply.headers.get("Location", "")).path
        return location.rpartition("/groups/")[2] or self.find_group(key) or ""

    def _members(self, group_id: str) -> Iterator[Json]:
        """GET /groups/{group-id}/members."""
        return self._pages(f"{self._group_path(group_id)}/members", {"briefRepresentation": "true"})

    def _add(self, group_id: str, person_id: str) -> None:
        """PUT /users/{user-id}/groups/{groupId}; the same answer where the person is in already."""
        self._http.request("PUT", f"/users/{part(person_id)}/groups/{part(group_id)}")

    def _remove(self, group_id: str, person_id: str) -> None:
        """DELETE /users/{user-id}/groups/{groupId}."""
        self._http.request("DELETE", f"/users/{part(person_id)}/groups/{part(group_id)}")

    def _pages(self, path: str, params: dict[str, str]) -> Iterator[Json]:
        """A whole list. There is no total, so each page begins with the last of the page before.

        Raises TemporaryError (PartialAnswer) where it does not: the list changed while it was read, and a resource
        may have slipped from one page to another.
        """
        first, last, limit = 0, "", Limit()
        while limit.allows(first):
            page, _headers = self._http.listing(path, params | {"first": str(first), "max": str(PAGE)})
            if last and (not page or text(page[0], "id") != last):
                raise partial_answer("The directory changed while the portal was reading it.")
            yield from page[1:] if last else page
            if len(page) < PAGE:
                return
            first, last = first + len(page) - 1, text(page[-1], "id")
        raise too_many_pages()


def token_url(url: str) -> str:
    """Where a realm's tokens come from. Raises PermanentError (BadAddress) where the address names no realm."""
    server, admin, realm = url.rstrip("/").partition(_ADMIN)
    if not admin or not realm or "/" in realm:
        raise PermanentError(
            "The directory's base URL must end in /admin/realms/ and the realm, for example /admin/realms/acme. "
            "A platform admin must correct it.",
            reason="BadAddress",
        )
    return f"{server}/realms/{realm}/protocol/openid-connect/token"


def _detail(answer: Json) -> str:
    """The server's words in an error: one of three names, after where it comes from."""
    return next(
        (said for name in ("errorMessage", "error_description", "error") if (said := words(answer.get(name)))), ""
    )


def _tree(group: Json) -> Iterator[Json]:
    """A group and all below it."""
    yield group
    for child in objects(group.get("subGroups") or []):
        yield from _tree(child)


def _is_ours(group: Json, key: GroupKey) -> bool:
    attributes: Any = group.get("attributes")
    return isinstance(attributes, dict) and attributes.get(ENVIRONMENT) == [key.environment_id]


def _person(user: Json) -> Person:
    return Person(
        id=text(user, "id"),
        email=words(user.get("email")),
        username=words(user.get("username")),
        active=truth(user.get("enabled"), default=True),
    )
