"""What the API server fills in and rewrites, where the portal can see it.

Quantities become canonical, optional fields get their defaults, empty maps disappear: an object that is applied
twice must be the same object.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from portal.demo.simulated import quantity
from portal.demo.simulated.kinds import Kind, Object, copy
from portal.demo.simulated.statuses import broken_patch


def normalised(kind: Kind, found: Object) -> Object:
    """The object with defaults and canonical quantities; changed in place and returned.

    Raises StatusError 500, as the API server does, for a quantity that is none.
    """
    drop_nulls(found)
    metadata = found.setdefault("metadata", {})
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not metadata.get(key, True):
            del metadata[key]
    try:
        _BY_KIND.get(kind.kind, _nothing)(found)
    except ValueError as error:
        where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        type_ = f"/{kind.api_version}, Kind={kind.kind}"
        raise broken_patch(
            f"failed to convert new object ({where}; {type_}) to proper version: "
            f"unable to convert unstructured object to {type_}: {error}"
        ) from error
    return found


def containers(pod: Object) -> Iterator[Object]:
    """A pod's containers, init containers first."""
    spec = pod.get("spec") or {}
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def drop_nulls(value: Any) -> None:
    """A null is the same as nothing, except in events and reviews, which are not written again."""
    if isinstance(value, dict):
        for key in [key for key, each in value.items() if each is None]:
            del value[key]
        for each in value.values():
            drop_nulls(each)
    elif isinstance(value, list):
        for each in value:
            drop_nulls(each)


def initial_status(kind: Kind, found: Object) -> Object | None:
    """The status that a new object has, None for kinds without one."""
    if kind.kind == "Pod":
        return {"phase": "Pending", "qosClass": class_of(found)}
    status = _STATUSES.get(kind.kind)
    return None if status is None else copy(status)


def has_status(kind: Kind) -> bool:
    """Whether objects of this kind have a status."""
    return kind.kind == "Pod" or kind.kind in _STATUSES


_STATUSES: dict[str, Object] = {
    "Namespace": {"phase": "Active"},
    "ResourceQuota": {},
    "Service": {"loadBalancer": {}},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Deployment": {},
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0},
    "DaemonSet": {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0},
    "ReplicationController": {"replicas": 0},
    "Job": {},
    "CronJob": {},
    "HorizontalPodAutoscaler": {"desiredReplicas": 0, "currentMetrics": None},
    "PodDisruptionBudget": {},
    "Ingress": {"loadBalancer": {}},
}


def class_of(pod: Object) -> str:
    """Which pods a node in need ends first. Source: ComputePodQOS."""
    own = pod["spec"].get("resources")
    parts = [own] if own else [each.get("resources") or {} for each in containers(pod)]
    measured = [tuple(_measured(each.get(part) or {}) for part in ("requests", "limits")) for each in parts]
    if not any(part for pair in measured for part in pair):
        return "BestEffort"
    return "Guaranteed" if all(one == other and len(one) == len(_MEASURED) for one, other in measured) else "Burstable"


_MEASURED = ("cpu", "memory")


def _measured(amounts: Object) -> Object:
    return {name: amount for name, amount in amounts.items() if name in _MEASURED}


def _nothing(found: Object) -> None:
    pass


def _quantities(found: Object, *keys: str) -> None:
    for key in keys:
        amounts = found.get(key)
        if isinstance(amounts, dict):
            found[key] = {name: quantity.canonical(amount) for name, amount in amounts.items()}
            if not amounts:
                del found[key]


def _namespace(found: Object) -> None:
    metadata = found["metadata"]
    metadata["labels"] = metadata.get("labels", {}) | {"kubernetes.io/metadata.name": metadata.get("name", "")}
    found.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])


def _quota(found: Object) -> None:
    _quantities(found.setdefault("spec", {}), "hard")


