"""SCIM 2.0 (RFC 7643, RFC 7644): people and groups in an identity provider.

The portal asks a server what it can do (ServiceProviderConfig), and believes it as far as its answers bear it out:
scim_lists.py compares what was filtered and proves filters that find nothing, scim_members.py looks at each change.
What was learned is kept with the directory's row (capabilities.py).

What servers were seen to do differs, and decides the details:
- A member is written and read by the last part of its URI (RFC 7644 §3.2: `…/Users/{id}`), which is its `id`
  everywhere but in Canaille, where both the URI and `members[].value` hold the user name.
- `externalId` tells our groups from others', whatever their name is by now. Only where the server is known not to keep
  it (Canaille) is a single group of our name ours: the name ends in random characters, and the caller stores the
  group's id. Two of one name are not.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from environments.directory import capabilities as known
from environments.directory.answers import (
    ConflictError,
    Json,
    NotFoundError,
    NotOursError,
    attribute,
    bears_environment,
    choose,
    gone,
    number,
    text,
    truth,
    words,
)
from environments.directory.base import GroupKey, NamedGroup, Person
from environments.directory.capabilities import Capabilities, Keeper
from environments.directory.scim_lists import Lists
from environments.directory.scim_members import Members
from environments.directory.scim_shapes import (
    GROUP_SCHEMA,
    PATCH_SCHEMA,
    detail,
    external_ids,
    group_path,
    has,
    member_ids,
    person,
    user_path,
)
from environments.directory.transport import Connection, Dialect, Http
from environments.lib.errors import PermanentError, TemporaryError

DIALECT = Dialect(content_type="application/scim+json", detail=detail)


@dataclass(frozen=True)
class Features:
    """What the server says it can do. Without an answer: nothing, which works with every server."""

    filter: bool = False
    patch: bool = False


class ScimClient:
    """A DirectoryClient for one SCIM service provider. Safe to use from several threads.

    `features`: what the server can do, instead of what it says that it can. `keeper`: where what is learned is kept.
    """

    finds_renamed = True

    def __init__(
        self,
        connection: Connection,
        transport: httpx.BaseTransport | None = None,
        *,
        features: Features | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._http = Http(connection, DIALECT, transport)
        self._base = connection.url.rstrip("/")
        self._lock = threading.Lock()
        self._given = self._features = features
        self._known = Capabilities(keeper)
        self._lists = Lists(self._http, self._known)
        self._members = Members(self._http, self._base, self._known)

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
            found = self._http.request("GET", user_path(person_id)).body
        except NotFoundError:
            return None
        return person(found, email)

    def find_group(self, key: GroupKey) -> str | None:
        """The group's id, None where there is none. Raises PermanentError (NotOurs); see the top of this file."""
        groups = self._candidates(key)
        ours = sorted((group for group in groups if _is_ours(group, key)), key=lambda each: _rank(each, key))
        others = [group for group in groups if not _is_ours(group, key)]
        mine = [text(group, "id") for group in ours]
        nameless = [text(group, "id") for group in others if self._is_ours_by_name(group, key)]
        # Clusters know groups by their names alone: ours beside another's would let the other's members in.
        if len(others) > len(nameless) or len(nameless) > 1 or (mine and nameless):
            raise self._not_ours(key, others, tuple(mine))
        return next(iter([*mine, *nameless]), None)  # two of ours: the first one's creation was not shown at once

    def create_group(self, key: GroupKey, first_member: Person) -> str:
        """Create the group with its first member; its id. RFC 7644 §3.3.

        Where it exists already and is ours, that one's id. Raises PermanentError (NotOurs).
        """
        body = {
            "schemas": [GROUP_SCHEMA],
            "externalId": external_ids(key)[0],
            "displayName": key.name,
            "members": [self._members.reference(first_member.id)],
        }
        try:
            answer = self._http.request("POST", "/Groups", body=body).body
        except ConflictError:
            answer = {}
        group_id = self._made(key, text(answer, "id"), first_member) if attribute(answer, "id") else None
        group_id = group_id or self.find_group(key)
        if not group_id:
            raise TemporaryError(f"The directory did not create the group {key.name}.", reason="Conflict")
        return group_id

    def members(self, group_id: str) -> set[str]:
        """The ids of all members, nested groups included. Complete or an error. RFC 7644 §3.4.1.

        Raises PermanentError (GroupGone; MembersHidden where the server shows no group's members).
        """
        return self._members.of(group_id)

    def add_members(self, group_id: str, people: list[Person]) -> None:
        """Add people; those who are in already stay. RFC 7644 §3.5.2.1.

        Raises PermanentError (GroupGone), TemporaryError (NotAdded) where the group is without them afterwards.
        """
        if people:
            self._members.add(group_id, people, patch=self._can().patch)

    def remove_members(self, group_id: str, person_ids: list[str]) -> None:
        """Remove people; those who are not in are passed over. RFC 7644 §3.5.2.2.

        Raises PermanentError (GroupGone), TemporaryError (NotRemoved) where somebody is in the group afterwards.
        """
        if person_ids:
            can = self._can()
            self._members.remove(group_id, person_ids, filters=can.filter, patch=can.patch)

    def delete_group(self, group_id: str) -> None:
        """Delete the group; nothing happens where it is gone. RFC 7644 §3.6."""
        try:
            self._http.request("DELETE", group_path(group_id))
        except NotFoundError:
            return

    def rename_group(self, group_id: str, name: str) -> None:
        """Give a group its name again, by PATCH or with all that it is. RFC 7644 §3.5. Raises PermanentError."""
        group, path = self._members.group(group_id), group_path(group_id)
        try:
            if self._can().patch:
                operations = [{"op": "replace", "path": "displayName", "value": name}]
                self._http.request("PATCH", path, body={"schemas": [PATCH_SCHEMA], "Operations": operations})
                return
            body = {key: value for key, value in group.body.items() if key.casefold() not in ("displayname", "meta")}
            self._http.request("PUT", path, body=body | {"displayName": name})
        except NotFoundError as error:
            raise gone() from error

    def find_groups(self, name: str) -> list[NamedGroup]:
        """All groups with this name, in any case. RFC 7644 §3.4.2."""
        matching = self._lists.matching("/Groups", "displayName", name, "members") if self._can().filter else None
        found = self._lists.all("/Groups", "members") if matching is None else matching
        return [_named_group(group) for group in found if has(group, "displayName", name)]

    def read_group(self, group_id: str) -> NamedGroup | None:
        """The group with this id. RFC 7644 §3.4.1."""
        try:
            return _named_group(self._http.request("GET", group_path(group_id)).body)
        except NotFoundError:
            return None

    def count_members(self, group_id: str) -> int | None:
        """How many members a group has; None where the server shows none: it may never show any."""
        return len(member_ids(self._members.group(group_id).body)) or None

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

    def explore(self) -> list[str]:
        """Ask for what is there by each attribute that the portal filters by, and read both lists to their end.

        What the server can do, a sentence for each finding. Raises as the server answers.
        """
        asked = [("/Users", "userName"), ("/Users", "emails.value")]
        asked += [("/Groups", "displayName"), ("/Groups", "externalId")]
        self._known.forget(known.PAGES, *(known.filtering(*each) for each in asked))
        can = self._can()
        self._known.learn(known.FILTERS, _yes(can.filter))
        self._known.learn(known.PATCH, _yes(can.patch))
        for path, name in asked if can.filter else ():
            self._lists.prove(path, name)
        for path in ("/Users", "/Groups"):
            self._lists.look_at_pages(path)
        return self._known.in_words()

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
        users = self._filtered_users(email) if self._can().filter else None
        return (person(user, email) for user in (self._lists.all("/Users") if users is None else users))

    def _filtered_users(self, email: str) -> list[Json] | None:
        """Who has this user name or address, None if filters do not tell."""
        found: list[Json] = []
        for name in ("userName", "emails.value"):
            matches = self._lists.matching("/Users", name, email)
            if matches is None:
                return None
            found += matches
        exact = any(self._lists.is_exact("/Users", name) for name in ("userName", "emails.value"))
        return found if found or not exact else self._all_users()

    def _all_users(self) -> list[Json]:
        """All of them, for an address in capitals that no filter finds; none where the list is page one for ever."""
        try:
            return list(self._lists.all("/Users"))
        except TemporaryError as error:
            if error.reason != "PartialAnswer" or self._known.get(known.PAGES) != known.REPEATED:
                raise
            return []

    def _candidates(self, key: GroupKey) -> list[Json]:
        """The groups with the key's name, in any case, or with one of its external ids."""
        found = self._filtered_groups(key) if self._can().filter else None
        groups = self._lists.all("/Groups", "members") if found is None else found
        return [group for group in groups if _is_ours(group, key) or has(group, "displayName", key.name)]

    def _filtered_groups(self, key: GroupKey) -> list[Json] | None:
        """What filters find, None if they do not tell. A group that another renamed is found by its external id."""
        found = self._lists.matching("/Groups", "displayName", key.name, "members")
        if found is None or any(_is_ours(group, key) or text(group, "id") == key.group_id for group in found):
            return found
        if self._known.get(known.EXTERNAL_ID) == known.DROPPED:
            return found
        for external_id in external_ids(key):
            more = self._lists.matching("/Groups", "externalId", external_id, "members")
            if more is None:
                return None
            found += more
        return found

    def _made(self, key: GroupKey, made: str, first_member: Person) -> str:
        """The id of the group that was just made, with its first member in it, or of ours that was there before."""
        try:
            group = self._members.group(made).body
        except PermanentError as error:
            if error.reason != "GroupGone":
                raise
            return made  # not shown yet: what it is like is seen when its members are set
        self._known.learn(known.EXTERNAL_ID, known.KEPT if _is_ours(group, key) else known.DROPPED)
        group_id = self._only_one(key, made)
        if group_id == made:
            filled = first_member.id in member_ids(group)
            self._known.learn(known.CREATION, known.WITH if filled else known.WITHOUT)
            if not filled:
                self._members.add(made, [first_member], patch=self._can().patch, is_new=True)
        return group_id

    def _only_one(self, key: GroupKey, made: str) -> str:
        """Two workers may make it at the same moment: who sees the other's takes that one, and deletes the own.

        Raises PermanentError (NotOurs) where it shows only now that another group has the name.
        """
        others = [group for group in self._candidates(key) if text(group, "id") != made]
        if not others:
            return made
        self.delete_group(made)
        if not all(_is_ours(group, key) or self._is_ours_by_name(group, key) for group in others):
            raise self._not_ours(key, others)
        return min(text(group, "id") for group in others)

    def _is_ours_by_name(self, group: Json, key: GroupKey) -> bool:
        """Whether a group without an external id is ours: its id was recorded, or the server is known to drop them."""
        if attribute(group, "externalId"):
            return False
        return text(group, "id") == key.group_id or self._known.get(known.EXTERNAL_ID) == known.DROPPED

    def _not_ours(self, key: GroupKey, others: list[Json], ours: tuple[str, ...] = ()) -> NotOursError:
        unknown = not self._known.get(known.EXTERNAL_ID)
        nameless = unknown and not any(attribute(group, "externalId") for group in others)
        return NotOursError(key.name, ours, nameless=nameless)


def _is_ours(group: Json, key: GroupKey) -> bool:
    """Whether a group has our external id, in its new or its old form."""
    return attribute(group, "externalId") in external_ids(key)


def _named_group(group: Json) -> NamedGroup:
    of_portal = bears_environment(words(attribute(group, "externalId")))
    return NamedGroup(text(group, "id"), words(attribute(group, "displayName")), of_portal=of_portal)


def _rank(group: Json, key: GroupKey) -> tuple[bool, str]:
    """Of several of ours, the one with our name first."""
    return not has(group, "displayName", key.name), text(group, "id")


def _yes(supported: bool) -> str:
    return "yes" if supported else "no"
