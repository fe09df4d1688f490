"""How a Deployment's replica sets are sized while one version follows another, and what its status says. Pure.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

import hashlib
import json
import math
from typing import Any

from portal.demo.simulated.cells import get
from portal.demo.simulated.kinds import Object, copy

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_QUARTER = "25%"


def template_hash(template: Object) -> str:
    """A short name for a pod template: ten letters, the same for the same template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[each % len(_ALPHABET)] for each in digest[:10])


def owner_reference(owner: Object) -> Object:
    """What an object says of the controller that made it."""
    metadata = owner["metadata"]
    named = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"]}
    return named | {"uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}


def is_owned(found: Object, owner: Object) -> bool:
    """Whether the owner is what made it."""
    references = found["metadata"].get("ownerReferences") or []
    return any(each.get("controller") and each["uid"] == owner["metadata"]["uid"] for each in references)


def replica_set(deployment: Object, revision: int) -> Object:
    """A replica set for the template that a Deployment has now, without replicas."""
    template: Object = copy(deployment["spec"]["template"])
    name = template_hash(template)
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = name
    selector: Object = copy(deployment["spec"].get("selector") or {})
    selector.setdefault("matchLabels", {})[HASH_LABEL] = name
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{name}",
            "labels": dict(labels),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }


def revision_of(found: Object) -> int:
    """Which version of its Deployment a replica set is."""
    return int((found["metadata"].get("annotations") or {}).get(REVISION, 0))


def sizes(deployment: Object, new: Object, old: list[Object]) -> dict[str, int]:
    """How many replicas each set is to have next, by name: one step of the way from the old to the new."""
    spec = deployment["spec"]
    desired = spec.get("replicas", 1)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        wanted = dict.fromkeys(_names(old), 0)
        return wanted | ({_name(new): desired} if not any(_count(each, "status") for each in old) else {})
    surge = _amount(get(strategy, "rollingUpdate.maxSurge", _QUARTER), desired, math.ceil)
    unavailable = _amount(get(strategy, "rollingUpdate.maxUnavailable", _QUARTER), desired, math.floor)
    if not surge and not unavailable:
        unavailable = 1
    room = desired + surge - sum(_count(each) for each in old)
    wanted = {_name(new): max(min(desired, room), min(_count(new), desired))}
    spare = sum(_ready(each) for each in (new, *old)) - (desired - unavailable)
    for each in old:
        broken = _count(each) - _ready(each)
        taken = min(_count(each), broken + max(0, min(spare, _ready(each))))
        spare -= max(0, taken - broken)
        wanted[_name(each)] = _count(each) - taken
    return wanted


def status(deployment: Object, new: Object | None, old: list[Object], now: str) -> Object:
    """A Deployment's status."""
    sets = [*([new] if new else []), *old]
    desired, ready = deployment["spec"].get("replicas", 1), sum(_ready(each) for each in sets)
    total = sum(_count(each, "status") for each in sets)
    updated = _count(new, "status") if new else 0
    numbers = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, desired - ready),
    }
    found: Object = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    found |= {key: value for key, value in numbers.items() if value}
    is_done = bool(new) and updated == desired == ready == total
    return found | {"conditions": _conditions(deployment, new, now, is_available=ready >= desired, is_done=is_done)}


def _conditions(deployment: Object, new: Object | None, now: str, *, is_available: bool, is_done: bool) -> list[Object]:
    enough = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    few = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    name = new["metadata"]["name"] if new else ""
    done = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    under_way = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    wanted = {"Available": enough if is_available else few, "Progressing": done if is_done else under_way}
    before = {each["type"]: each for each in get(deployment, "status.conditions", [])}
    return [_condition(name, *said, before.get(name), now) for name, said in wanted.items()]


def _condition(name: str, state: str, reason: str, message: str, before: Object | None, now: str) -> Object:
    same = before is not None and (before["status"], before["reason"], before["message"]) == (state, reason, message)
    if same and before is not None:
        return before
    turned = before["lastTransitionTime"] if before is not None and before["status"] == state else now
    return {
        "type": name,
        "status": state,
        "lastUpdateTime": now,
        "lastTransitionTime": turned,
        "reason": reason,
        "message": message,
    }


def set_status(owner: Object, pods: list[Object]) -> Object:
    """The status of a replica set or stateful set with these pods."""
    ready = sum(is_ready(pod) for pod in pods)
    found = {"replicas": len(pods), "observedGeneration": owner["metadata"].get("generation", 1)}
    fully = "fullyLabeledReplicas" if owner["kind"] == "ReplicaSet" else "currentReplicas"
    numbers = {fully: len(pods), "readyReplicas": ready, "availableReplicas": ready}
    return found | {key: value for key, value in numbers.items() if value}


def is_ready(pod: Object) -> bool:
    """Whether a pod works."""
    conditions = get(pod, "status.conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _amount(value: Any, of: int, rounded: Any) -> int:
    """A number, or a share in percent of one."""
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(of * int(value[:-1]) / 100))
    return int(value)


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _names(sets: list[Object]) -> list[str]:
    return [_name(each) for each in sets]


def _count(found: Object, where: str = "spec") -> int:
    return int(get(found, f"{where}.replicas", 0))


def _ready(found: Object) -> int:
    return int(get(found, "status.readyReplicas", 0))
