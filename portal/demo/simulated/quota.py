"""ResourceQuotas: a namespace's usage, and rejection of objects that exceed it.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/ and the API server's resourcequota admission.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from portal.demo.simulated import quantity, quota_scopes, resources
from portal.demo.simulated.defaults import containers
from portal.demo.simulated.kinds import BY_NAME, NAMESPACED, Kind, Object, copy
from portal.demo.simulated.names import is_huge_pages, is_native
from portal.demo.simulated.quantity import Quantity
from portal.demo.simulated.statuses import forbidden
from portal.demo.simulated.store import Store

type Amounts = dict[str, Quantity]

_ONE = Quantity(quantity.parse("1").value)
_QUOTA = BY_NAME["ResourceQuota"]
_COUNTED = frozenset(
    {"pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers"}
)
#: A quota may name requests plainly.
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}


def admit(store: Store, kind: Kind, found: Object, live: Object | None = None) -> None:
    """Raise StatusError 403 where a new object, or what an update adds to it, does not fit a quota of its namespace."""
    namespace = found["metadata"]["namespace"]
    quotas = store.objects(_QUOTA, namespace)
    if not quotas:
        return
    demand, before = demands(kind, found), demands(kind, live) if live else {}
    requested = {name: Quantity(each.value - _of(before, name).value, each.binary) for name, each in demand.items()}
    for each in quotas:
        if not concerns(each, kind, found):
            continue
        hard = {name: amount for name, amount in _parsed(each["spec"].get("hard", {})).items() if is_counted(name)}
        if kind.kind == "Pod" and live is None:
            _require_amounts(each, hard, found)
        _require_room(each, hard, requested, kind, found)


def _require_amounts(quota: Object, hard: Amounts, pod: Object) -> None:
    """A pod must set CPU and memory if the quota counts them, unless a LimitRange sets them.

    Other resources are optional: a pod without GPU requests uses none.
    """
    if resources.are_said_for_all(pod):
        return
    missing = []
    for name in sorted(hard):
        section, _, resource = _ALIASES.get(name, name).partition(".")
        if section not in ("requests", "limits") or resource not in ("cpu", "memory"):
            continue
        lacking = [each["name"] for each in containers(pod) if resource not in each["resources"].get(section, {})]
        if lacking:
            missing.append(f"{name} for: {','.join(lacking)}")
    if missing:
        why = f"failed quota: {quota['metadata']['name']}: must specify {'; '.join(missing)}"
        raise forbidden(BY_NAME["Pod"], pod["metadata"]["name"], why)


def _require_room(quota: Object, hard: Amounts, requested: Amounts, kind: Kind, found: Object) -> None:
    used = _parsed(quota.get("status", {}).get("used", {}))
    exceeded = [
        name
        for name, limit in sorted(hard.items())
        if _of(requested, name).value > 0 and _of(used, name).value + requested[name].value > limit.value
    ]
    if exceeded:
        requested_, used_, limited = (
            ",".join(f"{name}={_of(amounts, name)}" for name in exceeded) for amounts in (requested, used, hard)
        )
        why = f"exceeded quota: {quota['metadata']['name']}, requested: {requested_}, used: {used_}, limited: {limited}"
        raise forbidden(kind, found["metadata"]["name"], why)


def refresh(store: Store, namespace: str) -> None:
    """Bring `status` of a namespace's quotas up to date, as the controller does."""
    for each in store.objects(_QUOTA, namespace):
        hard = each["spec"].get("hard", {})
        used = usage(store, namespace, each["spec"])
        status = {"hard": hard, "used": used} if hard else {}
        if each.get("status") != status:
            changed = copy(each)
            changed["status"] = copy(status)
            store.put(_QUOTA, changed)


def usage(store: Store, namespace: str, spec: Object) -> dict[str, str]:
    """What the namespace uses of each resource that a quota names, counting only objects in its scopes."""
    hard = spec.get("hard", {})
    totals: Amounts = {name: Quantity() for name in hard if is_counted(name)}
    for kind in NAMESPACED:
        if not _matters(kind, hard):
            continue
        for found in store.objects(kind, namespace):
            if not concerns({"spec": spec}, kind, found):
                continue
            for name, amount in demands(kind, found).items():
                if name in totals:
                    totals[name] += amount
    return {name: str(amount) for name, amount in totals.items()}


