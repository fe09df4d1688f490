"""Pod Security admission: which pods a namespace's level rejects, which it warns of, and what a level is called.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.statuses import Cause, bad_value, forbidden

_PREFIX = "pod-security.kubernetes.io"
_MODES = ("enforce", "audit", "warn")
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_POD_OF = {
    "Deployment": ("template",),
    "ReplicaSet": ("template",),
    "DaemonSet": ("template",),
    "StatefulSet": ("template",),
    "ReplicationController": ("template",),
    "Job": ("template",),
    "CronJob": ("jobTemplate", "spec", "template"),
}
_USUAL_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_SAFE_SYSCTLS = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    ]
)
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)

type Words = Iterator[str]


def wrong_labels(labels: dict[str, str]) -> Iterator[Cause]:
    """What is wrong with the levels and versions that a namespace names."""
    for mode in _MODES:
        level, version = (labels.get(f"{_PREFIX}/{mode}{part}") for part in ("", "-version"))
        if level is not None and level not in _LEVELS:
            why = f"must be one of {', '.join(_LEVELS)}"
            yield bad_value(f"metadata.labels[{_PREFIX}/{mode}]", level, why)
        if version is not None and not _VERSION.fullmatch(version):
            why = "must be 'latest' or 'v1.x'"
            yield bad_value(f"metadata.labels[{_PREFIX}/{mode}-version]", version, why)


def admit(kind: Kind, found: Object, namespace: Object | None) -> None:
    """Raise StatusError 403 where the namespace's enforced level rejects a pod."""
    said = _violations(found, namespace, "enforce") if kind.kind == "Pod" else ""
    if said:
        raise forbidden(kind, found["metadata"].get("name", ""), f"violates {said}")


def warning(kind: Kind, found: Object, namespace: Object | None) -> str:
    """What a namespace's warn level, or its enforced one for workloads, says of pods; empty if nothing."""
    said = _violations(found, namespace, "warn") if kind.kind in ("Pod", *_POD_OF) else ""
    return f"would violate {said}" if said else ""


def warnings_about_pods(before: Object, after: Object, pods: Iterable[Object]) -> list[str]:
    """What is said of the pods that are there, when a namespace's enforced level becomes another."""
    levels = [_level(namespace, "enforce") for namespace in (before, after)]
    if levels[0] == levels[1] or levels[1][0] == "privileged":
        return []
    shorts = {
        pod["metadata"]["name"]: ", ".join(words.partition(" (")[0] for words in _judged(pod["spec"], levels[1][0]))
        for pod in pods
    }
    wrong = [f"{name}: {short}" for name, short in shorts.items() if short]
    level, version = levels[1]
    name = after["metadata"]["name"]
    head = f'existing pods in namespace "{name}" violate the new PodSecurity enforce level "{level}:{version}"'
    return [head, *wrong] if wrong else []


def _level(namespace: Object | None, mode: str) -> tuple[str, str]:
    labels = (namespace or {}).get("metadata", {}).get("labels") or {}
    if mode == "warn" and f"{_PREFIX}/warn" not in labels:
        mode = "enforce"  # what is enforced is warned of where nothing else is said
    return labels.get(f"{_PREFIX}/{mode}", "privileged"), labels.get(f"{_PREFIX}/{mode}-version", "latest")


def _violations(found: Object, namespace: Object | None, mode: str) -> str:
    level, version = _level(namespace, mode)
    pod = found.get("spec") or {}
    for key in (*_POD_OF[found["kind"]], "spec") if found["kind"] in _POD_OF else ():
        pod = pod.get(key) or {}
    said = list(_judged(pod, level))
    return f'PodSecurity "{level}:{version}": {", ".join(said)}' if said else ""


def _judged(pod: Object, level: str) -> Words:
    for lowest, check in _CHECKS:
        if _LEVELS.index(level if level in _LEVELS else "restricted") >= _LEVELS.index(lowest):
            yield from check(pod)


# Each check says in words what a pod does that its level does not let it.


def _host_namespaces(pod: Object) -> Words:
    hosts = ", ".join(f"{name}=true" for name in _HOST if pod.get(name))
    if hosts:
        yield f"host namespaces ({hosts})"


def _host_paths(pod: Object) -> Words:
    names = [f'"{each["name"]}"' for each in pod.get("volumes") or () if each.get("hostPath")]
    if names:
        yield f"hostPath volumes (volume{_s(names)} {', '.join(names)})"


def _host_ports(pod: Object) -> Words:
    ports = [
        str(port["hostPort"]) for each in _containers(pod) for port in each.get("ports") or () if port.get("hostPort")
    ]
    if names := _named(pod, lambda each: any(port.get("hostPort") for port in each.get("ports") or ())):
        yield f"hostPort ({names} use{'s' if 'containers' not in names else ''} hostPort{_s(ports)} {', '.join(ports)})"


def _host_probes(pod: Object) -> Words:
    if names := _named(pod, lambda each: any(_hosts(each))):
        yield f"probe or lifecycle host ({names} must not set host)"


def _hosts(container: Object) -> Iterator[Any]:
    handlers = [container.get(f"{name}Probe") or {} for name in ("liveness", "readiness", "startup")]
    handlers += [(container.get("lifecycle") or {}).get(name) or {} for name in ("postStart", "preStop")]
    for handler in handlers:
        for way in ("httpGet", "tcpSocket"):
            yield (handler.get(way) or {}).get("host")


def _privileged(pod: Object) -> Words:
    if names := _named(pod, lambda each: _security(each).get("privileged")):
        yield f"privileged ({names} must not set securityContext.privileged=true)"


