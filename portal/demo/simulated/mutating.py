"""What a mutating admission policy or webhook does to objects on their way in: sets a field, whatever was sent.

Source: https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portal.demo.simulated.kinds import Kind, Object, copy


@dataclass(frozen=True)
class Mutation:
    """Sets one field of every object of a kind; the value None removes it. An empty namespace means all of them."""

    kind: str
    path: tuple[str, ...]
    value: Any
    namespace: str = ""


class Mutations:
    """The mutations in force, in order. Callers hold the cluster's lock, or change this before anything is written."""

    def __init__(self) -> None:
        self._mutations: list[Mutation] = []

    def add(self, kind: str, path: Sequence[str], value: Any, namespace: str = "") -> None:
        """From now on, set this field in every object of the kind that is created or changed."""
        self._mutations.append(Mutation(kind, tuple(path), value, namespace))

    def clear(self) -> None:
        """Forget all mutations."""
        self._mutations.clear()

    def apply(self, kind: Kind, found: Object) -> None:
        """Change an object in place, as the policies in force say."""
        for each in self._mutations:
            metadata = found["metadata"]
            place = metadata.get("namespace", "") or (metadata.get("name", "") if kind.kind == "Namespace" else "")
            if each.kind == kind.kind and each.namespace in ("", place):
                _set(found, each.path, copy(each.value))


def _set(found: Any, path: tuple[str, ...], value: Any) -> None:
    """Set what is at a path, of which numbers are the indexes of lists."""
    for key in path[:-1]:
        found = found[int(key)] if isinstance(found, list) else found.setdefault(key, {})
    if value is None:
        found.pop(path[-1], None)
    else:
        found[path[-1]] = value
