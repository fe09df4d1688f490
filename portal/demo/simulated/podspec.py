"""What makes a pod invalid, wherever its spec stands: in a pod, or in what makes pods. Rules as tables.

Source: ValidatePodSpec and ValidatePodTemplateSpec in the API server's core validation.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from portal.demo.simulated import checks, quantity
from portal.demo.simulated.checks import (
    PROTOCOLS,
    Place,
    Rules,
    at_least,
    dns_label,
    exactly_one,
    labels,
    missing,
    not_allowed,
    not_negative,
    not_supported,
    one_of,
    port,
    port_name,
    port_number,
    refused,
    required,
    subdomain,
    twice,
    unique,
    when,
)
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.names import is_extended, is_huge_pages, is_native, key_causes
from portal.demo.simulated.statuses import Cause, bad_value

_MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_SECCOMP = ("Localhost", "RuntimeDefault", "Unconfined")
_VARIABLE_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
#: Fields of a pod that its containers can be told.
_TOLD = re.compile(
    r"metadata\.(name|namespace|uid|labels\['.+'\]|annotations\['.+'\])"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs)"
)


def _resource_names(place: Place) -> Iterator[Cause]:
    """Source: ValidateContainerResourceName, and whole numbers of devices."""
    for name, amount in (place.value or {}).items():
        field = f"{place.field}[{name}]"
        yield from (wrong := list(key_causes(field, name)))
        if not wrong and "/" not in name and name not in _MEASURED and not is_huge_pages(name):
            yield bad_value(field, name, "must be a standard resource for containers")
        if is_extended(name) and quantity.parse(amount).value % 1:
            yield bad_value(field, amount, "must be an integer")


def _resources(place: Place) -> Iterator[Cause]:
    """Requests within limits; what cannot be shared has a limit that is its request."""
    requests, limits = ((place.value or {}).get(key) or {} for key in ("requests", "limits"))
    for name, amount in sorted(requests.items()):
        is_shared = is_native(name) and not is_huge_pages(name)
        if name not in limits:
            if is_extended(name):
                yield missing(f"{place.field}.limits", "Limit must be set for non overcommitable resources")
        elif quantity.amount(amount) > quantity.amount(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield bad_value(f"{place.field}.requests", amount, why)
        elif not is_shared and quantity.amount(amount) != quantity.amount(limits[name]):
            why = f"must be equal to {name} limit of {limits[name]}"
            yield bad_value(f"{place.field}.requests", amount, why)


def _pod_resources(place: Place) -> Iterator[Cause]:
    """Source: validatePodResources: what a pod says for all of its containers covers each of them, and all."""
    said = place.value or {}
    for section in ("requests", "limits"):
        for name in said.get(section) or {}:
            if name not in ("cpu", "memory") and not is_huge_pages(name):
                yield not_supported(f"{place.field}.{section}[{name}]", name, ("cpu", "hugepages-", "memory"))
    main = place.parent.get("containers") or []
    for name, amount in (said.get("requests") or {}).items():
        parts = [quantity.amount(((each.get("resources") or {}).get("requests") or {}).get(name, "0")) for each in main]
        if sum(parts, Decimal(0)) > quantity.amount(amount):
            total = quantity.Quantity(sum(parts, Decimal(0)))
            why = f"must be greater than or equal to aggregate container requests of {total}"
            yield bad_value(f"{place.field}.requests[{name}]", amount, why)
    for index, each in enumerate(main):
        for name, amount in ((each.get("resources") or {}).get("limits") or {}).items():
            most = (said.get("limits") or {}).get(name)
            if most is not None and quantity.amount(amount) > quantity.amount(most):
                why = f"must be less than or equal to pod limits of {most}"
                yield bad_value(f"{place.field}.containers[{index}][{name}].limits", amount, why)


def _mounts(place: Place) -> Iterator[Cause]:
    """Each mount has a volume and a place of its own."""
    volumes = {each.get("name") for each in place.root.get("volumes") or () if _is_volume(each)}
    seen: list[str] = []
    for index, mount in enumerate(place.value or ()):
        where = f"{place.field}[{index}]"
        if mount.get("name") not in volumes:
            yield Cause(f"{where}.name", f'Not found: "{mount.get("name", "")}"', "FieldValueNotFound")
        if mount.get("mountPath") in seen:
            yield bad_value(f"{where}.mountPath", mount["mountPath"], "must be unique")
        seen.append(mount.get("mountPath", ""))


def _is_volume(volume: Object) -> bool:
    """Whether a volume is one that can be mounted; a broken one counts as none."""
    return not any(checks.apply(_VOLUME, volume, "volume"))


def _volume_sources(place: Place) -> Iterator[Cause]:
    said = [name for name, value in place.value.items() if name != "name" and value is not None]
    for name in sorted(said)[:-1] if len(said) > 1 else ():
        yield not_allowed(f"{place.field}.{name}", "may not specify more than 1 volume type")


def _names(place: Place) -> Iterator[Cause]:
    """No two containers have one name, init containers included."""
    seen = [each.get("name") for each in place.root.get("containers") or ()]
    for index, each in enumerate(place.value or ()):
        if each.get("name") and each.get("name") in seen:
            yield twice(f"{place.field}[{index}].name", each["name"])
        seen.append(each.get("name"))


def _source(place: Place) -> Iterator[Cause]:
    """Where a variable's value comes from: one place, and not beside a value of its own."""
    if not isinstance(place.value, dict):
        return
    said = [name for name in _VARIABLE_SOURCES if place.value.get(name) is not None]
    if len(said) != 1:
        yield bad_value(place.field, "", f"must specify one of: {', '.join(f'`{each}`' for each in _VARIABLE_SOURCES)}")
    if place.parent.get("value"):
        yield bad_value(place.field, "", "may not be specified when `value` is not empty")


