"""What makes an object invalid (422), in the API server's words.

Metadata, quotas and limit ranges; the other kinds are tables in rules.py.
Source: apimachinery's util/validation and the API server's core validation.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from portal.demo.simulated import changes, checks, pod_security, quantity, quota_scopes
from portal.demo.simulated.checks import LABEL, LABEL_SAYS, missing, not_allowed, twice
from portal.demo.simulated.kinds import RBAC_GROUP, Kind, Object
from portal.demo.simulated.names import (
    SUBDOMAIN,
    SUBDOMAIN_SAYS,
    is_extended,
    is_huge_pages,
    is_native,
    key_causes,
    value_causes,
)
from portal.demo.simulated.rules import RULES
from portal.demo.simulated.statuses import Cause, bad_value, invalid

_MOST_ANNOTATIONS = 256 * 1024  # bytes
_COUNTED = frozenset(
    {
        "pods", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers", "resourcequotas",
    }
)  # fmt: skip
_MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
_QUOTA_RESOURCES = (
    _COUNTED
    | _MEASURED
    | {f"{part}.{name}" for part in ("requests", "limits") for name in _MEASURED}
    | {"requests.storage"}
)
_STANDARD = _QUOTA_RESOURCES | {"storage"}


def validate(kind: Kind, found: Object, live: Object | None = None, subresource: str = "") -> None:
    """Raise StatusError 422 with all causes if the object, or the change from `live`, is not valid."""
    name = found["metadata"].get("name", "")
    causes = [*_name(kind, found["metadata"]), *_metadata(found), *_BY_KIND.get(kind.kind, _nothing)(found)]
    if live is None or not changes.is_left(found, live):
        causes += checks.apply(RULES.get(kind.kind, ()), found)
    if live is not None:
        causes += changes.causes(found, live, subresource)
    if causes:
        raise invalid(kind, name, causes)


def _name(kind: Kind, metadata: Object) -> Iterator[Cause]:
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if prefix and not re.fullmatch(SUBDOMAIN, prefix.rstrip("-")):
        yield bad_value("metadata.generateName", prefix, SUBDOMAIN_SAYS)
    if not name:
        yield missing("metadata.name", "name or generateName is required")
    elif kind.group == RBAC_GROUP:  # these may be called system:node
        if name in (".", "..") or "/" in name or "%" in name:
            yield bad_value("metadata.name", name, "may not be '.' or '..', nor contain '/' or '%'")
    else:
        is_label = kind.kind in ("Namespace", "Service")
        pattern, says, most = (LABEL, LABEL_SAYS, 63) if is_label else (SUBDOMAIN, SUBDOMAIN_SAYS, 253)
        if not re.fullmatch(pattern, name):
            yield bad_value("metadata.name", name, says)
        elif len(name) > most:
            yield bad_value("metadata.name", name, f"must be no more than {most} characters")


def _metadata(found: Object) -> Iterator[Cause]:
    metadata = found["metadata"]
    for key, value in metadata.get("labels", {}).items():
        yield from key_causes("metadata.labels", key)
        yield from value_causes("metadata.labels", value)
    annotations = metadata.get("annotations", {})
    for key in annotations:
        yield from key_causes("metadata.annotations", key.lower(), key)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MOST_ANNOTATIONS:
        why = f"Too long: may not be more than {_MOST_ANNOTATIONS} bytes"
        yield Cause("metadata.annotations", why, "FieldValueTooLong")
    for index, name in enumerate(metadata.get("finalizers", ())):
        if "/" not in name and name not in _FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield bad_value(f"metadata.finalizers[{index}]", name, why)
    yield from _owners(metadata.get("ownerReferences", ()))


#: Those that need no domain.
_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def _owners(owners: list[Object]) -> Iterator[Cause]:
    for owner in owners:
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield bad_value(f"metadata.ownerReferences.{key}", "", f"{key} must not be empty")
        if owner.get("kind") == "Event":
            yield bad_value("metadata.ownerReferences", "Event", "is disallowed from being an owner")
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        yield bad_value("metadata.ownerReferences", "", "Only one reference can have Controller set to true")


def _nothing(found: Object) -> Iterator[Cause]:
    yield from ()


def _quota(found: Object) -> Iterator[Cause]:
    for name, amount in found["spec"].get("hard", {}).items():
        field = f"spec.hard[{name}]"
        yield from _quota_name(field, name)
        value = quantity.parse(amount).value
        if value < 0:
            yield bad_value(field, amount, "must be greater than or equal to 0")
        if (name in _COUNTED or _is_extended(name)) and (value > _MOST_WHOLE or value % 1):
            yield bad_value(field, amount, "must be an integer")
    yield from quota_scopes.causes(found["spec"])


def _quota_name(field: str, name: str) -> Iterator[Cause]:
    wrong = list(key_causes(field, name))
    yield from wrong
    if wrong or "/" in name or is_huge_pages(name.removeprefix("requests.")):
        return
    if name not in _STANDARD:
        yield bad_value(field, name, _NOT_STANDARD)
    if name not in _QUOTA_RESOURCES:
        yield bad_value(field, name, "must be a standard resource for quota")


#: Whole numbers are checked in thousandths, which have 63 bits.
_MOST_WHOLE = Decimal(2**63 - 1) / 1000
_NOT_STANDARD = "must be a standard resource type or fully qualified"


def _is_extended(name: str) -> bool:
    """Source: IsExtendedResourceName in the API server's core helpers."""
    return not is_native(name) and not name.startswith("requests.")


