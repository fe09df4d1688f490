"""The cluster's state in a file, so that a demo can be stopped and continued.

It writes a new file and moves it over the old one, so a crash leaves the old or the new state, never a mixture.
"""

import json
import os
import threading
import time
from pathlib import Path

from portal.demo.simulated.kinds import BY_NAME, KINDS, Object
from portal.demo.simulated.store import Store

_SHORTEST = 1.0  # seconds between two writes
_SHARE = 20  # writing takes at most one part in so many of the time


class StateFile:
    """Keeps a store in a file: a thread that writes after changes."""

    def __init__(self, path: Path, store: Store, lock: threading.RLock, key: bytes) -> None:
        self._path, self._store, self._lock = path, store, lock
        self.key = key
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-cluster-state", daemon=True)

    def load(self) -> bool:
        """Read the file into the store; return False if there is none."""
        if not self._path.exists():
            return False
        state = json.loads(self._path.read_text())
        self.key = bytes.fromhex(state["key"])
        for found in state["objects"]:
            self._store.restore(BY_NAME[found["kind"]], found)
        self._store.resource_version = state["resourceVersion"]
        return True

    def start(self) -> None:
        """Start writing changes."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and write pending changes."""
        self._stopping.set()
        self._thread.join()
        self.save()

    def save(self) -> float:
        """Write the state if it changed, and return how long it took."""
        started = time.monotonic()
        with self._lock:
            if not self._store.is_dirty:
                return 0.0
            self._store.is_dirty = False
            version = self._store.resource_version
            objects: list[Object] = [found for kind in KINDS for found in self._store.objects(kind)]
        # Stored objects are never changed, only replaced: they can be written without the lock.
        text = json.dumps(
            {"resourceVersion": version, "key": self.key.hex(), "objects": objects}, separators=(",", ":")
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}.new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        beside.replace(self._path)
        return time.monotonic() - started

    def _run(self) -> None:
        pause = _SHORTEST
        while not self._stopping.wait(pause):
            pause = max(_SHORTEST, self.save() * _SHARE)
