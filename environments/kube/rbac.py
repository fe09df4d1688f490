"""The portal's own rights in a cluster: the manifests of deploy/rbac, and the questions that prove them.

`REQUIRED` and `FORBIDDEN` say the same as `deploy/rbac/portal.yaml` from the outside: what the cluster must answer
with yes, so that the portal works, and with no, so that a stolen credential is worth little.
"""

from copy import deepcopy
from functools import cache
from typing import Any

import yaml

from environments.kube.client import ClusterClient, Question
from environments.lib.phases import CLUSTER_ROLES
from environments.lib.roles import MANIFESTS

ACCOUNT, ACCOUNT_NAMESPACE = "portal", "allotment"

_RBAC, _NET, _ADMISSION = "rbac.authorization.k8s.io", "networking.k8s.io", "admissionregistration.k8s.io"
_APPLIED = ("list", "create", "patch")  # server-side apply of a new object needs both of the latter
_REMOVED = (*_APPLIED, "delete")
_READ = ("get", *_REMOVED)
_MANAGED = (
    ("namespaces", "", _READ),
    ("resourcequotas", "", _APPLIED),  # goes with its namespace
    ("limitranges", "", _REMOVED),
    ("networkpolicies", _NET, _REMOVED),
    ("rolebindings", _RBAC, _READ),
    ("roles", _RBAC, _READ),
)
#: What the drift pass reads of a template's extra objects. Not ConfigMaps: other people keep credentials there.
_LISTED = (
    ("services", ""),
    ("persistentvolumeclaims", ""),
    ("deployments", "apps"),
    ("statefulsets", "apps"),
    ("jobs", "batch"),
    ("cronjobs", "batch"),
    ("horizontalpodautoscalers", "autoscaling"),
    ("poddisruptionbudgets", "policy"),
    ("ingresses", _NET),
    ("httproutes", "gateway.networking.k8s.io"),
)

#: What the portal asks for all over a cluster. Without reading the admission policies it works: environments.admission
#: says so by itself where an older account may not.
REQUIRED: tuple[Question, ...] = (
    *(Question(verb, resource, group) for resource, group, verbs in _MANAGED for verb in verbs),
    *(Question("bind", "clusterroles", _RBAC, name=name) for name in CLUSTER_ROLES.values()),
    Question("list", "serviceaccounts"),
    *(Question(verb, "serviceaccounts", name="default") for verb in ("get", "patch")),
    Question("create", "subjectaccessreviews", "authorization.k8s.io"),
    *(Question("list", resource) for resource in ("pods", "events")),
    *(Question("list", resource, group) for resource, group in _LISTED),
)

#: What would make a stolen credential worth it: reading secrets, running code, impersonating or promoting a user.
FORBIDDEN: tuple[Question, ...] = (
    Question("*", "*", "*"),
    *(Question(verb, "secrets") for verb in ("get", "list", "watch", "create", "update", "patch", "delete")),
    *(Question("create", resource) for resource in ("pods", "pods/exec", "pods/attach", "pods/portforward")),
    Question("patch", "pods/ephemeralcontainers"),
    *(Question("create", workload, "apps") for workload in ("deployments", "statefulsets", "daemonsets")),
    *(Question("create", workload, "batch") for workload in ("jobs", "cronjobs")),
    *(Question("impersonate", subject) for subject in ("users", "groups", "serviceaccounts")),
    # A token of any account is as good as impersonating it.
    *(Question("create", "serviceaccounts/token", namespace=where) for where in ("", "kube-system")),
    *(Question(verb, "serviceaccounts") for verb in ("create", "update", "patch", "delete")),
    Question("bind", "clusterroles", _RBAC),
    Question("bind", "clusterroles", _RBAC, name="cluster-admin"),
    Question("bind", "roles", _RBAC),
    # It writes Roles, for templates that have some, but only with what it holds in that namespace itself.
    *(Question(verb, "roles", _RBAC) for verb in ("update", "escalate")),
    *(Question(verb, "clusterroles", _RBAC) for verb in ("create", "update", "patch", "escalate")),
    *(Question(verb, "clusterrolebindings", _RBAC) for verb in ("create", "update", "patch", "delete")),
    *(
        Question(verb, f"validatingadmission{what}", _ADMISSION)
        for what in ("policies", "policybindings")
        for verb in ("list", "create", "update", "patch", "delete")
    ),
    Question("update", "namespaces/finalize"),
    *(Question(verb, "nodes") for verb in ("get", "list", "patch")),
    Question("get", "nodes/proxy"),
    Question("delete", "pods"),
    *(Question(verb, "configmaps") for verb in ("get", "list", "patch")),
    *(Question("patch", resource, group) for resource, group in _LISTED),
)


def required(account_namespace: str = ACCOUNT_NAMESPACE) -> tuple[Question, ...]:
    """Everything the portal asks a cluster for: all over it, and where members' accounts are."""
    accounts = (
        Question(verb, "serviceaccounts", namespace=account_namespace) for verb in ("create", "patch", "delete")
    )
    return (*REQUIRED, *accounts, Question("create", "serviceaccounts/token", namespace=account_namespace))


def missing_permissions(client: ClusterClient, account_namespace: str = ACCOUNT_NAMESPACE) -> list[Question]:
    """What the portal's account in this cluster needs and does not have."""
    return [question for question in required(account_namespace) if not client.may_i(question).allowed]


def excess_permissions(client: ClusterClient) -> list[Question]:
    """What the portal's account in this cluster must not have and has."""
    return [question for question in FORBIDDEN if client.may_i(question).allowed]


def documents(account_namespace: str = ACCOUNT_NAMESPACE) -> list[dict[str, Any]]:
    """The manifests of deploy/rbac, in an order that can be applied; the account in another namespace on wish."""
    return [_moved(document, account_namespace) for document in deepcopy(_shipped())]


@cache
def _shipped() -> list[dict[str, Any]]:
    paths = (MANIFESTS / name for name in ("roles.yaml", "portal.yaml"))
    return [document for path in paths for document in yaml.safe_load_all(path.read_text()) if document]


def _moved(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    metadata = dict(document["metadata"])
    if document["kind"] == "Namespace":
        metadata["name"] = namespace
    elif "namespace" in metadata:
        metadata["namespace"] = namespace
    moved = document | {"metadata": metadata}
    if "subjects" in document:
        moved["subjects"] = [subject | {"namespace": namespace} for subject in document["subjects"]]
    return moved
