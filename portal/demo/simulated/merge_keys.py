"""How strategic merge patches merge the lists of the kinds that the simulated cluster serves.

They differ from the keys of server-side apply in kinds.py: a port of a container is found by its number alone.
Source: `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key` in the OpenAPI documents of API servers,
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition. The contract tests compare.
"""

from portal.demo.simulated.kinds import Kind, Path

type MergeKeys = dict[Path, str]

SET = "set"  # of plain values, which are added
REPLACE = "replace"  # a map that the patch's replaces

_CUSTOM = "gateway.networking.k8s.io"
_METADATA: MergeKeys = {("finalizers",): SET, ("ownerReferences",): "uid"}
_CONTAINER: MergeKeys = {
    ("env",): "name",
    ("ports",): "containerPort",
    ("volumeDevices",): "devicePath",
    ("volumeMounts",): "mountPath",
}


def of_kind(kind: Kind) -> MergeKeys | None:
    """The merge keys of a kind's lists, by path; None for custom resources, which have no such patches."""
    if kind.group == _CUSTOM:
        return None
    return _below(_METADATA, "metadata") | _OF_KIND.get(kind.kind, {})


def _below(keys: MergeKeys, *prefix: str) -> MergeKeys:
    return {(*prefix, *path): key for path, key in keys.items()}


def _containers(name: str) -> MergeKeys:
    return {(name,): "name"} | _below(_CONTAINER, name)


_POD: MergeKeys = {
    **_containers("containers"),
    **_containers("initContainers"),
    **_containers("ephemeralContainers"),
    ("hostAliases",): "ip",
    ("imagePullSecrets",): "name",
    ("resourceClaims",): "name",
    ("schedulingGates",): "name",
    ("topologySpreadConstraints",): "topologyKey",
    ("volumes",): "name",
    **_below(_METADATA, "volumes", "ephemeral", "volumeClaimTemplate", "metadata"),
}
_TEMPLATE = _below(_METADATA, "metadata") | _below(_POD, "spec")
_CONDITIONS: MergeKeys = {("status", "conditions"): "type"}
_WORKLOAD = _below(_TEMPLATE, "spec", "template") | _CONDITIONS

_OF_KIND: dict[str, MergeKeys] = {
    "Namespace": _CONDITIONS,
    "ServiceAccount": {("secrets",): "name"},
    "Pod": {
        **_below(_POD, "spec"),
        **_CONDITIONS,
        ("status", "hostIPs"): "ip",
        ("status", "podIPs"): "ip",
        ("status", "resourceClaimStatuses"): "name",
    },
    "Service": {("spec", "ports"): "port"} | _CONDITIONS,
    "PersistentVolumeClaim": _CONDITIONS,
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "ReplicationController": _WORKLOAD,
    "PodTemplate": _below(_TEMPLATE, "template"),
    "ResourceClaim": {("status", "reservedFor"): "uid"},
    "ResourceClaimTemplate": _below(_METADATA, "spec", "metadata"),
    "Node": {("spec", "podCIDRs"): SET, ("status", "addresses"): "type"} | _CONDITIONS,
    "Job": _WORKLOAD,
    "CronJob": _below(_METADATA, "spec", "jobTemplate", "metadata")
    | _below(_TEMPLATE, "spec", "jobTemplate", "spec", "template"),
    "HorizontalPodAutoscaler": _CONDITIONS,
    "PodDisruptionBudget": {("spec", "selector"): REPLACE} | _CONDITIONS,
    "ValidatingAdmissionPolicy": {("spec", "matchConditions"): "name", ("spec", "variables"): "name"},
}
