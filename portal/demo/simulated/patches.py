"""Strategic merge patches, and JSON patches.

Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/,
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md,
https://www.rfc-editor.org/rfc/rfc6902
"""

from collections.abc import Callable
from typing import Any

from portal.demo.simulated import merge_keys
from portal.demo.simulated.apply import merge_patch
from portal.demo.simulated.kinds import Kind, Object, Path, copy
from portal.demo.simulated.merge_keys import MergeKeys
from portal.demo.simulated.statuses import Cause, StatusError, bad_request, broken_patch, invalid_options

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
CONTENT_TYPES = (MERGE, STRATEGIC, JSON)

_DIRECTIVE, _RETAIN, _ORDER, _DELETE = "$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/"


def patched(kind: Kind, live: Object, patch: Any, content_type: str) -> Object:
    """The object after a patch. Raises StatusError 400, 415 or 422 for a patch that does not fit."""
    if content_type == JSON:
        return _operated(copy(live), patch)
    if not isinstance(patch, dict):
        raise bad_request("the object provided is unrecognized: it is not a map")
    if content_type == MERGE:
        return dict(merge_patch(copy(live), patch))
    keys = merge_keys.of_kind(kind)
    if keys is None:
        raise unsupported()  # the API server knows no merge keys of custom resources
    return dict(_merged(keys, (), copy(live), patch))


def unsupported() -> StatusError:
    """415."""
    return StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def _merged(keys: MergeKeys, path: Path, live: Any, patch: Object) -> Object:
    """Maps are merged, null removes; lists as the merge key at their path says."""
    directive = patch.get(_DIRECTIVE)
    if directive == "delete":
        return {}
    rest = {key: value for key, value in patch.items() if key != _DIRECTIVE}
    result = dict(live) if isinstance(live, dict) and directive != "replace" else {}
    if _RETAIN in rest:
        kept = rest.pop(_RETAIN)
        result = {key: value for key, value in result.items() if key in kept}
    orders = {key.removeprefix(_ORDER): rest.pop(key) for key in list(rest) if key.startswith(_ORDER)}
    for key, value in rest.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            result[name] = [each for each in result.get(name) or [] if each not in value]
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merged_value(keys, (*path, key), result.get(key), value)
    for key in orders.keys() | {key for key, value in rest.items() if isinstance(value, list)}:
        merge_key = keys.get((*path, key))
        if merge_key and isinstance(result.get(key), list):
            before = live.get(key) if isinstance(live, dict) else None
            result[key] = _ordered(merge_key, result[key], orders.get(key, rest.get(key)) or [], before or [])
    return result


def _merged_value(keys: MergeKeys, path: Path, live: Any, value: Any) -> Any:
    merge_key = keys.get(path)
    if isinstance(value, dict) and merge_key != merge_keys.REPLACE:
        return _merged(keys, path, live, value)
    if isinstance(value, list) and merge_key:
        return _merged_list(keys, path, live if isinstance(live, list) else [], value)
    return _without_directives(value)


def _merged_list(keys: MergeKeys, path: Path, live: list[Any], patch: list[Any]) -> list[Any]:
    """A list whose items are found by their merge key, or a set of plain values."""
    merge_key = keys[path]
    if merge_key == merge_keys.SET:
        return [*live, *(each for each in patch if each not in live)]
    if any(each.get(_DIRECTIVE) == "replace" for each in patch if isinstance(each, dict)):
        return [each for each in patch if _DIRECTIVE not in each]
    result = list(live)
    for item in patch:
        if not isinstance(item, dict) or merge_key not in item:
            raise broken_patch(f"map: {item} does not contain declared merge key: {merge_key}")
        same = [at for at, each in enumerate(result) if each.get(merge_key) == item[merge_key]]
        if item.get(_DIRECTIVE) == "delete":
            result = [each for at, each in enumerate(result) if at not in same]
        elif same:
            result[same[0]] = _merged(keys, path, result[same[0]], item)
        else:
            result.append(_merged(keys, path, {}, item))
    return result


