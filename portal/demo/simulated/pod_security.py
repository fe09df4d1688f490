"""The warnings of Pod Security admission about workloads, in the API server's words. Pods themselves are not checked.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Callable, Iterator

from portal.demo.simulated.kinds import Kind, Object

_LABEL = "pod-security.kubernetes.io/warn"
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_POD_OF = {
    "Deployment": ("template",),
    "ReplicaSet": ("template",),
    "StatefulSet": ("template",),
    "Job": ("template",),
    "CronJob": ("jobTemplate", "spec", "template"),
}


def warning(kind: Kind, found: Object, namespace: Object | None) -> str:
    """What the namespace's warn level says about a workload's pods; empty if nothing, or if there is no level."""
    level = ((namespace or {}).get("metadata", {}).get("labels") or {}).get(_LABEL, "privileged")
    if kind.kind not in _POD_OF or level not in ("baseline", "restricted"):
        return ""
    pod = found.get("spec") or {}
    for key in (*_POD_OF[kind.kind], "spec"):
        pod = pod.get(key) or {}
    said = [*_baseline(pod), *(_restricted(pod) if level == "restricted" else ())]
    return f'would violate PodSecurity "{level}:latest": {", ".join(said)}' if said else ""


def _baseline(pod: Object) -> Iterator[str]:
    hosts = ", ".join(f"{name}=true" for name in _HOST if pod.get(name))
    if hosts:
        yield f"host namespaces ({hosts})"


def _restricted(pod: Object) -> Iterator[str]:
    own = pod.get("securityContext") or {}
    if names := _lacking(pod, lambda security: security.get("allowPrivilegeEscalation") is False):
        yield f"allowPrivilegeEscalation != false ({names} must set securityContext.allowPrivilegeEscalation=false)"
    if names := _lacking(pod, lambda security: "ALL" in ((security.get("capabilities") or {}).get("drop") or ())):
        yield f'unrestricted capabilities ({names} must set securityContext.capabilities.drop=["ALL"])'
    if not own.get("runAsNonRoot") and (names := _lacking(pod, lambda security: security.get("runAsNonRoot"))):
        yield f"runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)"
    if not own.get("seccompProfile") and (names := _lacking(pod, lambda security: security.get("seccompProfile"))):
        must = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {names} must set {must})"


def _lacking(pod: Object, has: Callable[[Object], object]) -> str:
    """The containers whose security context has not what it must: `container "main"`."""
    every = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    names = [f'"{each.get("name", "")}"' for each in every if not has(each.get("securityContext") or {})]
    return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""
