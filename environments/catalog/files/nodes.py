"""YAML as plain data that remembers its lines, and nothing that could do harm.

Every scalar stays the text of the file: `pods: 10` and `pods: "10"` are the same, `on` is no Boolean by
accident, and what a field makes of its text is the field's own business. Tags, repeated keys, alias bombs, deep
nesting and huge files are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from environments.catalog.files.mistakes import Mistake
from environments.spec import Place

MAX_CHARACTERS = 4 * 2**20
MAX_DEPTH = 20
MAX_NODES = 200_000  # with every alias written out

_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, about ten times as fast


class _RefusedError(Exception):
    """The file is not read any further."""

    def __init__(self, mark: Any, text: str) -> None:
        super().__init__(text)
        self.line = mark.line + 1 if mark else 0


@dataclass
class Tree:
    """One document: its data, and the line of each place in it."""

    file: str
    line: int
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    blocks: dict[Place, int] = field(default_factory=dict)  # the line before the first one of a text in several
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, place: Place, text: str) -> Mistake:
        """A sentence about a place, at the line of the nearest thing that is there.

        After a text in several lines, a number is one of its lines: that is how extra manifests are criticised.
        """
        if place and isinstance(place[-1], int) and place[:-1] in self.blocks:
            return Mistake(self.file, self.blocks[place[:-1]] + place[-1], text, place[:-1])
        known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self.lines), ())
        return Mistake(self.file, self.lines.get(known, self.line), text, place)


def trees(file: str, text: str) -> tuple[list[Tree], list[Mistake]]:
    """The documents in a text, empty ones left out; and why there are none."""
    try:
        if len(text) > MAX_CHARACTERS:
            raise _RefusedError(None, f"This file is larger than {MAX_CHARACTERS // 2**20} MiB.")
        _check_events(text)
        roots = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
        return list(_built(file, roots)), []
    except _RefusedError as refusal:
        return [], [Mistake(file, refusal.line, str(refusal))]
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = mark.line + 1 if mark else 0
        return [], [Mistake(file, line, f"This is not YAML: {problem or 'it contains characters that YAML forbids'}.")]


def _check_events(text: str) -> None:
    """Look at the flat events first: what is composed afterwards cannot be deep or tagged."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        tag = getattr(event, "tag", None)
        if tag not in _PLAIN | {None}:
            raise _RefusedError(event.start_mark, f"The tag {tag} is not allowed. Use plain YAML.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _RefusedError(event.start_mark, f"This is nested more than {MAX_DEPTH} levels deep.")


def _built(file: str, roots: list[yaml.Node]) -> Iterator[Tree]:
    builder = _Builder()
    for root in roots:
        tree = Tree(file, root.start_mark.line + 1)
        tree.data = builder.value(tree, root, ())
        if tree.data is not None:
            yield tree


class _Builder:
    """Nodes to data. Aliases are followed, so what they amount to is counted."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, tree: Tree, node: yaml.Node, place: Place) -> Any:
        """The data of a node, with the lines of all places in it."""
        self._count += 1
        if self._count > MAX_NODES or len(place) > MAX_DEPTH:
            raise _RefusedError(node.start_mark, "Aliases make this too large. Write it out.")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(tree, node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(tree, item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.style == "|":
            tree.blocks[place] = node.start_mark.line + 1 + len(node.value) - len(node.value.lstrip("\n"))
        return None if node.tag == "tag:yaml.org,2002:null" else node.value

    def _item(self, tree: Tree, node: yaml.Node, place: Place) -> Any:
        tree.lines[place] = node.start_mark.line + 1
        return self.value(tree, node, place)

    def _mapping(self, tree: Tree, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if sentence := _key_problem(key, data):
                tree.mistakes.append(Mistake(tree.file, line, sentence, place))
                continue
            tree.lines[*place, key.value] = line
            data[key.value] = self.value(tree, value, (*place, key.value))
        return data


def _key_problem(key: yaml.Node, data: dict[str, Any]) -> str:
    if not isinstance(key, yaml.ScalarNode):
        return "A field name must be one word."
    if key.tag == "tag:yaml.org,2002:merge":
        return "Merge keys (<<) are not supported. Write the fields out, or use an alias for the whole value."
    return f"“{key.value}” appears twice." if key.value in data else ""
