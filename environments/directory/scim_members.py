"""A group's members on a SCIM server: changed in the way that it understands, and looked at afterwards.

Servers were seen to answer PATCH `replace` with 501 or as if it were `add`, to ignore members in a PUT and a POST with
200, to want values where the RFC wants a path, and to show no members at all. So each change is looked at in the
answer, or where that says nothing, by reading the group again; what had no effect is tried in another way, and the way
that worked is tried first the next time.

A member who is in already is not added again: scim2-server 0.2.0 and scimmy 1.3.5 would have them twice.
"""

import json
from collections.abc import Callable, Iterable
from itertools import batched

from environments.directory import capabilities as known
from environments.directory.answers import (
    FaultError,
    Json,
    MembersHiddenError,
    NotFoundError,
    NotRemovedError,
    attribute,
    gone,
    text,
)
from environments.directory.base import Person
from environments.directory.capabilities import Capabilities
from environments.directory.scim_shapes import (
    PATCH_SCHEMA,
    etag,
    group_path,
    member_id,
    member_ids,
    members,
    user_path,
)
from environments.directory.transport import Http, Reply
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

MAX_OPERATIONS = 100  # members in one PATCH; some servers take no more

Way = Callable[[Reply, list[str]], Json]  # of changing a group: as it is, and the ids; the answer's body