def _variable_name(place: Place) -> Iterator[Cause]:
    if not place.value:
        yield missing(place.field)
    elif not re.fullmatch(r"[ -<>-~]+", place.value):
        yield bad_value(
            place.field,
            place.value,
            "a valid environment variable name must consist only of printable ASCII characters other than '='",
        )


def _told(place: Place) -> Iterator[Cause]:
    if place.value is None or not _TOLD.fullmatch(place.value):
        yield bad_value(place.field, place.value, "error converting fieldPath: field label not supported")


def _image(place: Place) -> Iterator[Cause]:
    if not place.value:
        yield missing(place.field)
    elif place.value.strip() != place.value:
        yield bad_value(place.field, place.value, "must not have leading or trailing whitespace")


_VOLUME: Rules = (
    ("name", required),
    ("name", dns_label),
    ("", _volume_sources),
    ("configMap.name", required),
    ("secret.secretName", required),
    ("persistentVolumeClaim.claimName", required),
    ("hostPath.path", required),
    ("nfs.server", required),
    ("nfs.path", required),
)
_PROBE: Rules = (
    ("", exactly_one(*_HANDLERS)),
    ("httpGet.port", port),
    ("tcpSocket.port", port),
    ("grpc.port", port_number),
    ("initialDelaySeconds", at_least(0)),
    ("periodSeconds", at_least(0)),
    ("timeoutSeconds", at_least(0)),
    ("failureThreshold", at_least(0)),
    ("successThreshold", at_least(0)),
)


def _part(rules: Rules) -> checks.Check:
    """A table of its own for what is at a place."""
    return lambda place: checks.apply(rules, place.value, place.field) if isinstance(place.value, dict) else ()


_once = when(lambda place: place.value not in (None, 0, 1), refused("must be 1"))
_CONTAINER: Rules = (
    ("name", required),
    ("name", dns_label),
    ("image", _image),
    ("imagePullPolicy", one_of("Always", "IfNotPresent", "Never")),
    ("ports[].containerPort", when(lambda place: not place.value, refused("", "FieldValueRequired"))),
    ("ports[].containerPort", when(lambda place: bool(place.value), port_number)),
    ("ports[].hostPort", when(lambda place: bool(place.value), port_number)),
    ("ports[].protocol", one_of(*PROTOCOLS)),
    ("ports[].name", port_name),
    ("ports", unique("name", named="name")),
    ("resources.requests", not_negative),
    ("resources.limits", not_negative),
    ("resources.requests", _resource_names),
    ("resources.limits", _resource_names),
    ("resources", _resources),
    ("env[].name", _variable_name),
    ("env[].valueFrom", _source),
    ("env[].valueFrom.fieldRef.fieldPath", _told),
    ("env[].valueFrom.configMapKeyRef.key", required),
    ("env[].valueFrom.secretKeyRef.key", required),
    ("volumeMounts[].name", required),
    ("volumeMounts[].mountPath", required),
    ("livenessProbe", _part(_PROBE)),
    ("readinessProbe", _part(_PROBE)),
    ("startupProbe", _part(_PROBE)),
    ("livenessProbe.successThreshold", _once),
    ("startupProbe.successThreshold", _once),
    ("securityContext.runAsUser", at_least(0)),
    ("securityContext.seccompProfile.type", one_of(*_SECCOMP)),
    (
        "securityContext",
        when(
            lambda place: (
                bool(place.value)
                and place.value.get("privileged") is True
                and place.value.get("allowPrivilegeEscalation") is False
            ),
            refused("cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
        ),
    ),
)
#: By the pod's spec, whose own path is left out.
SPEC: Rules = (
    ("containers", required),
    ("containers", unique("name", named="name")),
    ("initContainers", _names),
    ("containers[]", _part(_CONTAINER)),
    ("initContainers[]", _part(_CONTAINER)),
    ("containers[].volumeMounts", _mounts),
    ("initContainers[].volumeMounts", _mounts),
    ("initContainers[].restartPolicy", one_of("Always", "Never", "OnFailure")),
    ("volumes[]", _part(_VOLUME)),
    ("volumes", unique("name", named="name")),
    ("resources", _pod_resources),
    ("resources", _resources),
    ("restartPolicy", one_of("Always", "OnFailure", "Never")),
    ("dnsPolicy", one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")),
    (
        "dnsConfig",
        when(
            lambda place: place.parent.get("dnsPolicy") == "None" and not place.value,
            refused("must provide `dnsConfig` when `dnsPolicy` is None", "FieldValueRequired"),
        ),
    ),
    ("hostname", dns_label),
    ("subdomain", dns_label),
    ("serviceAccountName", subdomain),
    ("priorityClassName", subdomain),
    ("activeDeadlineSeconds", checks.between(1, 2**31 - 1)),
    ("nodeSelector", labels),
    ("tolerations[].operator", one_of("Equal", "Exists", "Lt", "Gt", "")),
    (
        "tolerations[]",
        when(
            lambda place: place.value.get("operator") == "Exists" and bool(place.value.get("value")),
            refused("value must be empty when `operator` is 'Exists'", at="operator"),
        ),
    ),
    ("tolerations[].effect", one_of(*_EFFECTS)),
    ("topologySpreadConstraints[].maxSkew", at_least(1)),
    ("topologySpreadConstraints[].topologyKey", required),
    ("securityContext.runAsUser", at_least(0)),
    ("securityContext.seccompProfile.type", one_of(*_SECCOMP)),
)


def spec(found: Object | None, base: str) -> Iterator[Cause]:
    """What is wrong with a pod's spec that stands at `base`."""
    return checks.apply(SPEC, found or {}, base)
