"""How an object on a cluster differs from its manifest, field by field.

What governs a namespace is compared whole: a field that someone added to a NetworkPolicy may open it. Of everything
else, only what the manifest says is compared, because other people and controllers may add to it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from typing import Any

from environments.kube.client import FIELD_MANAGER, Manifest
from environments.lib import quantities

Path = tuple[str | int, ...]  # keys of maps, indexes of lists
_Found = Iterator[tuple[Path, Any, Any]]  # where, what is wanted, what is there

#: Kinds that bound what a namespace may do. Their content is ours alone.
GOVERNING = frozenset({"ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding"})

#: Lists of which server-side apply owns single items: what others add stays.
_OPEN_LISTS = frozenset(
    {"containers", "initContainers", "ports", "env", "volumes", "volumeMounts", "imagePullSecrets", "secrets"}
)

#: False says something else than nothing: nothing means true.
_MEANT = ("automountServiceAccountToken", "enableServiceLinks")

_POD_SECURITY = "pod-security.kubernetes.io/"
_SHOWN = 200  # characters of a value: a cluster may send millions


@dataclass(frozen=True)
class Difference:
    """One field that the cluster has otherwise than wanted; without a path, the whole object is missing.

    `manager` and `since` are the field manager that set it and when, if the cluster recorded that.
    """

    kind: str
    name: str
    path: Path = ()
    wanted: Any = None
    found: Any = None
    manager: str = ""
    since: str = ""

    @property
    def field(self) -> str:
        """The path as people write it: `spec.egress[0].ports`."""
        return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in self.path).lstrip(".")

    def __str__(self) -> str:
        what = f"{self.kind} {self.name}"
        if not self.path:
            return f"{what} is missing"
        if self.wanted is None:
            return f"{what}: {self.field} was added ({shown(self.found)})"
        if self.found is None and self.path[-1] in _OPEN_LISTS and not isinstance(self.wanted, list):
            return f"{what}: {self.field} lacks {shown(self.wanted)}"
        return f"{what}: {self.field} is {shown(self.found)}, not {shown(self.wanted)}"


def differences(wanted: Manifest, live: Manifest, label_domain: str) -> list[Difference]:
    """Every field in which an object on the cluster is not what its manifest says."""
    if _is_equal(wanted, live) and not any(_foreign_marks(wanted, live, label_domain)):
        return []
    kind, name = wanted["kind"], wanted["metadata"]["name"]
    is_extra = f"{label_domain}/extra" in wanted["metadata"].get("labels", {})
    found = [*_content(wanted, live, is_extra=is_extra), *_foreign_marks(wanted, live, label_domain)]
    return [Difference(kind, name, *each) for each in found]


def _is_equal(wanted: Manifest, live: Manifest) -> bool:
    """Whether all that the manifest says is there word for word: most of a cluster, most of the time.

    What Kubernetes itself adds may be there, too: its label on namespaces, the defaults of a LimitRange.
    """
    there = live["metadata"]
    for key, value in wanted.items():
        if key == "metadata":
            for name, part in value.items():
                if there.get(name) != part and not _is_part(part, there.get(name)):
                    return False
        elif key not in ("apiVersion", "kind") and live.get(key) != value and live.get(key) != _filled(wanted, key):
            return False
    return True


def _filled(wanted: Manifest, key: str) -> Any:
    """A part of a manifest with what the API server adds to it."""
    return _with_defaults(wanted[key]) if wanted["kind"] == "LimitRange" and key == "spec" else wanted[key]


def _is_part(wanted: Any, live: Any) -> bool:
    """Whether a map has all that another one has."""
    return isinstance(wanted, dict) and isinstance(live, dict) and wanted.items() <= live.items()


def _content(wanted: Manifest, live: Manifest, *, is_extra: bool) -> _Found:
    kind = wanted["kind"]
    for key, value in wanted.items():
        there = live.get(key)
        if value == there or key in ("apiVersion", "kind"):
            continue
        if key == "metadata":
            yield from _ANY(value, there, ("metadata",))
        elif kind in GOVERNING:
            yield from _WHOLE(_filled(wanted, key), there, (key,))
        else:
            yield from (_EXTRA if is_extra else _ANY)(value, there, (key,))


def loosens(difference: Difference) -> bool:
    """Whether a difference lets someone do more than was wanted. What cannot be judged counts as loosening."""
    match difference.kind, difference.path:
        case "ResourceQuota", ("spec", "hard", _):
            return difference.wanted is not None and _is_more(difference.found, difference.wanted)
        case "LimitRange", ("spec", "limits", int(), "max", *_):
            return _is_more(difference.found, difference.wanted)
        case "LimitRange", ("spec", "limits", int(), *_):
            return False
        case _, ("metadata", "annotations", *_):
            return False
        case kind, ("metadata", "labels", str(key)):
            return (kind in GOVERNING or kind == "Namespace") and _is_weaker_label(key, difference)
        case kind, _:
            return kind in GOVERNING or kind == "Namespace"


def removal(wanted: Manifest, found: list[Difference]) -> Manifest | None:
    """A JSON merge patch that removes what others added, None if nobody did."""
    added = [each for each in found if each.wanted is None and each.path]
    if not added:
        return None
    place = {key: wanted["metadata"][key] for key in ("name", "namespace") if key in wanted["metadata"]}
    patch: Manifest = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": place}
    for each in added:
        # A merge patch replaces a list as a whole.
        keys = list(takewhile(lambda key: isinstance(key, str), each.path))
        _put(patch, keys, _at(wanted, keys))
    return patch


def is_as_applied(wanted: Manifest, live: Manifest, label_domain: str) -> bool:
    """Whether an apply would change nothing: no field differs, and the portal set nothing that it no longer wants."""
    return not differences(wanted, live, label_domain) and not _left_over(wanted, live)


def _left_over(wanted: Manifest, live: Manifest) -> bool:
    """Whether there are labels or annotations that the portal applied once: only another apply takes them away."""
    for entry in live["metadata"].get("managedFields") or []:
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply"):
            for part in ("labels", "annotations"):
                fields = _at(entry, ["fieldsV1", "f:metadata", f"f:{part}"])
                owned = {key.removeprefix("f:") for key in fields if key != "."} if isinstance(fields, dict) else set()
                if owned - (wanted["metadata"].get(part) or {}).keys():
                    return True
    return False


def attributed(difference: Difference, live: Manifest) -> Difference:
    """The difference with the field manager that set what was found, if the cluster recorded one."""
    owners = [
        (depth, str(entry.get("time") or ""), str(entry.get("manager") or ""))
        for entry in live["metadata"].get("managedFields") or []
        if (entry.get("manager"), entry.get("operation")) != (FIELD_MANAGER, "Apply")
        and (depth := _depth(entry.get("fieldsV1"), difference.path))
    ]
    if not owners:
        return difference
    _, since, manager = max(owners)
    return replace(difference, manager=manager[:128], since=since[:40])


def shown(value: Any) -> str:
    """A value as people read it, cut to a reasonable length."""
    if value is None:
        return "missing"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True)
class _Comparison:
    """How two values are compared: `whole` finds additions, too. Items may be added to lists in `open_lists`."""

    whole: bool
    open_lists: frozenset[str] = frozenset()

    def __call__(self, wanted: Any, live: Any, path: Path) -> _Found:
        if wanted == live and wanted is not None:
            return  # most of a cluster, most of the time
        if isinstance(wanted, dict) and (isinstance(live, dict) or (live is None and not self.whole)):
            yield from self._maps(wanted, live or {}, path)
        elif isinstance(wanted, list) and isinstance(live, list) and path[-1] in self.open_lists:
            lacking = [one for one in wanted if all(any(self(one, two, (*path, 0))) for two in live)]
            yield from ((path, one, None) for one in lacking)
        elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
            for index, (one, two) in enumerate(zip(wanted, live, strict=True)):
                yield from self(one, two, (*path, index))
        elif not _is_same(wanted, live, path):
            yield path, wanted, live

    def _maps(self, wanted: Manifest, live: Manifest, path: Path) -> _Found:
        for key, value in wanted.items():
            if value is None or live.get(key) != value:
                yield from self(value, live.get(key), (*path, key))
        if self.whole:
            # An empty map may say a lot: a namespaceSelector without terms selects every namespace.
            added = {key: value for key, value in live.items() if key not in wanted and (value or value == {})}
            yield from (((*path, key), None, value) for key, value in added.items())


_ANY, _WHOLE, _EXTRA = _Comparison(whole=False), _Comparison(whole=True), _Comparison(False, _OPEN_LISTS)


def _is_same(wanted: Any, live: Any, path: Path) -> bool:
    if wanted == live:
        return True
    if not wanted and not live:
        return not (live is None and path[-1] in _MEANT)
    return _is_quantity(path) and (amount := _value(wanted)) is not None and amount == _value(live)


def _is_quantity(path: Path) -> bool:
    """Whether Kubernetes has a quantity there, of which `1000m` and `1` are two spellings."""
    match path:
        case ("spec", "hard", _) | ("spec", "limits", int(), str(), _):
            return True
        case (*_, "resources", "limits" | "requests", _) | (*_, "target", "averageValue" | "value"):
            return True
        case (*_, "emptyDir", "sizeLimit") | (*_, "resourceFieldRef", "divisor"):
            return True
    return False


def _value(amount: Any) -> Any:
    return _parsed(str(amount)) if isinstance(amount, str | int | float) else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    try:
        return quantities.parse(text)
    except ValueError:
        return None


def _is_more(found: Any, wanted: Any) -> bool:
    """Whether a limit is looser than wanted: it is greater, or there is none."""
    if wanted is None:
        return False
    most, limit = _value(found), _value(wanted)
    return most is None or limit is None or bool(most > limit)


#: Pod Security levels, the weakest first.
_LEVELS = ("privileged", "baseline", "restricted")


def _is_weaker_label(key: str, difference: Difference) -> bool:
    """Whether a label lets pods do more, or hides the object from the portal and its admission policies."""
    if key == f"{_POD_SECURITY}enforce":
        levels = difference.found, difference.wanted
        return not (set(levels) <= set(_LEVELS) and _LEVELS.index(levels[0]) >= _LEVELS.index(levels[1]))
    if key == f"{_POD_SECURITY}enforce-version":
        return difference.found not in (None, "latest")
    return key == "app.kubernetes.io/managed-by" or key.endswith("/environment")


def _with_defaults(spec: Manifest) -> Manifest:
    """A LimitRange's spec with what the API server adds: a maximum is a default, a default is a request.

    Source: SetDefaults_LimitRangeItem in the API server's core/v1 defaults.
    """
    items = []
    for item in spec["limits"]:
        default = item.get("max", {}) | item.get("default", {})
        request = default | item.get("defaultRequest", {})
        added = {"default": default, "defaultRequest": request}
        items.append(item | {key: amounts for key, amounts in added.items() if amounts})
    return spec | {"limits": items}


def _foreign_marks(wanted: Manifest, live: Manifest, label_domain: str) -> _Found:
    """Labels and annotations that only the portal may set, and wants no longer or never did.

    They decide what is found, and what pods may do. An apply would leave those that the namespace was created with.
    """
    prefixes: list[tuple[str, tuple[str, ...]]] = [("labels", (f"{label_domain}/",))]
    if wanted["kind"] == "Namespace":
        prefixes = [("labels", (f"{label_domain}/", _POD_SECURITY)), ("annotations", (f"{label_domain}/",))]
    for part, starts in prefixes:
        ours, there = wanted["metadata"].get(part) or {}, live["metadata"].get(part)
        if there and ours != there:
            for key in there.keys() - ours.keys():
                if key.startswith(starts):
                    yield ("metadata", part, key), None, there[key]


def _at(value: Any, keys: list[Any]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(patch: Manifest, keys: list[Any], value: Any) -> None:
    for key in keys[:-1]:
        patch = patch.setdefault(key, {})
    patch[keys[-1]] = value


def _depth(fields: Any, path: Path) -> int:
    """How far a manager's fields follow a path: 0 if it owns nothing there. What ends early is owned as a whole."""
    depth = 0
    for key in path:
        if not isinstance(fields, dict):
            return 0
        if not fields:
            return depth
        if isinstance(key, int) or f"f:{key}" not in fields:
            return depth if isinstance(key, int) else 0
        fields, depth = fields[f"f:{key}"], depth + 1
    return depth
