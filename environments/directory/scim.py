"""SCIM 2.0 (RFC 7643, RFC 7644): people and groups in an identity provider.

The portal asks a server what it can do (ServiceProviderConfig) and believes it, with one reserve: whatever was
filtered there is compared here again, since some servers ignore a filter they do not know.

What servers were seen to do differs, and decides the details:
- `count` is never sent. It is optional, and Canaille 0.3.6 answers it with 500.
- A member is written and read by the last part of its URI (RFC 7644 §3.2: `…/Users/{id}`), which is its `id`
  everywhere but in Canaille, where both the URI and `members[].value` hold the user name.
- A path with a filter (`members[value eq "…"]`) is used only where the server filters. Others get all the remaining
  members in one PATCH `replace`, or where they cannot PATCH, in a PUT; both with If-Match where they give entity tags.
- A member who is in already is not added again: scim2-server 0.2.0 would have them twice. Its `totalResults` is the
  number of resources on the page, so a list that was not filtered ends only where nothing new comes after it.
- `externalId` tells our groups from others'. Where the server does not keep it (Canaille), a single group of our
  name is ours: the name ends in random characters, and the caller stores the group's id. Two of one name are not.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from environments.directory.answers import (
    ConflictError,
    Json,
    Limit,
    NotFoundError,
    attribute,
    bears_environment,
    choose,
    gone,
    not_ours,
    number,
    partial_answer,
    text,
    too_many_pages,
    truth,
    words,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.transport import Connection, Dialect, Http, Reply
from environments.lib.errors import PermanentError, TemporaryError

DIALECT = Dialect(content_type="application/scim+json")

GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS = 100  # members in one PATCH; some servers take no more


@dataclass(frozen=True)
class Features:
    """What the server says it can do. Without an answer: nothing, which works with every server."""

    filter: bool = False
    patch: bool = False


class ScimClient:
    """A DirectoryClient for one SCIM service provider. Safe to use from several threads.

    `features`: what the server can do, instead of what it says that it can.
    """

    def __init__(
        self,
        connection: Connection,
        transport: httpx.BaseTransport | None = None,
        *,
        features: Features | None = None,
    ) -> None:
        self._http = Http(connection, DIALECT, transport)
        self._base = connection.url.rstrip("/")
        self._lock = threading.Lock()
        self._given = self._features = features

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def find_person(self, email: str) -> Person | None:
        """The person with this user name or e-mail address, in any case; None if a complete search finds no one.

        Raises PermanentError (Ambiguous) where the address belongs to several active people: access must not
        go to the first one found. RFC 7644 §3.4.2.2.
        """
        return choose(self._people(email), email)

    def read_person(self, person_id: str, email: str) -> Person | None:
        """The person with this id, with this one of their addresses if they have it. RFC 7644 §3.4.1."""
        try:
            found = self._http.request("GET", f"/Users/{quote(person_id, safe='')}").body
        except NotFoundError:
            return None
        return _person(found, email)

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none. Raises PermanentError (NotOurs); see the top of this file."""
        groups = self._named(key.name)
        ours = [group_id for external_id, group_id in groups if external_id == _external_id(key)]
        nameless = [group_id for external_id, group_id in groups if not external_id]
        # Clusters know groups by their names alone: ours beside another's would let the other's members in.
        if len(groups) > len(ours) + len(nameless) or len(nameless) > 1 or (ours and nameless):
            raise not_ours(key.name, tuple(ours))
        return min([*ours, *nameless], default=None)  # two of ours: the first one's creation was not shown at once

    def create_group(self, key: GroupKey, first_member: Person) -> str:
        """Create the group with its first member; its id. RFC 7644 §3.3.

        Where it exists already and is ours, that one's id. Raises PermanentError (NotOurs).
        """
        body = {
            "schemas": [GROUP_SCHEMA],
            "externalId": _external_id(key),
            "displayName": key.name,
            "members": [self._reference(first_member.id)],
        }
        try:
            answer = self._http.request("POST", "/Groups", body=body).body
        except ConflictError:
            answer = {}
        group_id = self._only_one(key, text(answer, "id")) if attribute(answer, "id") else self.find_group(key)
        if not group_id:
            raise TemporaryError(f"The directory did not create the group {key.name}.", reason="Conflict")
        return group_id

    def _only_one(self, key: GroupKey, made: str) -> str:
        """Two workers may make it at the same moment: who sees the other's takes that one, and deletes the own.

        Raises PermanentError (NotOurs) where it shows only now that another group has the name.
        """
        others = [(external_id, group_id) for external_id, group_id in self._named(key.name) if group_id != made]
        if not others:
            return made
        self.delete_group(made)
        if any(external_id not in ("", _external_id(key)) for external_id, _ in others):
            raise not_ours(key.name)
        return min(group_id for _, group_id in others)

    def _named(self, name: str) -> list[tuple[str, str]]:
        """The groups of a name in any case: external id, id."""
        query = f"displayName eq {json.dumps(name, ensure_ascii=False)}"
        return [
            (str(attribute(group, "externalId") or ""), text(group, "id"))
            for group in self._search("/Groups", query, excluded="members")
            if str(attribute(group, "displayName")).casefold() == name.casefold()
        ]

    def members(self, group_id: str) -> set[str]:
        """The ids of all members, nested groups included. Complete or an error. RFC 7644 §3.4.1.

        Raises PermanentError (GroupGone). An absent `members` means none (RFC 7643 §2.5).
        """
        return {_member_id(member) for member in _members(self._group(group_id).body)}

    def add_members(self, group_id: str, people: list[Person]) -> None:
        """Add people; those who are in already stay. RFC 7644 §3.5.2.1.

        Raises PermanentError (GroupGone), TemporaryError (NotAdded) where the server's answer is without them.
        """
        if not people:
            return
        if not self._can().patch:
            references = [self._reference(person.id) for person in people]
            self._rewrite(group_id, lambda members: _union(members, references))
            return
        present = self.members(group_id)
        references = [self._reference(person.id) for person in people if person.id not in present]
        for some in batched(references, MAX_OPERATIONS):
            operation = {"op": "add", "path": "members", "value": list(some)}
            answer = self._patch(group_id, [operation]).body
            _require_members(answer, {person["value"] for person in some})

    def remove_members(self, group_id: str, person_ids: list[str]) -> None:
        """Remove people; those who are not in are passed over. RFC 7644 §3.5.2.2.

        Raises PermanentError (GroupGone; Refused where the server wants at least one member).
        """
        if not person_ids:
            return
        gone = set(person_ids)
        if not (self._can().patch and self._can().filter):
            self._rewrite(group_id, lambda members: [m for m in members if _member_id(m) not in gone])
            return
        present = sorted(gone & self.members(group_id))
        for some in batched(present, MAX_OPERATIONS):
            paths = [f"members[value eq {json.dumps(person_id, ensure_ascii=False)}]" for person_id in some]
            self._patch(group_id, [{"op": "remove", "path": path} for path in paths])

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone. RFC 7644 §3.6."""
        try:
            self._http.request("DELETE", _path(group_id))
        except NotFoundError:
            return

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group its name again, by PATCH or with all that it is. RFC 7644 §3.5. Raises PermanentError."""
        if self._can().patch:
            self._patch(group_id, [{"op": "replace", "path": "displayName", "value": name}])
            return
        group = self._group(group_id)
        body = {key: value for key, value in group.body.items() if key.casefold() not in ("displayname", "meta")}
        try:
            self._http.request("PUT", _path(group_id), body=body | {"displayName": name}, headers=_if_match(group.etag))
        except NotFoundError as error:
            raise gone() from error

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name, in any case. RFC 7644 §3.4.2."""
        query = f"displayName eq {json.dumps(name, ensure_ascii=False)}"
        found = (_named_group(group) for group in self._search("/Groups", query, excluded="members"))
        return [group for group in found if group.name.casefold() == name.casefold()]

    def read_group(self, group_id: str) -> NamedGroup | None:
        """The group with this id. RFC 7644 §3.4.1."""
        try:
            return _named_group(self._http.request("GET", _path(group_id)).body)
        except NotFoundError:
            return None

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has; None where the server shows none: it may never show any."""
        return len(_members(self._group(group_id).body)) or None

    def check(self) -> str:
        """One sentence that says who answers, asked anew. Raises one of the two errors without an answer."""
        with self._lock:
            self._features = self._given
        can = self._can()
        total = number(attribute(self._http.request("GET", "/Users").body, "totalResults"))
        if total is None:
            raise TemporaryError("The server at the directory's address does not speak SCIM.", reason="BadAnswer")
        abilities = f"filter: {_yes(can.filter)}, patch: {_yes(can.patch)}"
        return f"SCIM 2.0 at {urlsplit(self._base).hostname} answers: {total:.0f} people ({abilities})."

    def _can(self) -> Features:
        """What the server can do, read once per client. RFC 7643 §5."""
        with self._lock:
            if self._features is None:
                self._features = self._read_features()
            return self._features

    def _read_features(self) -> Features:
        try:
            config = self._http.request("GET", "/ServiceProviderConfig").body
        except PermanentError:
            return Features()  # it is optional in practice

        def supported(name: str) -> bool:
            feature = attribute(config, name)
            return isinstance(feature, dict) and truth(attribute(feature, "supported"), default=False)

        return Features(filter=supported("filter"), patch=supported("patch"))

    def _people(self, email: str) -> Iterator[Person]:
        """Those who may be meant, more where the server cannot filter. Their e-mail is `email` where they have it."""
        users: list[Json] | None = None
        if self._can().filter:
            value = json.dumps(email, ensure_ascii=False)
            users = self._filtered_users([f"userName eq {value}", f"emails.value eq {value}"])
        return (_person(user, email) for user in (self._pages("/Users") if users is None else users))

    def _filtered_users(self, queries: list[str]) -> list[Json] | None:
        """What the queries find, None where the server refuses one: not every server filters by a sub-attribute."""
        try:
            return [user for query in queries for user in self._pages("/Users", query)]
        except PermanentError as error:
            if error.reason != "Refused":
                raise
            return None

    def _search(self, path: str, query: str, excluded: str) -> Iterator[Json]:
        return self._pages(path, query if self._can().filter else "", excluded)

    def _pages(self, path: str, query: str = "", excluded: str = "") -> Iterator[Json]:
        """All resources, once each. RFC 7644 §3.4.2.4.

        Raises TemporaryError (PartialAnswer) where they cannot all be had: a page without anything new before the
        end, or a total that changes underway, after which a resource may have slipped from one page to another.
        """
        params = {"filter": query} if query else {}
        params |= {"excludedAttributes": excluded} if excluded else {}
        seen: set[str] = set()
        start, expected, limit = 1, None, Limit()
        while limit.allows(len(seen)):
            page = self._http.request("GET", path, params=params | ({"startIndex": str(start)} if start > 1 else {}))
            resources, total = _page(page.body)
            new = {text(resource, "id"): resource for resource in resources}
            fresh = [resource for resource_id, resource in new.items() if resource_id not in seen]
            seen |= new.keys()
            yield from fresh
            if expected not in (None, total) or len(seen) > total:
                raise partial_answer("The directory changed while the portal was reading it.")
            if len(seen) == total:
                if seen and not query:
                    self._require_end(path, params | {"startIndex": str(start + len(resources))}, seen)
                return
            if not fresh:
                raise partial_answer("The directory's answer ends too early.")
            start, expected = start + len(resources), total
        raise too_many_pages()

    def _require_end(self, path: str, params: dict[str, str], seen: set[str]) -> None:
        """Behind the last resource nothing new may come: a server's total may be that of one page."""
        try:
            resources, _ = _page(self._http.request("GET", path, params=params).body)
        except PermanentError as error:
            if error.reason != "Refused":
                raise
            return  # it does not look behind its end
        if not seen.issuperset(text(resource, "id") for resource in resources):
            raise partial_answer("The directory lists more entries than it reports.")

    def _group(self, group_id: str) -> Reply:
        try:
            reply = self._http.request("GET", _path(group_id))
        except NotFoundError as error:
            raise gone() from error
        text(reply.body, "id")  # anything else that answers 200 must not pass for a group without members
        return reply

    def _patch(self, group_id: str, operations: list[Json], etag: str = "") -> Reply:
        body = {"schemas": [PATCH_SCHEMA], "Operations": operations}
        try:
            return self._http.request("PATCH", _path(group_id), body=body, headers=_if_match(etag))
        except NotFoundError as error:
            raise gone() from error

    def _rewrite(self, group_id: str, change: Any) -> None:
        """Read the group, write back its members as `change` makes them; nothing is written where nothing changes."""
        group = self._group(group_id)
        before = _members(group.body)
        members = change(before)
        if members == before:
            return
        meta = attribute(group.body, "meta")
        etag = group.etag or (words(attribute(meta, "version")) if isinstance(meta, dict) else "")
        if self._can().patch:
            self._patch(group_id, [{"op": "replace", "path": "members", "value": members}], etag)
            return
        body = {name: value for name, value in group.body.items() if name.casefold() not in ("members", "meta")}
        try:
            self._http.request("PUT", _path(group_id), body=body | {"members": members}, headers=_if_match(etag))
        except NotFoundError as error:
            raise gone() from error

    def _reference(self, person_id: str) -> Json:
        """A member as it is written. Some servers insist on `$ref`. RFC 7643 §4.2."""
        return {"value": person_id, "$ref": f"{self._base}/Users/{quote(person_id, safe='')}"}