def _capabilities(pod: Object) -> Words:
    def added(each: Object) -> set[str]:
        return set((_security(each).get("capabilities") or {}).get("add") or ()) - _USUAL_CAPABILITIES

    if names := _named(pod, added):
        listed = ", ".join(f'"{name}"' for name in sorted(set().union(*map(added, _containers(pod)))))
        yield f"non-default capabilities ({names} must not include {listed} in securityContext.capabilities.add)"


def _proc_mount(pod: Object) -> Words:
    def is_unmasked(each: Object) -> bool:
        return bool(_security(each).get("procMount", "Default") != "Default")

    if pod.get("hostUsers") is not False and (names := _named(pod, is_unmasked)):
        yield f'procMount ({names} must not set securityContext.procMount to "Unmasked")'


def _selinux(pod: Object) -> Words:
    options = [security.get("seLinuxOptions") or {} for security in _securities(pod)]
    wrong = [
        each for each in options if each.get("type", "") not in _SELINUX_TYPES or each.get("user") or each.get("role")
    ]
    if wrong:
        yield "seLinuxOptions (pod or containers set forbidden securityContext.seLinuxOptions)"


def _unconfined(pod: Object) -> Words:
    for key, title in (("seccompProfile", "seccompProfile"), ("appArmorProfile", "forbidden AppArmor profile")):
        if any((security.get(key) or {}).get("type") == "Unconfined" for security in _securities(pod)):
            yield f'{title} (pod or containers must not set securityContext.{key}.type to "Unconfined")'


def _sysctls(pod: Object) -> Words:
    names = [each["name"] for each in (pod.get("securityContext") or {}).get("sysctls") or ()]
    if wrong := [name for name in names if name not in _SAFE_SYSCTLS]:
        yield f"forbidden sysctls ({', '.join(wrong)})"


def _escalation(pod: Object) -> Words:
    if names := _named(pod, lambda each: _security(each).get("allowPrivilegeEscalation") is not False):
        yield f"allowPrivilegeEscalation != false ({names} must set securityContext.allowPrivilegeEscalation=false)"


def _kept_capabilities(pod: Object) -> Words:
    def parts(each: Object, key: str) -> set[str]:
        return set((_security(each).get("capabilities") or {}).get(key) or ())

    said = []
    if names := _named(pod, lambda each: "ALL" not in parts(each, "drop")):
        said.append(f'{names} must set securityContext.capabilities.drop=["ALL"]')
    if names := _named(pod, lambda each: parts(each, "add") - {"NET_BIND_SERVICE"}):
        listed = ", ".join(f'"{name}"' for each in _containers(pod) for name in sorted(parts(each, "add")))
        said.append(f"{names} must not include {listed} in securityContext.capabilities.add")
    if said:
        yield f"unrestricted capabilities ({'; '.join(said)})"


def _volume_types(pod: Object) -> Words:
    for volume in pod.get("volumes") or ():
        for sort in volume.keys() - _VOLUMES - {"name"}:
            yield f'restricted volume types (volume "{volume["name"]}" uses restricted volume type "{sort}")'


def _root(pod: Object) -> Words:
    own = pod.get("securityContext") or {}
    if names := _named(pod, lambda each: _security(each).get("runAsNonRoot") is False):
        yield f"runAsNonRoot != true ({names} must not set securityContext.runAsNonRoot=false)"
    elif not own.get("runAsNonRoot") and (names := _named(pod, lambda each: not _security(each).get("runAsNonRoot"))):
        yield f"runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)"


def _user_0(pod: Object) -> Words:
    if names := _named(pod, lambda each: _security(each).get("runAsUser") == 0):
        yield f"runAsUser=0 ({names} must not set runAsUser=0)"
    elif (pod.get("securityContext") or {}).get("runAsUser") == 0:
        yield "runAsUser=0 (pod must not set runAsUser=0)"


def _seccomp(pod: Object) -> Words:
    own = pod.get("securityContext") or {}
    names = _named(pod, lambda each: not _security(each).get("seccompProfile"))
    if not own.get("seccompProfile") and names:
        must = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {names} must set {must})"


#: The lowest level at which each is looked at.
_CHECKS: tuple[tuple[str, Callable[[Object], Words]], ...] = (
    ("baseline", _host_namespaces),
    ("baseline", _host_paths),
    ("baseline", _host_ports),
    ("baseline", _host_probes),
    ("baseline", _privileged),
    ("baseline", _capabilities),
    ("baseline", _proc_mount),
    ("baseline", _selinux),
    ("baseline", _unconfined),
    ("baseline", _sysctls),
    ("restricted", _escalation),
    ("restricted", _kept_capabilities),
    ("restricted", _volume_types),
    ("restricted", _root),
    ("restricted", _user_0),
    ("restricted", _seccomp),
)


def _containers(pod: Object) -> list[Object]:
    return [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]


def _security(container: Object) -> Object:
    found: Object = container.get("securityContext") or {}
    return found


def _securities(pod: Object) -> list[Object]:
    return [pod.get("securityContext") or {}, *map(_security, _containers(pod))]


def _named(pod: Object, is_meant: Callable[[Object], object]) -> str:
    """The containers that are meant: `container "main"`; empty if none is."""
    names = [f'"{each.get("name", "")}"' for each in _containers(pod) if is_meant(each)]
    return f"container{_s(names)} {', '.join(names)}" if names else ""


def _s(items: list[str]) -> str:
    return "s" if len(items) > 1 else ""
