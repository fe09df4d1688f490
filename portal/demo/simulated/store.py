"""The objects, as etcd keeps them: ordered by key, each write with a new resourceVersion.

A stored object is never changed, only replaced, so that readers need no lock and its JSON is made once.
"""

import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from portal.demo.simulated.kinds import KINDS, Kind, Object
from portal.demo.simulated.selectors import Predicate
from portal.demo.simulated.statuses import bad_request

_MOST_CHANGES = 5000  # that watches can still ask for


@dataclass(frozen=True)
class Change:
    """One write, as watches tell of it. A deletion has the object as it was, with the deletion's version."""

    version: int
    kind: Kind
    found: Object
    before: Object | None = None
    is_deletion: bool = False


class Entry:
    """One stored object and its JSON, as list items have it: without apiVersion and kind."""

    __slots__ = ("_json", "object")

    def __init__(self, found: Object) -> None:
        self.object = found
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        """The object without apiVersion and kind."""
        if self._json is None:
            item = {key: value for key, value in self.object.items() if key not in ("apiVersion", "kind")}
            self._json = json.dumps(item, separators=(",", ":")).encode()
        return self._json


class Store:
    """All objects of a cluster. Not safe by itself: callers hold the cluster's lock."""

    def __init__(self) -> None:
        self.resource_version = 1
        self.is_dirty = False
        self._changes: deque[Change] = deque(maxlen=_MOST_CHANGES)
        self._news = threading.Condition()
        self._entries: dict[str, dict[str, Entry]] = {kind.kind: {} for kind in KINDS}
        self._keys: dict[str, list[str]] = {kind.kind: [] for kind in KINDS}

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """The object itself (not to be changed), None where there is none."""
        entry = self.entry(kind, name, namespace)
        return entry.object if entry else None

    def entry(self, kind: Kind, name: str, namespace: str = "") -> Entry | None:
        """The object with its JSON."""
        return self._entries[kind.kind].get(_key(kind, name, namespace))

    def put(self, kind: Kind, found: Object) -> Object:
        """Store an object under its name, with the next resourceVersion; returns what is stored."""
        self.resource_version += 1
        metadata = found["metadata"]
        stored = found | {"metadata": metadata | {"resourceVersion": str(self.resource_version)}}
        key = _key(kind, metadata["name"], metadata.get("namespace", ""))
        before = self._entries[kind.kind].get(key)
        if before is None:
            insort(self._keys[kind.kind], key)
        self._entries[kind.kind][key] = Entry(stored)
        self._tell(Change(self.resource_version, kind, stored, before.object if before else None))
        return stored

    def restore(self, kind: Kind, found: Object) -> None:
        """Put an object back exactly as it was."""
        metadata = found["metadata"]
        key = _key(kind, metadata["name"], metadata.get("namespace", ""))
        insort(self._keys[kind.kind], key)
        self._entries[kind.kind][key] = Entry(found)

    def remove(self, kind: Kind, name: str, namespace: str = "") -> None:
        """Forget an object that is there."""
        key = _key(kind, name, namespace)
        before = self._entries[kind.kind].pop(key).object
        del self._keys[kind.kind][bisect_left(self._keys[kind.kind], key)]
        self.resource_version += 1
        last = before | {"metadata": before["metadata"] | {"resourceVersion": str(self.resource_version)}}
        self._tell(Change(self.resource_version, kind, last, before, is_deletion=True))

    def changes(self, after: int) -> list[Change] | None:
        """What was written after a version; None if the oldest of them are forgotten."""
        first = self._changes[0].version - 1 if self._changes else self.resource_version
        if after < first:
            return None
        return list(islice(self._changes, after - first, None))

    def wait(self, after: int, seconds: float) -> None:
        """Return when there is a version after this one, at the latest in so many seconds. Not with the lock held."""
        with self._news:
            self._news.wait_for(lambda: self.resource_version > after, seconds)

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        self.is_dirty = True
        with self._news:
            self._news.notify_all()

    def scan(self, kind: Kind, namespace: str = "", after: str = "") -> Iterator[tuple[str, Entry]]:
        """Keys and entries in order, of a namespace or of all, beginning behind a key."""
        keys, entries = self._keys[kind.kind], self._entries[kind.kind]
        prefix = f"{namespace}/" if namespace else ""
        start = bisect_left(keys, max(prefix, f"{after}\0" if after else ""))
        for key in islice(keys, start, None):
            if not key.startswith(prefix):
                return
            yield key, entries[key]

    def objects(self, kind: Kind, namespace: str = "") -> list[Object]:
        """The objects of a namespace, or of all."""
        return [entry.object for _, entry in self.scan(kind, namespace)]

    def count(self, kind: Kind, namespace: str = "") -> int:
        """How many there are."""
        return sum(1 for _ in self.scan(kind, namespace)) if namespace else len(self._keys[kind.kind])

    def page(
        self, kind: Kind, namespace: str, predicates: list[Predicate], *, limit: int, token: str
    ) -> tuple[list[Entry], str, int]:
        """One page of a list: entries, the next page's `continue` token, and how many remain (0: unknown)."""
        found: list[Entry] = []
        last = ""
        for key, entry in self.scan(kind, namespace, after=_read_token(token)):
            if not all(predicate(entry.object) for predicate in predicates):
                continue
            if limit and len(found) == limit:
                remaining = 0 if predicates or namespace else self._behind(kind, last)
                return found, self._write_token(last), remaining
            found.append(entry)
            last = key
        return found, "", 0

    def _behind(self, kind: Kind, key: str) -> int:
        keys = self._keys[kind.kind]
        return len(keys) - bisect_left(keys, key) - 1

    def _write_token(self, key: str) -> str:
        text = json.dumps({"v": "meta.k8s.io/v1", "rv": self.resource_version, "start": key})
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _key(kind: Kind, name: str, namespace: str) -> str:
    return f"{namespace}/{name}" if kind.namespaced else name


def _read_token(token: str) -> str:
    if not token:
        return ""
    try:
        return str(json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
