"""Names that the API server takes, and the resources that a quota counts. Tried against it: tests/published_values.py.

The API server takes many quota keys that it then never counts, such as nvidia.com/gpu: such a quota bounds nothing.
Sources: ValidateResourceQuotaResourceName and ValidateLimitRange of the API server, and the evaluators of its quota
controller, https://github.com/kubernetes/kubernetes/tree/master/pkg/quota/v1/evaluator/core
"""

import difflib
import re

_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_CLASS_COUNTS = {
    ".storageclass.storage.k8s.io": ("requests.storage", "persistentvolumeclaims"),
    ".deviceclass.resource.k8s.io": ("devices",),
}
_DEVICE_CLASSES = "requests.deviceclass.resource.kubernetes.io"

#: Of these there are only whole ones.
WHOLE = frozenset(
    {
        "pods", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers", "resourcequotas",
    }
)  # fmt: skip
MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD = (
    WHOLE | MEASURED | {f"{part}.{name}" for part in ("requests", "limits") for name in MEASURED} | {"requests.storage"}
)

#: What `count/…` counts in the groups of Kubernetes itself. Other groups come with CustomResourceDefinitions.
_OWN_KINDS = {
    "": (
        "configmaps", "endpoints", "limitranges", "persistentvolumeclaims", "pods", "podtemplates",
        "replicationcontrollers", "resourcequotas", "secrets", "serviceaccounts", "services",
    ),
    "apps": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "certificates.k8s.io": ("podcertificaterequests",),
    "coordination.k8s.io": ("leases", "leasecandidates"),
    "discovery.k8s.io": ("endpointslices",),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("rolebindings", "roles"),
    "resource.k8s.io": ("resourceclaims", "resourceclaimtemplates"),
    "scheduling.k8s.io": ("podgroups", "workloads"),
    "storage.k8s.io": ("csistoragecapacities",),
}  # fmt: skip
#: Groups of Kubernetes itself in which a quota counts nothing.
_UNCOUNTED_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization",
        "custom.metrics", "events", "external.metrics", "flowcontrol.apiserver", "internal.apiserver", "metrics",
        "node", "storagemigration",
    )
)  # fmt: skip
_COUNTS = frozenset(
    f"count/{kind}.{group}" if group else f"count/{kind}" for group, kinds in _OWN_KINDS.items() for kind in kinds
)
_NO_NAME = "This is not a resource name. Use for example requests.cpu or count/deployments.apps."


def is_qualified(key: str) -> bool:
    """Whether this is a name with an optional prefix, as label keys and resource names are."""
    prefix, slash, name = key.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (not slash or is_subdomain(prefix))


def is_subdomain(prefix: str) -> bool:
    """Whether this is a domain name as Kubernetes takes them."""
    return len(prefix) <= 253 and bool(_SUBDOMAIN.fullmatch(prefix))


def is_native(resource: str) -> bool:
    """Whether a resource is Kubernetes' own, and no device of a vendor."""
    return "/" not in resource or "kubernetes.io/" in resource


def is_huge_pages(resource: str) -> bool:
    """Whether a resource is huge pages of one size."""
    return resource.startswith("hugepages-")


def is_overcommitted(resource: str) -> bool:
    """Whether a container's limit may be above its request. Devices and huge pages are never shared."""
    return is_native(resource) and not is_huge_pages(resource)


def quota_name_problem(resource: str) -> str:
    """Why a quota cannot count this resource; empty if it can."""
    if not is_qualified(resource):
        return _NO_NAME
    if "/" in resource:
        return _prefixed_problem(*resource.split("/"))
    if resource in _STANDARD or is_huge_pages(resource.removeprefix("requests.")):
        return ""
    return f"Kubernetes has no resource {resource}. Other resources have a prefix, for example requests.nvidia.com/gpu."


def limit_name_problem(resource: str) -> str:
    """Why a container cannot be limited in this resource; empty if it can."""
    if not is_qualified(resource):
        return "This is not a resource name. Use for example cpu or nvidia.com/gpu."
    if resource in MEASURED or is_huge_pages(resource):
        return ""
    if "/" not in resource:
        return (
            f"{resource} is not one of {', '.join(sorted(MEASURED))}. Others have a prefix, for example nvidia.com/gpu."
        )
    if not is_native(resource) and resource.startswith("requests."):
        return f"Containers name devices without “requests.”. Use {resource.removeprefix('requests.')}."
    return "" if is_native(resource) or is_qualified(f"requests.{resource}") else "This resource name is too long."


def _prefixed_problem(prefix: str, name: str) -> str:
    if prefix == "count":
        return _count_problem(name)
    for suffix, counted in _CLASS_COUNTS.items():
        if prefix.endswith(suffix):
            keys = " and ".join(f"{prefix}/{each}" for each in counted)
            return "" if name in counted else f"A quota counts only {keys} of this class."
    device = f"{prefix}/{name}".removeprefix("requests.").removeprefix("limits.")
    if prefix == _DEVICE_CLASSES or (prefix.startswith("requests.") and not is_native(device)):
        return ""
    if is_native(device) or prefix.endswith(".k8s.io"):
        return f"Kubernetes never counts {prefix}/{name}. Use for example requests.cpu or requests.nvidia.com/gpu."
    return f"Kubernetes never counts {prefix}/{name}. Use requests.{device}."


def _count_problem(counted: str) -> str:
    """Why `count/…` counts nothing on any cluster; empty if it may count something.

    A group of CustomResourceDefinitions has a dot. Only a cluster knows which resources are in it.
    """
    key, group = f"count/{counted}", counted.partition(".")[2]
    is_custom = "." in group and group not in _UNCOUNTED_GROUPS and group not in _OWN_KINDS
    if key in _COUNTS or (is_custom and is_subdomain(counted)):
        return ""
    known = [each for each in sorted(_COUNTS) if _plain(each) == _plain(key)]
    close = known or difflib.get_close_matches(key, sorted(_COUNTS), n=1)
    return f"Kubernetes never counts {key}. Use for example {close[0] if close else 'count/deployments.apps'}."


def _plain(key: str) -> str:
    """`count/deployments.apps` and `count/deployment` in the same word."""
    return key.partition(".")[0].lower().rstrip("s").removesuffix("e")
