"""Watches: what is there, and then each change as it is written, one JSON document a line.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.selectors import Predicate
from portal.demo.simulated.statuses import StatusError
from portal.demo.simulated.store import Change, Store

_USUAL, _LONGEST = 1800, 86_400  # seconds
_PAUSE = 1.0  # seconds after which a quiet watch looks whether somebody still listens
_INITIAL_END = {"k8s.io/initial-events-end": "true"}
_TRUE = ("1", "true")


@dataclass(frozen=True)
class Watch:
    """What is watched, and how objects are shown: as they are, or as a table (`is_first`: with its titles)."""

    kind: Kind
    namespace: str
    predicates: list[Predicate]
    query: dict[str, str]
    shown: Callable[[Object, bool], Object]

    def matches(self, found: Object | None) -> bool:
        """Whether the watch is about this object."""
        if found is None or (self.namespace and found["metadata"].get("namespace") != self.namespace):
            return False
        return all(predicate(found) for predicate in self.predicates)


def stream(store: Store, lock: threading.RLock, watch: Watch) -> Iterator[bytes]:
    """The lines of a watch until its time is over. An empty line asks whether somebody still listens."""
    end = time.monotonic() + _seconds(watch.query)
    version = watch.query.get("resourceVersion", "")
    is_initial = watch.query.get("sendInitialEvents") in _TRUE
    with lock:
        seen = store.resource_version if is_initial or version in ("", "0") else _number(version)
        present = store.objects(watch.kind, watch.namespace) if is_initial or version in ("", "0") else []
    is_first = True
    for found in present:
        if watch.matches(found):
            yield _line("ADDED", watch.shown(found, is_first))
            is_first = False
    if is_initial and watch.query.get("allowWatchBookmarks") in _TRUE:
        yield _line("BOOKMARK", _bookmark(watch.kind, seen))
    while time.monotonic() < end:
        with lock:
            changes = store.changes(seen)
            latest = store.resource_version
        if changes is None:
            yield _line("ERROR", _too_old(seen, latest).status())
            return
        for change in changes:
            seen = change.version
            if name := _name(watch, change):
                yield _line(name, watch.shown(change.found, is_first))
                is_first = False
        if not changes:
            yield b""
            store.wait(seen, min(_PAUSE, max(0.0, end - time.monotonic())))


def _name(watch: Watch, change: Change) -> str:
    """What a change is to this watch; empty if nothing. What matches no longer is deleted for it."""
    if change.kind != watch.kind:
        return ""
    was, is_now = watch.matches(change.before), not change.is_deletion and watch.matches(change.found)
    return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((was, is_now), "")


def _line(name: str, found: Object) -> bytes:
    return json.dumps({"type": name, "object": found}, separators=(",", ":")).encode() + b"\n"


def _bookmark(kind: Kind, version: int) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None, "annotations": _INITIAL_END}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}


def _too_old(version: int, latest: int) -> StatusError:
    return StatusError(410, "Expired", f"too old resource version: {version} ({latest})")


def _seconds(query: dict[str, str]) -> float:
    text = query.get("timeoutSeconds", "")
    return min(int(text), _LONGEST) if text.isdecimal() and int(text) else _USUAL


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