def concerns(quota: Object, kind: Kind, found: Object) -> bool:
    """Whether an object is in the scopes of a quota."""
    return quota_scopes.are_met(quota["spec"], kind.kind == "Pod", found)


#: What a real cluster counts beside the kinds that this one serves.
_ALSO_COUNTED = frozenset({"csistoragecapacities.storage.k8s.io"})
_COUNTED = frozenset(kind.dotted for kind in NAMESPACED if kind.kind != "Event")
_OF_CLASSES = re.compile(
    r".+\.storageclass\.storage\.k8s\.io/(requests\.storage|persistentvolumeclaims)"
    r"|.+\.deviceclass\.resource\.k8s\.io/devices|requests\.deviceclass\.resource\.kubernetes\.io/.+"
)


def is_counted(name: str) -> bool:
    """Whether the quota controller counts a key. It takes many others and leaves them out of `status.used`."""
    if name.startswith("count/"):
        counted = name.removeprefix("count/")
        return counted in _ALSO_COUNTED or counted in _COUNTED
    if "/" not in name or _OF_CLASSES.fullmatch(name):
        return True
    return name.startswith("requests.") and not is_native(name)


def demands(kind: Kind, found: Object) -> Amounts:
    """Return one object's usage by quota resource."""
    amounts: Amounts = {f"count/{kind.dotted}": _ONE}
    if kind.kind == "Pod":
        return amounts | dict(_pod(found))
    if not kind.group and kind.plural in _COUNTED:
        amounts[kind.plural] = _ONE
    if kind.kind == "PersistentVolumeClaim":
        amounts |= dict(_claim(found))
    if kind.kind == "Service":
        amounts |= dict(_service(found))
    if kind.kind == "ResourceClaim":
        amounts |= dict(_devices(found))
    return amounts


def _pod(found: Object) -> Iterator[tuple[str, Quantity]]:
    """A finished pod uses nothing."""
    if found.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return
    yield "pods", _ONE
    for section, totals in resources.of_pod(found).items():
        for resource, amount in totals.items():
            yield f"{section}.{resource}", quantity.parse(amount)
            if section == "requests" and (resource in _ALIASES or is_huge_pages(resource)):
                yield resource, quantity.parse(amount)


def _devices(found: Object) -> Iterator[tuple[str, Quantity]]:
    """What a claim of devices asks for, by class."""
    for request in ((found["spec"].get("devices") or {}).get("requests")) or ():
        exactly = request.get("exactly") or {}
        if name := exactly.get("deviceClassName"):
            yield f"{name}.deviceclass.resource.k8s.io/devices", Quantity(Decimal(exactly.get("count") or 1))


def _claim(found: Object) -> Iterator[tuple[str, Quantity]]:
    amount = quantity.parse(found["spec"]["resources"].get("requests", {}).get("storage", "0"))
    yield "requests.storage", amount
    if class_name := found["spec"].get("storageClassName"):
        yield f"{class_name}.storageclass.storage.k8s.io/requests.storage", amount
        yield f"{class_name}.storageclass.storage.k8s.io/persistentvolumeclaims", _ONE


def _service(found: Object) -> Iterator[tuple[str, Quantity]]:
    if found["spec"]["type"] == "LoadBalancer":
        yield "services.loadbalancers", _ONE
    spec = found["spec"]
    if spec["type"] == "NodePort" or (
        spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    ):
        ports = len(found["spec"].get("ports", []))
        yield "services.nodeports", Quantity(_ONE.value * ports)


def _matters(kind: Kind, hard: dict[str, str]) -> bool:
    """Whether objects of a kind can count towards the quota, to skip all other kinds."""
    if kind.kind in ("Pod", "PersistentVolumeClaim", "Service", "ResourceClaim"):
        return True
    return f"count/{kind.dotted}" in hard or (not kind.group and kind.plural in hard)


def _parsed(amounts: dict[str, str]) -> Amounts:
    return {name: quantity.parse(amount) for name, amount in amounts.items()}


def _of(amounts: Amounts, name: str) -> Quantity:
    return amounts.get(name, Quantity())