def _named_group(group: Json) -> NamedGroup:
    of_portal = bears_environment(words(attribute(group, "externalId")))
    return NamedGroup(text(group, "id"), words(attribute(group, "displayName")), of_portal=of_portal)


def _external_id(key: GroupKey) -> str:
    """The group's id on our side. It holds the role too (in the name), since some servers want it unique."""
    return f"{key.environment_id}/{key.name}"


def _path(group_id: str) -> str:
    return f"/Groups/{quote(group_id, safe='')}"


def _if_match(etag: str) -> dict[str, str]:
    """Only where this is still the current version (RFC 7644 §3.14)."""
    return {"If-Match": etag} if etag else {}


def _yes(supported: bool) -> str:
    return "yes" if supported else "no"


def _page(body: Json) -> tuple[list[Json], float]:
    """The resources of a list answer and how many there are in all. RFC 7644 §3.4.2."""
    resources, total = attribute(body, "Resources"), number(attribute(body, "totalResults"))
    resources = [] if resources is None else resources
    if total is None or not isinstance(resources, list) or not all(isinstance(item, dict) for item in resources):
        raise TemporaryError("The directory's answer is not a SCIM list.", reason="BadAnswer")
    return resources, total


def _person(user: Json, email: str) -> Person:
    """A User resource as a Person, whose e-mail is the one that was asked for where it is among theirs."""
    addresses = _addresses(attribute(user, "emails"))
    mine = next((address for address in addresses if address.casefold() == email.casefold()), "")
    meta = attribute(user, "meta")
    location = words(attribute(meta, "location")) if isinstance(meta, dict) else ""
    return Person(
        id=_last_part(location) or text(user, "id"),
        email=mine or next(iter(addresses), ""),
        username=words(attribute(user, "userName")),
        active=truth(attribute(user, "active"), default=True),
    )


