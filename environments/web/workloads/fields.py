"""Reading the fields of objects that a cluster sent: what is missing is empty."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from environments.kube.client import Manifest

LONGEST = 600  # letters of a message that are kept


def section(found: Manifest, *path: str) -> Manifest:
    """The map at a path, empty where there is none."""
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(found: Manifest, key: str) -> Iterable[Manifest]:
    """The maps in a list."""
    value = found.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(found: Manifest, key: str, longest: int = LONGEST) -> str:
    """A text, on one line and not longer than a page can show."""
    return " ".join(str(found.get(key) or "").split())[:longest]


def number(found: Manifest, key: str) -> int:
    """A count, 0 where there is none."""
    value = found.get(key)
    return value if isinstance(value, int) else 0


def moment(found: Manifest, key: str) -> datetime | None:
    """A time such as `2026-11-23T10:32:00Z`."""
    try:
        read = datetime.fromisoformat(str(found.get(key) or ""))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
