"""Failures on demand, for tests: wrong, late, truncated or missing answers."""

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """A failure, the requests that it affects, and how often."""

    method: str
    path_regex: re.Pattern[str]
    status: int = 0
    retry_after: int | None = None
    times: int = 1
    before: bool = True
    delay: float = 0.0
    drop_connection: bool = False
    truncate: bool = False
    seen: int = field(default=0)


class Faults:
    """The pending faults. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        *,
        method: str = "",
        path_regex: str = "",
        status: int = 0,
        retry_after: int | None = None,
        times: int = 1,
        before: bool = True,
        delay: float = 0.0,
        drop_connection: bool = False,
        truncate: bool = False,
    ) -> Fault:
        """Let the next `times` matching requests fail; the fault's `seen` counts them.

        `status` answers with that error, `drop_connection` not at all, `truncate` with half of the body, `delay`
        (seconds) late. `before=False` carries the request out first: the caller does not learn that it worked.
        An empty method means any; the regular expression is searched in the path, without the query.
        """
        pattern = re.compile(path_regex)
        fault = Fault(method, pattern, status, retry_after, times, before, delay, drop_connection, truncate)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return and count the fault for this request; None for most requests."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.seen < fault.times and fault.method in ("", method) and fault.path_regex.search(path):
                    fault.seen += 1
                    return fault
        return None
