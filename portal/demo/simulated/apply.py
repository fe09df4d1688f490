"""Server-side apply and the bookkeeping of every other write: what changes, and who owns it afterwards.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
from typing import Any

from portal.demo.simulated import fields
from portal.demo.simulated.defaults import normalised
from portal.demo.simulated.fields import Manager
from portal.demo.simulated.kinds import Kind, Object, Path, copy
from portal.demo.simulated.statuses import Cause, StatusError

APPLY, UPDATE = "Apply", "Update"


def apply(kind: Kind, live: Object | None, wanted: Object, manager: str, now: str, *, force: bool) -> Object:
    """The object after `manager` applied `wanted` over `live`, with its `managedFields`.

    Removes fields that the manager applied before but not now, if no other manager owns them. Raises StatusError 409
    if another manager owns a field that would change, unless forced: then that manager loses it.
    """
    managers = fields.read((live or {}).get("metadata", {}).get("managedFields", []))
    if live and not managers:  # no manager owns a field yet: what is there came before
        managers = [Manager("before-first-apply", UPDATE, kind.api_version, now, set(fields.leaves(kind, live)))]
    own = next((each for each in managers if each.is_same(manager, APPLY)), None)
    others = [each for each in managers if each is not own]
    claimed = set(fields.leaves(kind, wanted))
    merged = _merge(kind, copy(live) if live else {}, wanted, ())
    kept = claimed.union(*(each.paths for each in others))
    dropped = (own.paths if own else set()) - kept
    for path in sorted(_items_without_owner(dropped, kept), key=len, reverse=True):
        _remove(merged, path)
    for path in sorted(dropped, key=len, reverse=True):
        if not any(new[: len(path)] == path for new in claimed):
            _remove(merged, path)
    result = normalised(kind, merged)
    _settle_conflicts(_changed(kind, live or {}, result) & claimed, others, force=force)
    if own is None or own.paths != claimed:
        own = Manager(manager, APPLY, kind.api_version, now, claimed)
    fields.write(result, [*others, own])
    return result


def track_update(kind: Kind, live: Object | None, result: Object, manager: str, now: str) -> None:
    """Write `managedFields` after a create, update or merge patch: what changed now belongs to `manager`."""
    managers = fields.read((live or {}).get("metadata", {}).get("managedFields", []))
    before, after = fields.leaves(kind, live or {}), fields.leaves(kind, result)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    own = next((each for each in managers if each.is_same(manager, UPDATE)), None)
    for each in managers:
        each.paths -= gone if each is own else changed | gone
    if changed and own is None:
        own = Manager(manager, UPDATE, kind.api_version, now, set())
        managers.append(own)
    if changed and own is not None:
        own.paths |= changed
        own.time = now
    fields.write(result, managers)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _items_without_owner(dropped: set[Path], kept: set[Path]) -> set[Path]:
    """List items of which no manager owns a field now: they go as a whole, with what was filled in."""
    items = {path[: at + 1] for path in dropped for at, each in enumerate(path) if each.startswith("k:")}
    return {item for item in items if not any(path[: len(item)] == item for path in kept)}


def _changed(kind: Kind, live: Object, result: Object) -> set[Path]:
    """The leaves that have another value afterwards, or none."""
    after = fields.leaves(kind, result)
    return {path for path, value in fields.leaves(kind, live).items() if path not in after or after[path] != value}


def _settle_conflicts(changed: set[Path], others: list[Manager], *, force: bool) -> None:
    conflicts = [(each, path) for each in others for path in sorted(each.paths & changed)]
    if force:
        for manager, path in conflicts:
            manager.paths.discard(path)
    elif conflicts:
        raise _conflict(conflicts)


def _conflict(conflicts: list[tuple[Manager, Path]]) -> StatusError:
    """409 with a cause for each field, each manager named once."""
    causes, listed = [], []
    for name in dict.fromkeys(str(manager) for manager, _ in conflicts):
        paths = [fields.shown(path) for manager, path in conflicts if str(manager) == name]
        causes += [Cause(path, f"conflict with {name}", "FieldManagerConflict") for path in paths]
        one = len(paths) == 1
        listed.append(f"conflict with {name}: {paths[0]}" if one else "\n- ".join([f"conflicts with {name}:", *paths]))
    count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    separator = " " if len(listed) == 1 else "\n"
    message = f"Apply failed with {count}:{separator}" + "\n".join(listed)
    return StatusError(409, "Conflict", message, {"causes": [cause.as_object() for cause in causes]})


def _merge(kind: Kind, live: Any, wanted: Any, plain: Path) -> Any:
    """`wanted` laid over `live`: maps and keyed lists item by item, everything else replaced."""
    if isinstance(wanted, dict) and isinstance(live, dict) and plain not in kind.atomic:
        for key, value in wanted.items():
            live[key] = _merge(kind, live.get(key), value, (*plain, key))
        return live
    if isinstance(wanted, list) and isinstance(live, list) and plain in kind.lists:
        return _merge_items(kind, live, wanted, plain)
    return copy(wanted)


def _merge_items(kind: Kind, live: list[Any], wanted: list[Any], plain: Path) -> list[Any]:
    merged = dict(fields.items(kind, plain, live))
    for element, value in fields.items(kind, plain, wanted):
        merged[element] = _merge(kind, merged.get(element), value, plain)
    return list(merged.values())


def _remove(node: Any, path: Path) -> None:
    """Take the leaf at `path` out of an object, and the maps and lists that are empty without it."""
    head, rest = path[0], path[1:]
    marker, _, name = head.partition(":")
    if marker == "f":
        if not isinstance(node, dict) or name not in node:
            return
        if rest:
            _remove(node[name], rest)
        if not rest or node[name] in ({}, []):
            del node[name]
    elif isinstance(node, list):
        _remove_item(node, marker, name, rest)


def _remove_item(node: list[Any], marker: str, text: str, rest: Path) -> None:
    named = json.loads(text)
    for index, item in enumerate(node):
        matches = item == named if marker == "v" else isinstance(item, dict) and named.items() <= item.items()
        if not matches:
            continue
        # The keys go last, with the item: they are what it is found by.
        if rest and rest[0].removeprefix("f:") not in named:
            _remove(item, rest)
        if not rest or not isinstance(item, dict) or item.keys() <= named.keys():
            del node[index]
        return