class Members:
    """The members of one server's groups. Safe to use from several threads."""

    def __init__(self, http: Http, base: str, capabilities: Capabilities) -> None:
        self._http = http
        self._base = base
        self._known = capabilities

    def of(self, group_id: str) -> set[str]:
        """The ids of all members. Complete or an error. Raises PermanentError (GroupGone, MembersHidden)."""
        found = self._seen(self.group(group_id).body)
        if not found and self._known.get(known.MEMBERS) == known.HIDDEN:
            raise MembersHiddenError
        return found

    def group(self, group_id: str) -> Reply:
        """The group as it is now. Raises PermanentError (GroupGone)."""
        try:
            reply = self._http.request("GET", group_path(group_id))
        except NotFoundError as error:
            raise gone() from error
        text(reply.body, "id")  # anything else that answers 200 must not pass for a group without members
        return reply

    def add(self, group_id: str, people: list[Person], *, patch: bool, is_new: bool = False) -> None:
        """Add those who are not in. `patch`: the server says that it can; `is_new`: nobody else can be in.

        Raises PermanentError (GroupGone), or as the server refuses; TemporaryError (NotAdded) where it does not do it.
        """
        group = self.group(group_id)
        missing = [person for person in people if person.id not in self._seen(group.body)]
        ways: dict[str, Way] = {"patch": self._patch_in}
        if is_new or member_ids(group.body) or not patch or self._known.get(known.MEMBERS) == known.SHOWN:
            ways["put"] = self._put_in  # of members that are not shown it would leave none
        refusal: ReconcileError | None = None
        accepted = False
        for way in self._in_order(known.ADDING, ways, () if patch else ("put", "patch")):
            if not missing:
                return
            try:
                answer = self._tried(ways[way], group, [person.id for person in missing])
            except (PermanentError, FaultError) as error:
                refusal = refusal or self._unsupported(error)
                continue
            accepted = True
            group = self._afterwards(group_id, answer)
            missing = [person for person in missing if person.id not in self._seen(group.body)]
            if not missing:
                self._known.learn(known.ADDING, way)
            elif self._hides(group):
                return
        self._require_added(missing, refusal if not accepted else None)

    def remove(self, group_id: str, person_ids: list[str], *, filters: bool, patch: bool) -> None:
        """Remove those who are in. `filters`, `patch`: what the server says that it can.

        Raises PermanentError (GroupGone), TemporaryError (NotRemoved) where somebody is still in after every way.
        """
        group = self.group(group_id)
        before = self._seen(group.body)
        if not before and self._known.get(known.MEMBERS) == known.HIDDEN:
            self._remove_unseen(group, person_ids)
            return
        leaving, stay = before & set(person_ids), before - set(person_ids)
        ways: dict[str, Way] = {
            "path": self._patch_out,
            "replace": self._replace,
            "put": self._put_out,
            "values": self._values_out,
        }
        refusal: ReconcileError | None = None
        for way in self._in_order(known.REMOVING, ways, _likely(filters=filters, patch=patch)):
            if not leaving:
                return
            try:
                answer = self._tried(ways[way], group, sorted(leaving))
            except (PermanentError, FaultError) as error:
                refusal = refusal or self._unsupported(error)
                continue
            group = self._afterwards(group_id, answer)
            now = self._seen(group.body)
            if way == "values" and stay - now:  # it took all members for none in particular
                self._patch_in(group, sorted(stay - now))
            leaving &= now
            if not leaving:
                self._known.learn(known.REMOVING, way)
        if leaving:
            raise NotRemovedError(frozenset(leaving), _said(refusal))

    def _remove_unseen(self, group: Reply, person_ids: list[str]) -> None:
        """Remove people from a group whose members are not shown: nobody can tell whether they are in (or out)."""
        for person_id in person_ids:
            refusals = []
            for way in (self._patch_out, self._values_out):
                try:
                    self._tried(way, group, [person_id])
                    break
                except (PermanentError, FaultError) as error:
                    refusals.append(self._unsupported(error))
                    if "(noTarget)" in error.message:  # they are not in (RFC 7644 §3.5.2.2)
                        break
            else:
                raise NotRemovedError(frozenset({person_id}), _said(refusals[0]))

    def _in_order(self, fact: str, ways: Iterable[str], likely: tuple[str, ...]) -> list[str]:
        """The ways, the likeliest first: which worked before, then which the server's own words suggest."""
        first = (self._known.get(fact), *likely)
        return sorted(ways, key=lambda way: first.index(way) if way in first else len(first))

    def _seen(self, group: Json) -> set[str]:
        found = member_ids(group)
        if found:
            self._known.learn(known.MEMBERS, known.SHOWN)
        return found

    def _hides(self, group: Reply) -> bool:
        """Whether a group that was just given a member shows none because the server never showed any."""
        if member_ids(group.body) or self._known.get(known.MEMBERS) == known.SHOWN:
            return False
        hidden = attribute(group.body, "members") is None
        if hidden:
            self._known.learn(known.MEMBERS, known.HIDDEN)
        return hidden

    def _afterwards(self, group_id: str, answer: Json) -> Reply:
        """The group after a change: as the answer shows it, or read again."""
        shown = attribute(answer, "id") and isinstance(attribute(answer, "members"), list)
        return Reply(answer) if shown else self.group(group_id)

    def _require_added(self, missing: list[Person], refusal: ReconcileError | None) -> None:
        if missing and refusal:
            raise refusal
        if missing:
            emails = ", ".join(person.email for person in missing)
            raise TemporaryError(f"The directory did not add {emails} to the group.", reason="NotAdded")

    @staticmethod
    def _unsupported(error: ReconcileError) -> ReconcileError:
        """The refusal of one way, after which another is tried. Raises what is about more than the way."""
        if isinstance(error, PermanentError) and error.reason != "Refused":
            raise error
        return error

    def _tried(self, way: Way, group: Reply, ids: list[str]) -> Json:
        try:
            return way(group, ids)
        except NotFoundError as error:
            raise gone() from error

    def _patch_in(self, group: Reply, ids: list[str]) -> Json:
        """All at once, or where the server refuses that, one by one: an unknown person stops nobody else."""
        try:
            return self._patch_all_in(group, ids)
        except PermanentError as error:
            if error.reason != "Refused" or len(ids) == 1:
                raise
            refusals, answer = [], Json()
            for each in ids:
                try:
                    answer = self._patch_all_in(group, [each])
                except PermanentError as refusal:
                    refusals.append(self._unsupported(refusal))
            if len(refusals) == len(ids):
                raise
            return answer

    def _patch_all_in(self, group: Reply, ids: list[str]) -> Json:
        answer: Json = {}
        for some in batched(ids, MAX_OPERATIONS):
            operation = {"op": "add", "path": "members", "value": [self.reference(each) for each in some]}
            answer = self._patch(group, [operation])
        return answer

    def _patch_out(self, group: Reply, ids: list[str]) -> Json:
        """RFC 7644 §3.5.2.2."""
        answer: Json = {}
        for some in batched(ids, MAX_OPERATIONS):
            paths = [f"members[value eq {json.dumps(each, ensure_ascii=False)}]" for each in some]
            answer = self._patch(group, [{"op": "remove", "path": path} for path in paths])
        return answer

    def _values_out(self, group: Reply, ids: list[str]) -> Json:
        """As some servers want it instead: the RFC has no value here, and without a filter all members would go."""
        answer: Json = {}
        for some in batched(ids, MAX_OPERATIONS):
            value = [{"value": each} for each in some]
            answer = self._patch(group, [{"op": "remove", "path": "members", "value": value}])
        return answer

    def _replace(self, group: Reply, ids: list[str]) -> Json:
        operation = {"op": "replace", "path": "members", "value": _without(group, ids)}
        return self._patch(group, [operation], etag(group.body, group.etag))

    def _put_in(self, group: Reply, ids: list[str]) -> Json:
        return self._put(group, members(group.body) + [self.reference(each) for each in ids])

    def _put_out(self, group: Reply, ids: list[str]) -> Json:
        return self._put(group, _without(group, ids))

    def _put(self, group: Reply, wanted: list[Json]) -> Json:
        body = {name: value for name, value in group.body.items() if name.casefold() not in ("members", "meta")}
        headers = _if_match(etag(group.body, group.etag))
        path = group_path(text(group.body, "id"))
        return self._http.request("PUT", path, body=body | {"members": wanted}, headers=headers).body

    def _patch(self, group: Reply, operations: list[Json], tag: str = "") -> Json:
        body = {"schemas": [PATCH_SCHEMA], "Operations": operations}
        path = group_path(text(group.body, "id"))
        return self._http.request("PATCH", path, body=body, headers=_if_match(tag)).body

    def reference(self, person_id: str) -> Json:
        """A member as it is written. Some servers insist on `$ref`. RFC 7643 §4.2."""
        return {"value": person_id, "$ref": f"{self._base}{user_path(person_id)}"}


def _likely(*, filters: bool, patch: bool) -> tuple[str, ...]:
    """The ways to remove members in the order that a server's own words suggest."""
    if not patch:
        return ("put", "path", "replace")
    return ("path", "replace", "put") if filters else ("replace", "path", "put")


def _without(group: Reply, ids: list[str]) -> list[Json]:
    return [member for member in members(group.body) if member_id(member) not in ids]


def _said(refusal: ReconcileError | None) -> str:
    return refusal.message if refusal else ""


def _if_match(tag: str) -> dict[str, str]:
    """Only where this is still the current version (RFC 7644 §3.14)."""
    return {"If-Match": tag} if tag else {}
