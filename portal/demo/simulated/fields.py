"""Who owns which field: sets of paths, and `managedFields` made of them.

A path's elements are those of FieldsV1: `f:name` for a field, `k:{…}` for a list item by its keys, `v:…` for a set's
member. Only leaves are kept: scalars, and maps and lists that are empty or owned as a whole.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from portal.demo.simulated.kinds import Kind, Object, Path

#: What the server alone writes, or what names the object: no manager owns it.
_UNOWNED = frozenset(
    {
        ("apiVersion",),
        ("kind",),
        *(
            ("metadata", name)
            for name in (
                "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
                "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
            )
        ),
    }
)  # fmt: skip

#: Keys of list items that need not be written out.
_KEY_DEFAULTS = {"protocol": "TCP"}


@dataclass
class Manager:
    """One entry of `managedFields`."""

    name: str
    operation: str  # Apply or Update
    api_version: str
    time: str
    paths: set[Path]

    def __str__(self) -> str:
        """As in the message about a conflict."""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.name}"{using}'

    def is_same(self, name: str, operation: str) -> bool:
        """Whether this is that manager doing that."""
        return self.name == name and self.operation == operation


def leaves(kind: Kind, found: Object) -> dict[Path, Any]:
    """Every leaf of an object with its value, without status and what no manager owns."""
    return dict(_leaves(kind, {key: value for key, value in found.items() if key != "status"}, (), ()))


def _leaves(kind: Kind, value: Any, plain: Path, path: Path) -> Iterator[tuple[Path, Any]]:
    """`plain` is the path without list items, by which the schema is known."""
    if plain in _UNOWNED:
        return
    if isinstance(value, dict) and value and plain not in kind.atomic:
        for key, each in value.items():
            yield from _leaves(kind, each, (*plain, key), (*path, f"f:{key}"))
    elif isinstance(value, list) and value and plain in kind.lists:
        for element, each in items(kind, plain, value):
            yield from (
                _leaves(kind, each, plain, (*path, element)) if isinstance(each, dict) else [((*path, element), each)]
            )
    elif path:
        yield path, value


def items(kind: Kind, plain: Path, values: list[Any]) -> Iterator[tuple[str, Any]]:
    """A merged list's items, each with the path element that names it."""
    keys = kind.lists[plain]
    for value in values:
        if isinstance(value, dict) and not isinstance(keys, str):
            full = _KEY_DEFAULTS | value
            named = {key: full[key] for key in keys if key in full}
            yield f"k:{json.dumps(named, separators=(',', ':'), sort_keys=True)}", value
        else:
            yield f"v:{json.dumps(value)}", value


def read(managed_fields: Iterable[Object]) -> list[Manager]:
    """`managedFields` as sets of paths. The server's own entries (subresource status) are not kept here."""
    return [
        Manager(
            entry["manager"], entry["operation"], entry["apiVersion"], entry["time"], set(_paths(entry["fieldsV1"]))
        )
        for entry in managed_fields
    ]


def _paths(tree: Object, prefix: Path = ()) -> Iterator[Path]:
    for element, below in tree.items():
        if below:
            yield from _paths(below, (*prefix, element))
        else:
            yield (*prefix, element)


def write(found: Object, managers: Iterable[Manager]) -> None:
    """Set an object's `managedFields`; managers that own nothing are left out."""
    found["metadata"].pop("managedFields", None)
    owning = sorted((each for each in managers if each.paths), key=lambda each: (each.operation, each.time, each.name))
    if owning:
        found["metadata"]["managedFields"] = [_entry(manager) for manager in owning]


def _entry(manager: Manager) -> Object:
    return {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(manager.paths),
    }


def _tree(paths: set[Path]) -> Object:
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    return tree


def shown(path: Path) -> str:
    """A path as messages show it: `.spec.hard.pods`, `.spec.containers[name="c"].image`."""
    parts = []
    for element in path:
        marker, _, rest = element.partition(":")
        if marker == "f":
            parts.append(f".{rest}")
        elif marker == "k":
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            parts.append(f"[{keys}]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)
