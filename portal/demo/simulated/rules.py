"""What makes an object invalid, kind by kind, as tables: the place, and what must hold there.

Quotas, limit ranges, pods and workloads, of which there is more to say, have modules of their own.
Source: the validation packages of the API server's groups.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from portal.demo.simulated import networking, podspec, quantity, workload_rules
from portal.demo.simulated.checks import (
    PROTOCOLS,
    Place,
    Rules,
    between,
    labels,
    matches,
    missing,
    not_supported,
    one_of,
    port,
    refused,
    required,
    selector,
    subdomain,
    twice,
    unique,
    when,
)
from portal.demo.simulated.kinds import RBAC_GROUP
from portal.demo.simulated.names import SUBDOMAIN, SUBDOMAIN_SAYS
from portal.demo.simulated.statuses import Cause, bad_value

_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_MOST_BYTES = 1024 * 1024
_ACCESS = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_SERVICE_PORT_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def _pods(place: Place) -> Iterator[Cause]:
    yield from podspec.spec(place.value, place.field)


def _beside(key: str, *values: object) -> Callable[[Place], bool]:
    """Whether the place's neighbour has one of these values."""
    return lambda place: place.parent.get(key) in values


# What a map of texts may hold.


def _keys(place: Place) -> Iterator[Cause]:
    for key in place.value or {}:
        if not re.fullmatch(_CONFIG_KEY, key) or key in (".", ".."):
            yield bad_value(f"{place.field}[{key}]", key, f"a valid config key must match {_CONFIG_KEY}")
        if key in (place.root.get("binaryData") or {}) and place.field == "data":
            yield bad_value(f"{place.field}[{key}]", key, "duplicate of key present in binaryData")


def _size(place: Place) -> Iterator[Cause]:
    if sum(len(value) for value in (place.value or {}).values()) > _MOST_BYTES:
        # The API server blames a field without a name here.
        yield Cause("[]", f"Too long: may not be more than {_MOST_BYTES} bytes", "FieldValueTooLong")


def _certificate(place: Place) -> Iterator[Cause]:
    for key in ("tls.crt", "tls.key") if place.parent.get("type") == "kubernetes.io/tls" else ():
        if key not in (place.value or {}):
            yield missing(f"data[{key}]")


# Volumes.


def _storage(place: Place) -> Iterator[Cause]:
    amount = ((place.value or {}).get("requests") or {}).get("storage")
    if amount is None:
        yield missing(f"{place.field}[storage]")
    elif quantity.parse(amount).value <= 0:
        yield bad_value(f"{place.field}[storage]", amount, "must be greater than zero")


def _access(place: Place) -> Iterator[Cause]:
    for mode in place.value or ():
        if mode not in _ACCESS:
            yield not_supported(place.field, mode, _ACCESS)


_CLAIM: Rules = (
    ("spec.accessModes", required),
    ("spec.accessModes", _access),
    ("spec.resources", _storage),
    ("spec.storageClassName", subdomain),
    ("spec.volumeMode", one_of("Block", "Filesystem")),
    ("spec.selector", selector),
)

# Services and ingresses.


def _ports(place: Place) -> Iterator[Cause]:
    spec, ports = place.parent, place.value or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield missing(place.field)
    for index, each in enumerate(ports if len(ports) > 1 else ()):
        if not each.get("name"):
            yield missing(f"{place.field}[{index}].name")


def _same_ports(place: Place) -> Iterator[Cause]:
    seen: list[tuple[object, ...]] = []
    for index, each in enumerate(place.value or ()):
        key = (each.get("port"), each.get("protocol", "TCP"))
        if key in seen:
            yield twice(f"{place.field}[{index}]", each.get("port"))
        seen.append(key)


def _address(place: Place) -> Iterator[Cause]:
    if place.value in (None, "", "None"):
        return
    try:
        ipaddress.ip_address(place.value)
    except ValueError:
        why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield bad_value(place.field.replace("clusterIP", "clusterIPs[0]"), place.value, why)


def _addresses(place: Place) -> Iterator[Cause]:
    for index, each in enumerate(place.value or ()):
        yield from _address(Place(f"{place.field}[{index}]", each, place.parent, place.root))


def _sources(place: Place) -> Iterator[Cause]:
    for index, each in enumerate(place.value or ()):
        if why := networking.why_no_block(each):
            # As the API server writes it.
            yield bad_value(f"spec.LoadBalancerSourceRanges[{index}]", each, why)


