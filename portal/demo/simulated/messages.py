"""The messages that kubectl sends in protobuf: what each number in them means, read from the tables at first use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from portal.demo.simulated.message_tables import KINDS, MESSAGES

_ENTRY = re.compile(r"(?P<name>\w+|\.\.\.)(?P<mark>\?)?(?:: (?P<open>[\[{])?(?P<type>\w+)[\]}]?)?")
_IGNORED = "Ignored"


@dataclass(frozen=True)
class Field:
    """One field. `type` is that of a list's items, or of a map's values."""

    name: str
    type: str = "str"
    is_list: bool = False
    is_map: bool = False
    keeps_empty: bool = False  # whether an empty value differs from none
    is_inline: bool = False  # whether its own fields stand beside it in JSON

    @property
    def is_message(self) -> bool:
        """Whether it has fields of its own."""
        return self.type in MESSAGES

    @property
    def is_ignored(self) -> bool:
        """Whether the API server does not read it in what a client writes: a status."""
        return self.type == _IGNORED


@dataclass(frozen=True)
class Message:
    """A type with fields, by number."""

    name: str
    fields: dict[int, Field]


def of_kind(api_version: str, kind: str) -> Message | None:
    """The message of a kind, such as `apps/v1` `Deployment`; None for kinds that kubectl sends as JSON only."""
    return message(kind) if kind in KINDS.get(api_version, ()) else None


@cache
def message(name: str) -> Message:
    """The message of that name, such as `PodSpec`."""
    return Message(name, dict(_fields(MESSAGES[name])))


def _fields(entries: dict[int, str]) -> Iterator[tuple[int, Field]]:
    for number, entry in entries.items():
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError(f"{entry} is no field")
        name, type_, bracket = found["name"], found["type"] or "str", found["open"]
        yield number, Field(name, type_, bracket == "[", bracket == "{", bool(found["mark"]), name == "...")
