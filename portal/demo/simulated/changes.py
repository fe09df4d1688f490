"""What an update must leave as it is, in the API server's words.

Source: the ValidateUpdate functions of the API server's groups.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from portal.demo.simulated import quantity
from portal.demo.simulated.checks import not_allowed
from portal.demo.simulated.kinds import Object, copy
from portal.demo.simulated.statuses import Cause, bad_value

_ROLE_REFERENCE = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
_IMMUTABLE = "field is immutable"
#: Fields that never change, by kind.
_FIXED = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "Secret": ("type",),
    "ResourceQuota": ("spec.scopes",),
}
#: Kinds of whose spec nothing changes but this.
_FREE = {
    "StatefulSet": frozenset(
        {
            "minReadySeconds",
            "ordinals",
            "persistentVolumeClaimRetentionPolicy",
            "replicas",
            "revisionHistoryLimit",
            "template",
            "updateStrategy",
        }
    ),
    "PersistentVolumeClaim": frozenset({"resources", "volumeAttributesClassName", "volumeName"}),
    "Pod": frozenset(
        {"activeDeadlineSeconds", "containers", "initContainers", "tolerations", "terminationGracePeriodSeconds"}
    ),
}


def is_left(found: Object, live: Object) -> bool:
    """Whether only metadata and status differ: what was taken once is not looked at again."""
    ignored = ("metadata", "status")
    return all(found.get(key) == live.get(key) for key in {*found, *live} if key not in ignored)


def causes(found: Object, live: Object, subresource: str = "") -> Iterator[Cause]:
    """What a change does that it must not."""
    kind = found["kind"]
    uid = found["metadata"].get("uid")
    if uid and uid != live["metadata"]["uid"]:
        yield bad_value("metadata.uid", uid, _IMMUTABLE)
    yield from _finalizers(found["metadata"], live["metadata"])
    for field in _FIXED.get(kind, ()):
        now, before = (_at(each, field) for each in (found, live))
        if now != before:
            shown = json.dumps(now, separators=(",", ":"))
            yield Cause(field, f"Invalid value: {shown}: {_IMMUTABLE}")
    if kind in _FREE and subresource != "resize" and _rest(found, kind) != _rest(live, kind):
        listed = ", ".join(f"'{name}'" for name in sorted(_FREE[kind]))
        yield not_allowed("spec", f"updates to {kind.lower()} spec for fields other than {listed} are forbidden")
    yield from _MORE.get(kind, _nothing)(found, live)


def _at(found: Any, field: str) -> Any:
    for key in field.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _finalizers(metadata: Object, before: Object) -> Iterator[Cause]:
    """Nothing new holds what is going already."""
    new = set(metadata.get("finalizers", ())) - set(before.get("finalizers", ()))
    if "deletionTimestamp" in before and new:
        why = f"no new finalizers can be added if the object is being deleted, found new finalizers {sorted(new)}"
        yield not_allowed("metadata.finalizers", why)


def _rest(found: Object, kind: str) -> Object:
    """The part of a spec that may not change."""
    spec = {key: value for key, value in (found.get("spec") or {}).items() if key not in _FREE[kind]}
    if kind == "Pod":
        for key in ("containers", "initContainers"):
            spec[key] = [_without_image(each) for each in found["spec"].get(key) or ()]
    return spec


def _without_image(container: Object) -> Object:
    found: Object = copy(container)
    found.pop("image", None)
    return found


def _fixed_map(found: Object, live: Object) -> Iterator[Cause]:
    """A ConfigMap or a Secret that says that it never changes."""
    if not live.get("immutable"):
        return
    if not found.get("immutable"):
        yield not_allowed("immutable", "field is immutable when `immutable` is set")
    for key in ("data", "binaryData"):
        if found.get(key) != live.get(key):
            yield not_allowed(key, "field is immutable when `immutable` is set")


def _claim(found: Object, live: Object) -> Iterator[Cause]:
    now, before = (quantity.amount(_storage(each)) for each in (found, live))
    if now != before:
        why = "is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield not_allowed("spec", why)


def _storage(found: Object) -> str:
    return str(_at(found, "spec.resources.requests.storage") or "0")


def _binding(found: Object, live: Object) -> Iterator[Cause]:
    if found.get("roleRef") != live.get("roleRef"):
        reference = found.get("roleRef") or {}
        shown = ",".join(f'"{title}":"{reference.get(key, "")}"' for title, key in _ROLE_REFERENCE)
        yield Cause("roleRef", f"Invalid value: {{{shown}}}: cannot change roleRef")


def _nothing(found: Object, live: Object) -> Iterator[Cause]:
    yield from ()


_MORE: dict[str, Callable[[Object, Object], Iterator[Cause]]] = {
    "ConfigMap": _fixed_map,
    "Secret": _fixed_map,
    "PersistentVolumeClaim": _claim,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
