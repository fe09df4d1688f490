"""What makes an object invalid (422), in the API server's words.

It checks only what a user of the portal can get wrong: names, labels, amounts, and immutable fields.
Source: apimachinery's util/validation and the API server's core validation.
"""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from portal.demo.simulated import quantity
from portal.demo.simulated.defaults import containers
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
from portal.demo.simulated.networking import policy
from portal.demo.simulated.statuses import Cause, bad_value, invalid

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

_LABEL_SAYS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
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


def validate(kind: Kind, found: Object, live: Object | None = None) -> None:
    """Raise StatusError 422 with all causes if the object, or the change from `live`, is not valid."""
    name = found["metadata"].get("name", "")
    causes = [*_name(kind, name), *_labels(found), *_BY_KIND.get(kind.kind, _nothing)(found)]
    if live is not None:
        causes += _immutable(found, live)
    if causes:
        raise invalid(kind, name, causes)


def _name(kind: Kind, name: str) -> Iterator[Cause]:
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
    elif kind.group == RBAC_GROUP:
        return  # these may be called system:node
    elif kind.kind in ("Namespace", "Service"):
        if not re.fullmatch(_LABEL, name):
            yield bad_value("metadata.name", name, _LABEL_SAYS)
        elif len(name) > 63:
            yield bad_value("metadata.name", name, "must be no more than 63 characters")
    elif not re.fullmatch(SUBDOMAIN, name):
        yield bad_value("metadata.name", name, SUBDOMAIN_SAYS)


def _labels(found: Object) -> Iterator[Cause]:
    for key, value in found["metadata"].get("labels", {}).items():
        yield from key_causes("metadata.labels", key)
        yield from value_causes("metadata.labels", value)
    for key in found["metadata"].get("annotations", {}):
        yield from key_causes("metadata.annotations", key.lower(), key)


def _immutable(found: Object, live: Object) -> Iterator[Cause]:
    uid = found["metadata"].get("uid")
    if uid and uid != live["metadata"]["uid"]:
        yield bad_value("metadata.uid", uid, "field is immutable")
    scopes = found.get("spec", {}).get("scopes") if found["kind"] == "ResourceQuota" else None
    if found["kind"] == "ResourceQuota" and scopes != live["spec"].get("scopes"):
        yield Cause("spec.scopes", f"Invalid value: {json.dumps(scopes, separators=(',', ':'))}: field is immutable")
    if found.get("roleRef") != live.get("roleRef"):
        reference = found.get("roleRef") or {}
        shown = ",".join(f'"{title}":"{reference.get(key, "")}"' for title, key in _ROLE_REFERENCE)
        yield Cause("roleRef", f"Invalid value: {{{shown}}}: cannot change roleRef")


_ROLE_REFERENCE = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))


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


def _limit_range(found: Object) -> Iterator[Cause]:
    """Source: ValidateLimitRange in the API server's core validation."""
    for index, item in enumerate(found["spec"]["limits"]):
        resources = {resource for key in ("min", "max", "default", "defaultRequest") for resource in item.get(key, {})}
        for resource in sorted(resources):
            for key in ("max", "min", "default", "defaultRequest"):
                if resource in item.get(key, {}):
                    yield from _container_resource(f"spec.limits[{index}].{key}[{resource}]", resource)
            yield from _shared(f"spec.limits[{index}].defaultRequest[{resource}]", resource, item)
            for low_key, high_key, low_words, high_words, blamed, shown in _LIMIT_ORDER:
                low, high = item.get(low_key, {}).get(resource), item.get(high_key, {}).get(resource)
                if low is not None and high is not None and _amount(low) > _amount(high):
                    field = f"spec.limits[{index}].{blamed}[{resource}]"
                    yield bad_value(
                        field, item[shown][resource], f"{low_words} {low} is greater than {high_words} {high}"
                    )


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
    if not is_divisible and request is not None and limit is not None and _amount(request) != _amount(limit):
        why = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        yield bad_value(field, request, why)


def _pod(found: Object) -> Iterator[Cause]:
    if not found["spec"].get("containers"):
        yield Cause("spec.containers", "Required value", "FieldValueRequired")
    for index, container in enumerate(containers(found)):
        resources = container["resources"]
        for resource, amount in sorted(resources.get("requests", {}).items()):
            limit = resources.get("limits", {}).get(resource)
            if limit is not None and _amount(amount) > _amount(limit):
                field = f"spec.containers[{index}].resources.requests"
                yield bad_value(field, amount, f"must be less than or equal to {resource} limit of {limit}")


def _service(found: Object) -> Iterator[Cause]:
    names = [port.get("name", "") for port in found["spec"].get("ports") or []]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            yield Cause(f"spec.ports[{index}].name", f'Duplicate value: "{name}"', "FieldValueDuplicate")


def _workload(found: Object) -> Iterator[Cause]:
    spec = found["spec"]
    pod = spec.get("template") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (pod.get("metadata") or {}).get("labels") or {}
    if not spec.get("selector"):
        yield Cause("spec.selector", "Required value", "FieldValueRequired")
    if not wanted.items() <= labels.items():
        shown = json.dumps(labels, separators=(",", ":"))
        why = "`selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", f"Invalid value: {shown}: {why}")
    if not (pod.get("spec") or {}).get("containers"):
        yield Cause("spec.template.spec.containers", "Required value", "FieldValueRequired")


def _event(found: Object) -> Iterator[Cause]:
    namespace = found.get("involvedObject", {}).get("namespace", "")
    if namespace != found["metadata"]["namespace"]:
        yield bad_value("involvedObject.namespace", namespace, "does not match event.namespace")


def _amount(text: str) -> Decimal:
    return quantity.parse(text).value


_BY_KIND: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "NetworkPolicy": policy,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "Pod": _pod,
    "Service": _service,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "Event": _event,
}