def _limit_range(found: Object) -> None:
    """Source: SetDefaults_LimitRangeItem in the API server's core/v1 defaults."""
    if not found.setdefault("spec", {}).get("limits"):
        found["spec"]["limits"] = None
    for item in found["spec"]["limits"] or ():
        _quantities(item, "max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
        if item.get("type") != "Container":
            continue
        default = item.get("max", {}) | item.get("default", {})
        request = item.get("min", {}) | default | item.get("defaultRequest", {})
        item |= {"default": default} if default else {}
        item |= {"defaultRequest": request} if request else {}


def _network_policy(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for port in rule.get("ports", []):
            port.setdefault("protocol", "TCP")
    for key in ("ingress", "egress"):
        if spec.get(key) == []:
            del spec[key]


def _binding(found: Object) -> None:
    found.get("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    if found.get("subjects") == []:
        del found["subjects"]
    for subject in found.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


#: What a pod's spec says where it says nothing, wherever it stands.
_POD_SPEC: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
#: What admission adds to pods.
_ADMITTED_POD: Object = {
    "serviceAccountName": "default",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
}
_NODE_TROUBLE = ("not-ready", "unreachable")
_PROBE: Object = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_CONTAINER: Object = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}


def _fill(found: Object, defaults: Object) -> None:
    for key, value in defaults.items():
        if found.get(key) in (None, ""):
            found[key] = copy(value)


def _pod(found: Object) -> None:
    """Source: SetDefaults_Pod and SetDefaults_PodSpec, and the admission plugins that are always there."""
    spec = found.setdefault("spec", {})
    for container in containers(found):
        _quantities(container.setdefault("resources", {}), "limits", "requests")
        _limits_are_requests(container["resources"])
    _pod_spec(spec)
    _fill(spec, _ADMITTED_POD)
    spec["serviceAccount"] = spec["serviceAccountName"]
    tolerated = {each.get("key") for each in spec.get("tolerations", ())}
    for trouble in _NODE_TROUBLE:
        if (key := f"node.kubernetes.io/{trouble}") not in tolerated:
            for_a_while = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec.setdefault("tolerations", []).append(for_a_while)
    if spec.get("resources"):
        _shared_resources(spec)


def _shared_resources(spec: Object) -> None:
    """Source: defaultPodRequests: what is limited for all containers is requested for all, or what each requests."""
    limits, requests = spec["resources"].get("limits", {}), spec["resources"].get("requests", {})
    parts = [each["resources"].get("requests", {}) for each in spec.get("containers") or ()]
    for name, limit in limits.items():
        if name not in requests:
            asked = [quantity.parse(each[name]) for each in parts if name in each]
            requests[name] = str(sum(asked[1:], asked[0])) if asked else limit
    if requests:
        spec["resources"]["requests"] = requests


def _limits_are_requests(resources: Object) -> None:
    if "limits" in resources:
        resources["requests"] = resources["limits"] | resources.get("requests", {})


def _pod_spec(spec: Object) -> None:
    _fill(spec, _POD_SPEC)
    _quantities(spec.get("resources") or {}, "limits", "requests")
    for container in containers({"spec": spec}):
        _container(container)


def _container(container: Object) -> None:
    _quantities(container.setdefault("resources", {}), "limits", "requests")
    always = str(container.get("image", "")).rpartition(":")[2] in ("latest", container.get("image", ""))
    container.setdefault("imagePullPolicy", "Always" if always else "IfNotPresent")
    _fill(container, _CONTAINER)
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            _fill(container[probe], _PROBE)
            if http := container[probe].get("httpGet"):
                _fill(http, {"path": "/", "scheme": "HTTP"})


def _template(spec: Object) -> None:
    """The pods that a workload makes."""
    if isinstance(spec.get("template"), dict) and isinstance(spec["template"].get("spec"), dict):
        _pod_spec(spec["template"]["spec"])


def _service(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port")


def _claim(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    _quantities(spec.setdefault("resources", {}), "requests", "limits")


def _secret(found: Object) -> None:
    found.setdefault("type", "Opaque")
    for key, text in found.pop("stringData", {}).items():
        found.setdefault("data", {})[key] = base64.b64encode(str(text).encode()).decode()


#: Where a workload says how it is updated, and how it rolls.
_ROLLING: dict[str, tuple[str, Object]] = {
    "Deployment": ("strategy", {"maxUnavailable": "25%", "maxSurge": "25%"}),
    "StatefulSet": ("updateStrategy", {"partition": 0}),
    "DaemonSet": ("updateStrategy", {"maxUnavailable": 1, "maxSurge": 0}),
}
#: What the spec of a workload says where it says nothing.
_WORKLOADS: dict[str, Object] = {
    "Deployment": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    "ReplicaSet": {"replicas": 1},
    "StatefulSet": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "podManagementPolicy": "OrderedReady",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    },
    "DaemonSet": {
        "revisionHistoryLimit": 10,
    },
    "Job": {
        "backoffLimit": 6,
        "suspend": False,
        "completionMode": "NonIndexed",
        "podReplacementPolicy": "TerminatingOrFailed",
    },
    "CronJob": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
}


def _workload(found: Object) -> None:
    spec = found.setdefault("spec", {})
    _fill(spec, _WORKLOADS[found["kind"]])
    _template(spec)
    if found["kind"] in _ROLLING:
        place, rolling = _ROLLING[found["kind"]]
        _strategy(spec.setdefault(place, {}), rolling)
    if found["kind"] == "Job":
        _job(spec)
    if found["kind"] == "CronJob" and isinstance(spec.get("jobTemplate"), dict):
        _template(spec["jobTemplate"].get("spec") or {})


def _strategy(strategy: Object, rolling: Object) -> None:
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), rolling)


def _job(spec: Object) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)


def _autoscaler(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _admission_policy(found: Object) -> None:
    """Source: SetDefaults_ValidatingAdmissionPolicySpec and the following in the API server's defaults."""
    spec = found.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    _matched(spec.setdefault("matchConstraints", {}))


def _admission_binding(found: Object) -> None:
    if "matchResources" in found.setdefault("spec", {}):
        _matched(found["spec"]["matchResources"])


def _matched(resources: Object) -> None:
    for key, default in (("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {})):
        resources.setdefault(key, default)
    for rule in [*resources.get("resourceRules", []), *resources.get("excludeResourceRules", [])]:
        rule.setdefault("scope", "*")


def _event(found: Object) -> None:
    found.setdefault("source", {})
    for key in ("firstTimestamp", "lastTimestamp", "eventTime"):
        found.setdefault(key, None)
    for key in ("reportingComponent", "reportingInstance"):
        found.setdefault(key, "")


_BY_KIND: dict[str, Callable[[Object], None]] = {
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "NetworkPolicy": _network_policy,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "Pod": _pod,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Secret": _secret,
    **dict.fromkeys(_WORKLOADS, _workload),
    "HorizontalPodAutoscaler": _autoscaler,
    "ValidatingAdmissionPolicy": _admission_policy,
    "ValidatingAdmissionPolicyBinding": _admission_binding,
    "Event": _event,
}
