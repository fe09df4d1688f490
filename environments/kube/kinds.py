"""The kinds of objects that the portal knows, and where an API server serves them.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """Where a kind is served. `prefix` is `/api/v1` or `/apis/<group>/<version>`."""

    prefix: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.prefix.split("/")[2] if self.prefix.startswith("/apis/") else ""


_CORE, _RBAC, _NET = "/api/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis/networking.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"

RESOURCES = {
    "Namespace": Resource(_CORE, "namespaces", namespaced=False),
    "ResourceQuota": Resource(_CORE, "resourcequotas"),
    "LimitRange": Resource(_CORE, "limitranges"),
    "NetworkPolicy": Resource(_NET, "networkpolicies"),
    "RoleBinding": Resource(_RBAC, "rolebindings"),
    "ClusterRole": Resource(_RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(_RBAC, "clusterrolebindings", namespaced=False),
    "ServiceAccount": Resource(_CORE, "serviceaccounts"),
    "Pod": Resource(_CORE, "pods"),
    "Event": Resource(_CORE, "events"),
    "Service": Resource(_CORE, "services"),
    "ConfigMap": Resource(_CORE, "configmaps"),
    "Secret": Resource(_CORE, "secrets"),
    "PersistentVolumeClaim": Resource(_CORE, "persistentvolumeclaims"),
    "Role": Resource(_RBAC, "roles"),
    "Deployment": Resource("/apis/apps/v1", "deployments"),
    "StatefulSet": Resource("/apis/apps/v1", "statefulsets"),
    "Job": Resource("/apis/batch/v1", "jobs"),
    "CronJob": Resource("/apis/batch/v1", "cronjobs"),
    "HorizontalPodAutoscaler": Resource("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Resource("/apis/policy/v1", "poddisruptionbudgets"),
    "Ingress": Resource(_NET, "ingresses"),
    "HTTPRoute": Resource("/apis/gateway.networking.k8s.io/v1", "httproutes"),
    "ValidatingAdmissionPolicy": Resource(_ADMISSION, "validatingadmissionpolicies", namespaced=False),
    "ValidatingAdmissionPolicyBinding": Resource(_ADMISSION, "validatingadmissionpolicybindings", namespaced=False),
}


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of an object, or of all objects of a kind; namespaced kinds over all namespaces unless one is given."""
    resource = RESOURCES[kind]
    parts = [resource.prefix]
    if resource.namespaced and namespace:
        parts.append(f"namespaces/{namespace}")
    parts.append(resource.plural)
    if name:
        parts.append(name)
    return "/".join(parts)
