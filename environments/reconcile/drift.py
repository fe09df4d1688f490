"""What an environment's objects have otherwise than wanted, as its row and its activity keep it.

Two causes: someone changed an object, which the portal restores; or the cluster itself changes what is applied, which
no repetition helps against. The second is recorded once, and the pass over the cluster expects it from then on.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from environments.kube import differing
from environments.kube.differing import Difference

MOST = 50  # entries that a row keeps


class Cause(StrEnum):
    """Where a difference comes from."""

    HAND = "hand"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class Entry:
    """One field of one object, as it was wanted and as it was found. Without a field, the object was missing."""

    kind: str
    name: str
    field: str = ""
    wanted: str = ""
    found: str = ""
    manager: str = ""
    since: str = ""  # when the manager set it, or when the portal found it
    cause: str = Cause.HAND
    loosens: bool = False
    quiet: bool = False  # found so often that the activity says no more of it

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two entries the same."""
        return self.kind, self.name, self.field, self.wanted, self.found, self.cause

    @property
    def since_time(self) -> datetime | None:
        """Since when, as a time."""
        try:
            return datetime.fromisoformat(self.since)
        except ValueError:
            return None


def entry(difference: Difference, cause: Cause, now: datetime) -> Entry:
    """A difference as it is kept."""
    return Entry(
        difference.kind,
        difference.name,
        difference.field[:300],
        differing.shown(difference.wanted) if difference.wanted is not None else "",
        differing.shown(difference.found) if difference.found is not None else "",
        difference.manager,
        difference.since or now.isoformat(timespec="seconds"),
        cause,
        differing.loosens(difference),
    )


def read(stored: Any) -> list[Entry]:
    """The entries of a row or an event. What another version of the portal wrote otherwise is left out."""
    known = {each.name for each in fields(Entry)}
    items = [item for item in stored if isinstance(item, dict)] if isinstance(stored, list) else []
    return [
        Entry(**{key: value for key, value in item.items() if key in known})
        for item in items
        if {"kind", "name"} <= item.keys()
    ]


def as_data(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The entries as they are stored."""
    return [asdict(each) for each in entries][:MOST]


def unexpected(found: list[Difference], recorded: list[Entry], now: datetime) -> list[Difference]:
    """What is not known as the cluster's own doing."""
    known = {each.key for each in recorded if each.cause == Cause.CLUSTER}
    return [each for each in found if entry(each, Cause.CLUSTER, now).key not in known]


def with_found(recorded: list[Entry], found: list[Difference], now: datetime) -> list[Entry]:
    """The entries after a look at the cluster: the cluster's own changes stay, the rest is what was found now."""
    own = [each for each in recorded if each.cause == Cause.CLUSTER]
    return _dated([*own, *(entry(each, Cause.HAND, now) for each in found)], recorded)


def with_altered(
    recorded: list[Entry], altered: dict[str, tuple[Difference, ...]], now: datetime, *, complete: bool
) -> list[Entry]:
    """The entries after a reconcile that applied objects, by `Kind/name`. `complete`: it applied all there are."""
    left = [] if complete else [each for each in recorded if f"{each.kind}/{each.name}" not in altered]
    new = [entry(each, Cause.CLUSTER, now) for found in altered.values() for each in found]
    return _dated([*left, *new], recorded)


def news(before: list[Entry], after: list[Entry], cause: Cause) -> list[Entry]:
    """The entries of a cause that were not known before."""
    known = {each.key for each in before}
    return [each for each in after if each.cause == cause and each.key not in known]


def keys(entries: Iterable[Entry]) -> frozenset[tuple[str, ...]]:
    """What makes two sets of entries the same."""
    return frozenset(each.key for each in entries)


def _dated(entries: list[Entry], recorded: list[Entry]) -> list[Entry]:
    """What was there before is there since then."""
    known = {each.key: each for each in recorded}
    return [
        replace(each, since=known[each.key].since, quiet=known[each.key].quiet) if each.key in known else each
        for each in entries
    ]
