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
from portal.demo.simulated.statuses import Cause, bad_value, invalid

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

_LABEL_SAYS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_SAYS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_LABEL}(\.{_LABEL})*')"
)
_KEY_SAYS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_SAYS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_COUNTED = frozenset(
    {
        "pods", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers", "resourcequotas",
    }
)  # fmt: skip
_QUOTA_RESOURCES = _COUNTED | frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    }
)  # fmt: skip


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
    elif not re.fullmatch(_SUBDOMAIN, name):
        yield bad_value("metadata.name", name, _SUBDOMAIN_SAYS)


def _labels(found: Object) -> Iterator[Cause]:
    for key, value in found["metadata"].get("labels", {}).items():
        if not re.fullmatch(_QUALIFIED, key.rpartition("/")[2]):
            yield bad_value("metadata.labels", key, _KEY_SAYS)
        if len(value) > 63:
            yield bad_value("metadata.labels", value, "must be no more than 63 characters")
        elif not re.fullmatch(_VALUE, value):
            yield bad_value("metadata.labels", value, _VALUE_SAYS)


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
        if "/" not in name and name not in _QUOTA_RESOURCES:
            yield bad_value(field, name, "must be a standard resource type or fully qualified")
            yield bad_value(field, name, "must be a standard resource for quota")
        if quantity.parse(amount).value < 0:
            yield bad_value(field, amount, "must be greater than or equal to 0")
        if (name in _COUNTED or _is_extended(name)) and quantity.parse(amount).value % 1:
            yield bad_value(field, amount, "must be an integer")


def _is_extended(name: str) -> bool:
    """Source: IsExtendedResourceName in the API server's core helpers."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


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
            for low_key, high_key, low_words, high_words, blamed, shown in _LIMIT_ORDER:
                low, high = item.get(low_key, {}).get(resource), item.get(high_key, {}).get(resource)
                if low is not None and high is not None and _amount(low) > _amount(high):
                    field = f"spec.limits[{index}].{blamed}[{resource}]"
                    yield bad_value(
                        field, item[shown][resource], f"{low_words} {low} is greater than {high_words} {high}"
                    )


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
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "Pod": _pod,
    "Service": _service,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "Event": _event,
}