def _addresses(emails: Any) -> list[str]:
    entries = emails if isinstance(emails, list) else []
    values = [attribute(entry, "value") if isinstance(entry, dict) else entry for entry in entries]
    return [value for value in values if isinstance(value, str) and value]


def _last_part(uri: str) -> str:
    """The id in a user's URI, empty where it is not one."""
    try:
        *_, collection, last = ["", "", *urlsplit(uri).path.rstrip("/").split("/")]
    except ValueError:  # no URI at all
        return ""
    return unquote(last) if collection.casefold() == "users" else ""


def _members(group: Json) -> list[Json]:
    members = attribute(group, "members")
    members = [] if members is None else members
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise TemporaryError("The directory's answer has no readable members.", reason="BadAnswer")
    return members


def _member_id(member: Json) -> str:
    return _last_part(str(attribute(member, "$ref") or "")) or text(member, "value")


def _union(members: list[Json], more: list[Json]) -> list[Json]:
    known = {_member_id(member) for member in members}
    return members + [member for member in more if _member_id(member) not in known]


def _require_members(answer: Json, wanted: set[str]) -> None:
    """Some servers drop a member they do not know without a word. An answer without members says nothing."""
    members = attribute(answer, "members")
    if isinstance(members, list) and not wanted <= {_member_id(member) for member in _members(answer)}:
        raise TemporaryError("The directory did not add all members to the group.", reason="NotAdded")
