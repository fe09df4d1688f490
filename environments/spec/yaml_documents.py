"""YAML documents as plain data, with the line of everything in them.

Stricter than YAML, so that what is read here is what a person reads: no anchors and aliases (which can make a page
of text out of a line), no tags (which can make objects), no key twice. Plain data only: what JSON has, and a date
stays the text that was written.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

DEEPEST = 40  # levels; a CronJob's securityContext is at 10

Path = tuple[str | int, ...]
#: A line, counted from 1, and what is wrong there.
Flaw = tuple[int, str]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_TEXT = f"{_PREFIX}str"
_NULL, _BOOLEAN, _INTEGER, _FLOAT = (f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float"))


@dataclass(frozen=True)
class Document:
    """One document. Not to be changed: it is shared by all who read the same text."""

    data: Any
    lines: dict[Path, int]
    #: Texts that stand without quotes: `${replicas}`, not `"${replicas}"`.
    unquoted: frozenset[Path]

    def line(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path]


@lru_cache(maxsize=256)
def read(text: str) -> tuple[tuple[Document, ...], tuple[Flaw, ...]]:
    """The documents that are not empty, and what is wrong with the text as YAML: then there are no documents."""
    try:
        flaws = _events(text)
        if flaws:
            return (), tuple(flaws)
        readings = [(_Reading(), node) for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
    except yaml.YAMLError as error:
        return (), (_broken(text, error),)
    documents = tuple(reading.document(node) for reading, node in readings)
    flaws = [flaw for reading, _ in readings for flaw in reading.flaws]
    return ((), tuple(flaws)) if flaws else (tuple(each for each in documents if each.data is not None), ())


def _events(text: str) -> list[Flaw]:
    """What is refused before anything is built of it: building follows aliases and goes down as deep as the text."""
    flaws: list[Flaw] = []
    depth = 0
    events: Any = yaml.parse(text, Loader=_LOADER)
    for event in events:
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None):
            flaws.append((line, "Anchors and aliases (& and *) are not allowed. Write the value out."))
        if getattr(event, "tag", None) not in (None, "!"):
            flaws.append((line, f"Tags such as {event.tag} are not allowed."))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return [*flaws, (line, f"This is nested more than {DEEPEST} levels deep.")]
    return flaws


@dataclass
class _Reading:
    """A document while it is read."""

    lines: dict[Path, int] = field(default_factory=dict)
    unquoted: set[Path] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)

    def document(self, node: Any) -> Document:
        data = self._value(node, ())
        return Document(data, self.lines, frozenset(self.unquoted))

    def _value(self, node: Any, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(each, (*path, index)) for index, each in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
                self.flaws.append((line, "A key must be a text. Put it in quotes."))
            elif key.value in found:
                self.flaws.append((line, f"The key {key.value} appears twice."))
            else:
                self.lines[*path, key.value] = line
                found[key.value] = self._value(value, (*path, key.value))
        return found

    def _scalar(self, node: Any, path: Path) -> Any:
        if node.tag == _TEXT and not node.style:
            self.unquoted.add(path)
        try:
            return _plain(node)
        except ValueError:
            self.flaws.append((node.start_mark.line + 1, f"“{node.value}” is not a number."))
            return None


def _plain(node: Any) -> Any:
    """A scalar as JSON has it. Raises ValueError."""
    constructor = SafeConstructor()
    if node.tag == _NULL:
        return None
    if node.tag == _BOOLEAN:
        return constructor.construct_yaml_bool(node)
    if ":" in node.value:  # 22:22 is 1342 in YAML, and a text in Kubernetes
        return str(node.value)
    if node.tag == _INTEGER:
        return constructor.construct_yaml_int(node)
    return _finite(constructor.construct_yaml_float(node)) if node.tag == _FLOAT else str(node.value)


def _finite(number: float) -> float:
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("JSON has no such number")
    return number


def _broken(text: str, error: yaml.YAMLError) -> Flaw:
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # a character that YAML does not take
        position = getattr(error, "position", None) or 0
        return text.count("\n", 0, position) + 1, "This contains a character that YAML does not allow."
    return mark.line + 1, f"This is not YAML: {getattr(error, 'problem', '') or error}."