#: What must not be greater than what, their words, the field that is blamed and the one whose value is shown.
_LIMIT_ORDER = (
    ("min", "max", "min value", "max value", "min", "min"),
    ("min", "defaultRequest", "min value", "default request value", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "max", "default request value", "max value", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "default", "default request value", "default limit value", "defaultRequest", "defaultRequest"),
    ("min", "default", "min value", "default value", "default", "min"),
    ("default", "max", "default value", "max value", "default", "max"),
)


_LIMIT_KEYS = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")


def _limit_range(found: Object) -> Iterator[Cause]:
    """Source: ValidateLimitRange in the API server's core validation."""
    seen: list[str] = []
    for index, item in enumerate(found["spec"].get("limits") or ()):
        yield from _limit_type(f"spec.limits[{index}]", item, seen)
        seen.append(item.get("type", ""))
        resources = {resource for key in _LIMIT_KEYS for resource in item.get(key, {})}
        for resource in sorted(resources):
            for key in ("max", "min", "default", "defaultRequest"):
                if resource in item.get(key, {}) and item.get("type") == "Container":
                    yield from _container_resource(f"spec.limits[{index}].{key}[{resource}]", resource)
            yield from _shared(f"spec.limits[{index}].defaultRequest[{resource}]", resource, item)
            for low_key, high_key, low_words, high_words, blamed, shown in _LIMIT_ORDER:
                low, high = item.get(low_key, {}).get(resource), item.get(high_key, {}).get(resource)
                if low is not None and high is not None and quantity.amount(low) > quantity.amount(high):
                    field = f"spec.limits[{index}].{blamed}[{resource}]"
                    yield bad_value(
                        field, item[shown][resource], f"{low_words} {low} is greater than {high_words} {high}"
                    )

            yield from _ratio(f"spec.limits[{index}].maxLimitRequestRatio[{resource}]", resource, item)


_LIMITED_TYPES = ("Pod", "Container", "PersistentVolumeClaim")


def _limit_type(field: str, item: Object, seen: list[str]) -> Iterator[Cause]:
    """What a type of limits is called, and what it must and must not say."""
    name = item.get("type", "")
    if name not in _LIMITED_TYPES and ("/" not in name or list(key_causes("", name))):
        yield bad_value(f"{field}.type", name, "must be a standard limit type or fully qualified")
    if name in seen:
        yield twice(f"{field}.type", name)
    for key in ("default", "defaultRequest") if name == "Pod" else ():
        if item.get(key):
            yield not_allowed(f"{field}.{key}", "may not be specified when `type` is 'Pod'")
    if name == "Pod":
        for key in ("max", "min"):
            for resource in item.get(key, {}):
                yield from _container_resource(f"{field}.{key}[{resource}]", resource)
    if name == "PersistentVolumeClaim" and not any("storage" in item.get(key, {}) for key in ("min", "max")):
        yield missing(
            f"{field}.limits", "either minimum or maximum storage value is required, but neither was provided"
        )


def _ratio(field: str, resource: str, item: Object) -> Iterator[Cause]:
    """How far a limit may be above its request: not below 1, nor above what the bounds allow."""
    ratio, low, high = (item.get(key, {}).get(resource) for key in ("maxLimitRequestRatio", "min", "max"))
    if ratio is None:
        return
    if quantity.amount(ratio) < 1:
        yield bad_value(field, ratio, f"ratio {ratio} is less than 1")
    if (
        low is not None
        and high is not None
        and quantity.amount(ratio) > quantity.amount(high) / (quantity.amount(low) or 1)
    ):
        yield bad_value(field, ratio, f"ratio {ratio} is greater than max/min")


def _container_resource(field: str, name: str) -> Iterator[Cause]:
    """Source: ValidateContainerResourceName in the API server's core validation."""
    yield from (wrong := list(key_causes(field, name)))
    if not wrong and "/" not in name and name not in _STANDARD and not is_huge_pages(name.removeprefix("requests.")):
        yield bad_value(field, name, _NOT_STANDARD)
    if "/" not in name and name not in _MEASURED and not is_huge_pages(name):
        yield bad_value(field, name, "must be a standard resource for containers")
    elif "/" in name and not is_native(name) and not is_extended(name):
        yield bad_value(field, name, "doesn't follow extended resource name standard")


def _shared(field: str, name: str, item: Object) -> Iterator[Cause]:
    """Devices and huge pages are not overcommitted, so a container's request is its limit."""
    request, limit = (item.get(key, {}).get(name) for key in ("defaultRequest", "default"))
    is_divisible = is_native(name) and not is_huge_pages(name)
    if is_divisible or request is None or limit is None:
        return
    if quantity.amount(request) != quantity.amount(limit):
        why = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        yield bad_value(field, request, why)


def _namespace(found: Object) -> Iterator[Cause]:
    yield from pod_security.wrong_labels(found["metadata"].get("labels", {}))


def _event(found: Object) -> Iterator[Cause]:
    namespace = found.get("involvedObject", {}).get("namespace", "")
    if namespace != found["metadata"]["namespace"]:
        yield bad_value("involvedObject.namespace", namespace, "does not match event.namespace")


#: What needs more than a table.
_BY_KIND: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "Event": _event,
}
