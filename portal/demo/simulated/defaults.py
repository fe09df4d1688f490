"""What the API server fills in and rewrites, where the portal can see it.

Quantities become canonical, optional fields get their defaults, empty maps disappear: an object that is applied
twice must be the same object.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from portal.demo.simulated import quantity
from portal.demo.simulated.kinds import Kind, Object
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


def initial_status(kind: Kind) -> Object | None:
    """The status that a new object has, None for kinds without one."""
    statuses: dict[str, Object] = {
        "Namespace": {"phase": "Active"},
        "ResourceQuota": {},
        "Pod": {"phase": "Pending"},
        "Service": {"loadBalancer": {}},
        "PersistentVolumeClaim": {"phase": "Pending"},
        "Deployment": {},
        "ReplicaSet": {"replicas": 0},
        "StatefulSet": {"replicas": 0},
        "Job": {},
        "CronJob": {},
        "HorizontalPodAutoscaler": {"desiredReplicas": 0, "currentMetrics": None},
        "PodDisruptionBudget": {},
        "Ingress": {"loadBalancer": {}},
    }
    return statuses.get(kind.kind)


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
    for item in found.setdefault("spec", {}).setdefault("limits", []):
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
    for subject in found.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _pod(found: Object) -> None:
    spec = found.setdefault("spec", {})
    for key, value in (_pod_defaults() | {"serviceAccountName": "default", "enableServiceLinks": True}).items():
        spec.setdefault(key, value)
    spec["serviceAccount"] = spec["serviceAccountName"]
    for container in containers(found):
        _container(container)


def _container(container: Object, *, is_pod: bool = True) -> None:
    resources = container.setdefault("resources", {})
    _quantities(resources, "limits", "requests")
    if is_pod and "limits" in resources:  # a limit alone is a request as well
        resources["requests"] = resources["limits"] | resources.get("requests", {})
    always = str(container.get("image", "")).rpartition(":")[2] in ("latest", container.get("image", ""))
    container.setdefault("imagePullPolicy", "Always" if always else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")


def _service(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def _claim(found: Object) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    _quantities(spec.setdefault("resources", {}), "requests", "limits")


def _secret(found: Object) -> None:
    found.setdefault("type", "Opaque")
    for key, text in found.pop("stringData", {}).items():
        found.setdefault("data", {})[key] = base64.b64encode(str(text).encode()).decode()


def _deployment(found: Object) -> None:
    """Source: SetDefaults_Deployment in the API server's apps/v1 defaults."""
    spec = _replicated(found)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _stateful_set(found: Object) -> None:
    """Source: SetDefaults_StatefulSet in the API server's apps/v1 defaults."""
    spec = _replicated(found)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for key in ("whenDeleted", "whenScaled"):
        retention.setdefault(key, "Retain")


def _replicated(found: Object) -> Object:
    """The spec of a workload with replicas, with its defaults and those of its pod template."""
    spec: Object = found.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "spec" in spec.get("template", {}):
        _pod_template(spec["template"])
    return spec


def _pod_template(template: Object) -> None:
    for key, value in _pod_defaults().items():
        template["spec"].setdefault(key, value)
    for container in containers(template):
        _container(container, is_pod=False)


def _pod_defaults() -> Object:
    """Source: SetDefaults_PodSpec in the API server's core/v1 defaults."""
    return {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


def _cron_job(found: Object) -> None:
    defaults = {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    found["spec"] = defaults | found.get("spec", {})


def _autoscaler(found: Object) -> None:
    found.setdefault("spec", {}).setdefault("minReplicas", 1)


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


_BY_KIND: dict[str, Callable[[Object], object]] = {
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
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "ReplicaSet": _replicated,
    "CronJob": _cron_job,
    "HorizontalPodAutoscaler": _autoscaler,
    "ValidatingAdmissionPolicy": _admission_policy,
    "ValidatingAdmissionPolicyBinding": _admission_binding,
    "Event": _event,
}
