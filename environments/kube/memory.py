"""What was learnt of a cluster a moment ago. Each client has one, so it ends with the cluster's row and the process."""

import time
from collections.abc import Hashable
from typing import Any

_MOST = 10_000  # answers; then all are asked for again


class Memory:
    """Answers with the time at which they were given. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def recall(self, key: Hashable, seconds: float) -> Any:
        """What was kept under a key, None if that is longer ago than so many seconds."""
        at, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() - at <= seconds else None

    def keep(self, key: Hashable, value: Any) -> None:
        """Keep an answer that was given just now."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = time.monotonic(), value
