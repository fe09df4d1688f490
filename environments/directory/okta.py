"""Okta: people and groups of one organisation, over its management API.

Written from https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/ and …/tag/User/,
https://developer.okta.com/docs/reference/rl-best-practices/ (rate limits) and
https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/ (tokens).

The base URL is the organisation's: https://acme.okta.com. Without a client id the secret is an API token (SSWS).
With one it is the private key of a service app, as PEM or JWK: Okta gives its own scopes only to clients that sign.

The environment's id ends the group's description. A search may be behind by some seconds; names are unique among
Okta's own groups, so a group that a search does not show yet is a conflict when it is made again, and tried later.
"""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import jwt

from environments.directory.answers import (
    MAX_RETRY_AFTER,
    ConflictError,
    Json,
    bears_environment,
    not_ours,
    number,
    objects,
    text,
    words,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.rest import Page, RestClient, inner, pages, part, quoted
from environments.directory.transport import Connection, Dialect, standard_delay
from environments.lib.errors import PermanentError

PAGE = 200  # what the documentation recommends
LIFETIME = 300  # seconds that a signed statement is good for
_NOT_ACTIVE = {"DEPROVISIONED", "SUSPENDED"}


class OktaClient(RestClient):
    """A DirectoryClient for one Okta organisation. Safe to use from several threads."""

    groups = "/api/v1/groups"
    users = "/api/v1/users"

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        dialect = Dialect(
            scheme="SSWS",
            token_url=f"{connection.url.rstrip('/')}/oauth2/v1/token",
            scope="okta.groups.manage okta.users.read",
            assertion=signed,
            detail=_detail,
            delay=_delay,
        )
        super().__init__(connection, dialect, transport)

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none (yet). Raises PermanentError (NotOurs). GET /api/v1/groups."""
        named = self._named(key.name)
        if any(not _is_ours(group, key) for group in named) or len(named) > 1:
            raise not_ours(key.name)
        return text(named[0], "id") if named else None

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name, in any case, also those of applications. GET /api/v1/groups."""
        return [self._named_group(group) for group in self._named(name)]

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has. GET /api/v1/groups with the groups' statistics."""
        query = {"search": f"id eq {quoted(group_id)}", "expand": "stats", "limit": "1"}
        found, _ = self._http.listing(self.groups, query)
        counts = (number(inner(inner(group, "_embedded"), "stats").get("usersCount")) for group in found)
        return next((int(count) for count in counts if count is not None), None)

    def check(self) -> str:
        """One sentence that says who answers. Reads a person and a group, as the portal's work needs."""
        for path in ("/api/v1/users", self.groups):
            self._http.listing(path, {"limit": "1"})
        return f"Okta at {urlsplit(self._base).hostname} answers and lets the portal read people and groups."

    def _named(self, name: str) -> list[Json]:
        query = {"search": f"profile.name eq {quoted(name)}", "limit": str(PAGE)}
        found = pages(self._page, self.groups, query)
        return [group for group in found if words(inner(group, "profile").get("name")).casefold() == name.casefold()]

    def _rename(self, group_id: str, name: str) -> None:
        """PUT /api/v1/groups/{groupId}: the profile as a whole, with the description as it was."""
        path = self._group_path(group_id)
        profile = inner(self._http.request("GET", path).body, "profile")
        self._http.request("PUT", path, body={"profile": profile | {"name": name}})

    def _named_group(self, group: Json) -> NamedGroup:
        profile = inner(group, "profile")
        of_portal = bears_environment(words(profile.get("description")))
        return NamedGroup(text(group, "id"), text(profile, "name"), of_portal=of_portal)

    def _people(self, email: str) -> Iterator[Person]:
        """GET /api/v1/users. A search finds deactivated people too, in any case of letters."""
        search = f"profile.email eq {quoted(email)} or profile.login eq {quoted(email)}"
        return (_person(user) for user in pages(self._page, "/api/v1/users", {"search": search, "limit": str(PAGE)}))

    def _person(self, user: Json) -> Person:
        return _person(user)

    def _create(self, key: GroupKey) -> str:
        """POST /api/v1/groups: 200 with the group, 400 where an Okta group of this name exists."""
        description = f"{key.description} {_mark(key)}".strip()
        try:
            reply = self._http.request(
                "POST", self.groups, body={"profile": {"name": key.name, "description": description}}
            )
        except PermanentError as error:
            if "already exists" in error.message:
                raise ConflictError(error.message, reason="Conflict") from error
            raise
        return text(reply.body, "id")

    def _members(self, group_id: str) -> Iterator[Json]:
        """GET /api/v1/groups/{groupId}/users."""
        return pages(self._page, f"{self._group_path(group_id)}/users", {"limit": str(PAGE)})

    def _add(self, group_id: str, person_id: str) -> None:
        """PUT /api/v1/groups/{groupId}/users/{userId}; the same answer where the person is in already."""
        self._http.request("PUT", f"{self._group_path(group_id)}/users/{part(person_id)}")

    def _remove(self, group_id: str, person_id: str) -> None:
        """DELETE /api/v1/groups/{groupId}/users/{userId}."""
        self._http.request("DELETE", f"{self._group_path(group_id)}/users/{part(person_id)}")

    def _page(self, path: str, params: dict[str, str] | None) -> Page:
        """One page. The next one is a link (RFC 8288) in a header."""
        items, headers = self._http.listing(path, params)
        links = httpx.Response(200, headers=headers).links
        return items, links.get("next", {}).get("url", "")


def _detail(answer: Json) -> str:
    """The server's words in an error, with their causes."""
    causes = [words(cause.get("errorSummary")) for cause in objects(answer.get("errorCauses") or [])]
    return "; ".join(said for said in (words(answer.get("errorSummary")), *causes) if said)


def _delay(headers: httpx.Headers) -> float | None:
    """Seconds until the rate limit starts anew: X-Rate-Limit-Reset is in epoch seconds of the server's clock."""
    reset = number(headers.get("X-Rate-Limit-Reset"))
    if reset is None or "Retry-After" in headers:
        return standard_delay(headers)
    return min(max(0.0, reset - _now(headers)), MAX_RETRY_AFTER)


def _now(headers: httpx.Headers) -> float:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return datetime.now(UTC).timestamp()


def _mark(key: GroupKey) -> str:
    return f"[{key.environment_id}]"


def _is_ours(group: Json, key: GroupKey) -> bool:
    """Only groups of Okta's own: those that an application imports belong to it."""
    return group.get("type") == "OKTA_GROUP" and words(inner(group, "profile").get("description")).endswith(_mark(key))


def _person(user: Json) -> Person:
    profile = inner(user, "profile")
    return Person(
        id=text(user, "id"),
        email=words(profile.get("email")),
        username=words(profile.get("login")),
        active=user.get("status") not in _NOT_ACTIVE,
    )


def signed(client_id: str, key: str, token_url: str) -> str:
    """A signed statement that this client asks this token endpoint, instead of a secret (RFC 7523 §2.2).

    `key`: a private key as PEM or JWK.
    Raises PermanentError (BadKey), which says nothing of the key. Claims: RFC 7523 §3.
    """
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    try:
        if not key.lstrip().startswith("{"):
            return jwt.encode(claims, key, algorithm="RS256")
        found = jwt.PyJWK(json.loads(key))
        headers = {"kid": found.key_id} if found.key_id else None
        return jwt.encode(claims, found.key, algorithm=found.algorithm_name, headers=headers)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise PermanentError(
            "The directory's secret is not a private key (PEM or JWK). A platform admin must correct it.",
            reason="BadKey",
        ) from error