_SERVICE: Rules = (
    ("spec.type", one_of("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")),
    ("spec.ports", _ports),
    ("spec.ports", unique("name", named="name")),
    ("spec.ports", _same_ports),
    ("spec.ports[].port", between(1, 65535)),
    ("spec.ports[].name", matches(_SERVICE_PORT_NAME, "must be a DNS label")),
    ("spec.ports[].targetPort", port),
    ("spec.ports[].protocol", one_of(*PROTOCOLS)),
    (
        "spec.ports[]",
        when(
            lambda place: bool(place.value.get("nodePort")) and place.parent.get("type") == "ClusterIP",
            refused("may not be used when `type` is 'ClusterIP'", "FieldValueForbidden", at="nodePort"),
        ),
    ),
    ("spec.sessionAffinity", one_of("ClientIP", "None")),
    ("spec.externalName", when(_beside("type", "ExternalName"), required)),
    ("spec.selector", labels),
    ("spec.clusterIP", _address),
    ("spec.externalIPs", _addresses),
    ("spec.loadBalancerSourceRanges", _sources),
    ("spec.externalTrafficPolicy", one_of("Cluster", "Local")),
)


def _host(place: Place) -> Iterator[Cause]:
    host = place.value
    if not host:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not re.fullmatch(rf"(\*\.)?{SUBDOMAIN}", host):
            yield bad_value(place.field, host, SUBDOMAIN_SAYS)
    else:
        yield bad_value(place.field, host, "must be a DNS name, not an IP address")


def _hosts(place: Place) -> Iterator[Cause]:
    for index, host in enumerate(place.value or ()):
        yield from _host(Place(f"{place.field}[{index}]", host, place.parent, place.root))


_path_type = one_of("Exact", "ImplementationSpecific", "Prefix")


def _path(place: Place) -> Iterator[Cause]:
    text = place.value or ""
    if place.parent.get("pathType") == "ImplementationSpecific" and not text:
        return
    if not text.startswith("/"):
        yield bad_value(place.field, text, "must be an absolute path")
    elif "//" in text or "/./" in text or "/../" in text:
        yield bad_value(place.field, text, "must not contain '//'")


def _backend(place: Place) -> Iterator[Cause]:
    if place.value is None:
        return
    service = place.value.get("service")
    number = (service or {}).get("port") or {}
    if service is None and place.value.get("resource") is None:
        yield bad_value(place.field, "", "either service or resource backend is required")
    elif service is not None and number.get("number") and number.get("name"):
        yield bad_value(place.field, "", "cannot set both port name & port number")
    elif service is not None and not number:
        yield missing(place.field, "port name or number is required")


_RULE = "spec.rules[].http.paths[]"
_INGRESS: Rules = (
    (
        "spec",
        when(
            lambda place: not place.value or not (place.value.get("rules") or place.value.get("defaultBackend")),
            refused("either `defaultBackend` or `rules` must be specified"),
        ),
    ),
    ("spec.rules[].host", _host),
    ("spec.tls[].hosts", _hosts),
    (f"{_RULE}.pathType", required),
    (f"{_RULE}.pathType", when(lambda place: bool(place.value), _path_type)),
    (f"{_RULE}.path", when(lambda place: bool(place.parent.get("pathType")), _path)),
    (f"{_RULE}.backend", _backend),
    ("spec.defaultBackend", _backend),
)

# Roles and bindings.

_GROUP_OF = {"User": RBAC_GROUP, "Group": RBAC_GROUP, "ServiceAccount": ""}


def _subject(place: Place) -> Iterator[Cause]:
    kind, group = place.value.get("kind", ""), place.value.get("apiGroup", "")
    if not place.value.get("name"):
        yield missing(f"{place.field}.name")
    if kind not in _GROUP_OF:
        yield not_supported(f"{place.field}.kind", kind, _GROUP_OF)
    elif group != _GROUP_OF[kind]:
        yield not_supported(f"{place.field}.apiGroup", group, [_GROUP_OF[kind]])


def _rule(place: Place) -> Iterator[Cause]:
    """What a rule must say; paths are only for roles of the cluster."""
    rule, paths = place.value, place.value.get("nonResourceURLs")
    if not rule.get("verbs"):
        yield missing(f"{place.field}.verbs", "verbs must contain at least one value")
    if paths and place.root.get("kind") == "Role":
        yield bad_value(f"{place.field}.nonResourceURLs", "", "namespaced rules cannot apply to non-resource URLs")
    for key in ("apiGroups", "resources") if not paths else ():
        if not rule.get(key):
            yield missing(f"{place.field}.{key}", f"resource rules must supply at least one of {key}")


_BINDING: Rules = (
    ("roleRef.apiGroup", one_of(RBAC_GROUP)),
    ("roleRef.kind", one_of("ClusterRole", "Role")),
    ("roleRef.name", required),
    ("subjects[]", _subject),
)
_ROLE: Rules = (("rules[]", _rule),)

RULES: dict[str, Rules] = {
    **workload_rules.RULES,
    "ConfigMap": (("data", _keys), ("binaryData", _keys), ("data", _size)),
    "Secret": (("data", _keys), ("data", _size), ("data", _certificate)),
    "Pod": (
        ("spec", _pods),
        (
            "spec.ephemeralContainers",
            when(lambda place: bool(place.value), refused("cannot be set on create", "FieldValueForbidden")),
        ),
    ),
    "PersistentVolumeClaim": _CLAIM,
    "Service": _SERVICE,
    "Ingress": _INGRESS,
    "NetworkPolicy": networking.POLICY,
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
}