def _ordered(merge_key: str, items: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """The items in the order that the patch names, and the others between them, where they stood before.

    Source: mergeSortedSlice in k8s.io/apimachinery/pkg/util/strategicpatch
    """
    named, stood = [_key(merge_key, each) for each in order], [_key(merge_key, each) for each in before]
    theirs = sorted(
        (each for each in items if _key(merge_key, each) in named), key=lambda each: named.index(_key(merge_key, each))
    )
    others = [each for each in items if _key(merge_key, each) not in named]
    result: list[Any] = []
    while theirs and others:
        first = (_key(merge_key, each[0]) for each in (others, theirs))
        other, own = (stood.index(key) if key in stood else None for key in first)
        comes_first = other is not None and own is not None and other < own
        result.append(others.pop(0) if comes_first else theirs.pop(0))
    return [*result, *theirs, *others]


def _key(merge_key: str, item: Any) -> Any:
    """What an item of a merged list is found by."""
    return item.get(merge_key) if isinstance(item, dict) else item


def _without_directives(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_directives(each) for each in value]
    return merge_patch({}, value)


def _operated(found: Any, operations: Any) -> Object:
    """The object after the operations of a JSON patch, all of them or none."""
    if not isinstance(operations, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    for number, operation in enumerate(operations):
        try:
            found = _OPERATIONS[operation["op"]](found, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise _broken(number, operation, error) from error
    if not isinstance(found, dict):
        raise bad_request("the object provided is unrecognized: it is not a map")
    return found


def _broken(number: int, operation: Any, error: Exception) -> StatusError:
    path = operation.get("path", "") if isinstance(operation, dict) else ""
    why = f"Invalid value: operation {number} does not apply: doc is missing path or value: {path}: {error}"
    return invalid_options("", "", [Cause("patch", why)])


def _parts(pointer: str) -> list[str]:
    """The parts of a JSON pointer, RFC 6901. Raises ValueError."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer} is no pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(found: Any, parts: list[str]) -> Any:
    for part in parts:
        found = found[_index(found, part)] if isinstance(found, list) else found[part]
    return found


def _index(items: list[Any], part: str) -> int:
    number = int(part)
    if not 0 <= number < len(items):
        raise IndexError(part)
    return number


def _add(found: Any, operation: Object) -> Any:
    *parts, last = _parts(operation["path"]) or [""]
    value = copy(operation["value"])
    if not operation["path"]:
        return value
    parent = _at(found, parts)
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if not 0 <= at <= len(parent):
            raise IndexError(last)
        parent.insert(at, value)
    else:
        parent[last] = value
    return found


def _remove(found: Any, operation: Object) -> Any:
    *parts, last = _parts(operation["path"])
    parent = _at(found, parts)
    del parent[_index(parent, last) if isinstance(parent, list) else last]
    return found


def _replace(found: Any, operation: Object) -> Any:
    if not operation["path"]:
        return copy(operation["value"])
    *parts, last = _parts(operation["path"])
    parent = _at(found, parts)
    at: Any = _index(parent, last) if isinstance(parent, list) else last
    _ = parent[at]  # it must be there
    parent[at] = copy(operation["value"])
    return found


def _move(found: Any, operation: Object) -> Any:
    value = _at(found, _parts(operation["from"]))
    _remove(found, {"path": operation["from"]})
    return _add(found, {"path": operation["path"], "value": value})


def _copy(found: Any, operation: Object) -> Any:
    return _add(found, {"path": operation["path"], "value": _at(found, _parts(operation["from"]))})


def _test(found: Any, operation: Object) -> Any:
    if _at(found, _parts(operation["path"])) != operation["value"]:
        raise ValueError("testing value failed")
    return found


_OPERATIONS: dict[str, Callable[[Any, Object], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
