"""What an extra manifest may be, each by itself: its kind, its metadata, its pods.

All of it is checked with the values filled in, so that a value cannot bring in what the template may not.
"""

import re
from collections.abc import Iterator
from typing import Any

from environments.spec.figures import annotation_key_problem, key_problem, label_key_problem
from environments.spec.filling import Filled, Remark
from environments.spec.yaml_documents import Path

_RBAC = "rbac.authorization.k8s.io/v1"

#: The kinds that a template may hold, in the order in which they are made, and their version.
KINDS = {
    "ServiceAccount": "v1",
    "Role": _RBAC,
    "RoleBinding": _RBAC,
    "ConfigMap": "v1",
    "PersistentVolumeClaim": "v1",
    "Service": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "Ingress": "networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}
_GOVERNED = ("ResourceQuota", "LimitRange", "NetworkPolicy")
_CLUSTER_SCOPED = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
        "StorageClass", "PriorityClass", "RuntimeClass", "IngressClass", "APIService", "CSIDriver",
        "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "CertificateSigningRequest",
    }
)  # fmt: skip
_POD_OWNERS = ("Pod", "ReplicaSet", "ReplicationController", "DaemonSet")

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
#: Names of objects that are the portal's own, or the cluster's.
_TAKEN = re.compile(r"environment-.*|allotment-.*|allow-.*|deny-all|kube-root-ca\.crt")

_METADATA_KEYS = ("name", "labels", "annotations")
_METADATA_WORDS = {
    "namespace": "Leave the namespace out. All objects are created in the environment's namespace.",
    "generateName": "generateName creates another object each time. Set metadata.name instead.",
    "finalizers": "Finalizers are not allowed, because they can block deletion of the namespace.",
    "ownerReferences": "ownerReferences are not allowed, because the portal owns these objects.",
}
#: What gives a pod a way out of its container, or traffic a way around the isolation. Pod Security may let it pass.
_HOSTILE = {
    "hostNetwork": "hostNetwork is not allowed: the pod would use the node's network and bypass the isolation.",
    "hostPID": "hostPID is not allowed: the pod could see the node's processes.",
    "hostIPC": "hostIPC is not allowed: the pod would share the node's memory.",
    "hostPath": "hostPath is not allowed: the pod could read the node's files.",
    "hostPort": "hostPort is not allowed: use a Service.",
    "hostProcess": "hostProcess is not allowed: the container would run on the node itself.",
    "privileged": "privileged is not allowed: the container would control the node.",
    "nodeName": "nodeName is not allowed: the scheduler decides where pods run.",
    "externalIPs": "externalIPs are not allowed: they can intercept traffic of others.",
    "namespace": "Leave the namespace out. Objects can refer only to the environment's namespace.",
}
#: Maps whose keys are anybody's words.
_FREE = frozenset(
    {"labels", "annotations", "matchLabels", "data", "binaryData", "nodeSelector", "limits", "requests", "parameters"}
)
_TEXT_MAPS = ("labels", "annotations", "matchLabels", "nodeSelector")


def check(one: Filled) -> Iterator[Remark]:
    """What is wrong with one document."""
    if not isinstance(one.data, dict):
        yield (), "This is not a Kubernetes object. It needs apiVersion, kind and metadata."
        return
    problem = _kind(one.kind, one.data.get("apiVersion"))
    if problem:
        yield problem
        return
    if "status" in one.data:
        yield ("status",), "Leave status out. Only the cluster writes it."
    yield from _name(one)
    for path, key, value in _walk(one.data, ()):
        yield from _place(one.kind, path, key, value)
    yield from _BY_KIND.get(one.kind, _nothing)(one.data)


def _kind(kind: str, version: Any) -> Remark | None:
    if kind in KINDS:
        wrong = version != KINDS[kind]
        return (
            (("apiVersion",), f"Use apiVersion {KINDS[kind]} for a {kind}, not {version or 'nothing'}.")
            if wrong
            else None
        )
    if not kind:
        return (), "The kind is missing."
    if kind == "Secret":
        why = "Everyone who can see the template could read a Secret in it. Members create their own Secrets."
    elif kind in _CLUSTER_SCOPED:
        why = f"A {kind} belongs to the whole cluster, not to a namespace, so a template cannot have one."
    elif kind in _GOVERNED:
        why = f"The portal manages each {kind}. Use the template's own fields instead."
    elif kind in _POD_OWNERS:
        why = f"The portal cannot manage a {kind}. Use a Deployment, StatefulSet, Job or CronJob."
    else:
        why = f"Templates cannot have the kind “{kind}”. Use one of {', '.join(KINDS)}."
    return ("kind",), why


def _name(one: Filled) -> Iterator[Remark]:
    head, place = one.data.get("metadata"), ("metadata", "name")
    name = head.get("name") if isinstance(head, dict) else None
    if not isinstance(name, str) or not name:
        yield place, "metadata.name is missing or is not a text."
    elif not _NAME.fullmatch(name) or (one.kind == "Service" and "." in name):
        yield (
            place,
            f"“{name}” is not a valid name. Use up to 63 lower-case letters, digits and hyphens, for example web.",
        )
    elif one.kind == "ServiceAccount" and name == "default":
        yield place, "The portal manages the default ServiceAccount. Use the template's setting for mounting its token."
    elif _TAKEN.fullmatch(name):
        yield place, f"The name {name} is reserved for the portal or the cluster. Use another name."


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    """Every key with its place and value, but for maps whose keys are anybody's words."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key), key, each
            if key not in _FREE:
                yield from _walk(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(each, (*path, index))


def _place(kind: str, path: Path, key: str, value: Any) -> Iterator[Remark]:
    """What is wrong with one key, wherever it is."""
    if key == "metadata" and isinstance(value, dict):
        yield from _metadata(kind, path, value)
    elif key in _HOSTILE and path[:-1] != ("metadata",) and value not in (None, False) and not _is_parent(kind, path):
        yield path, _HOSTILE[key]
    elif key in _TEXT_MAPS and isinstance(value, dict):
        yield from _only_texts(path, value)
    elif key in ("command", "args") and isinstance(value, list):
        yield from _only_texts(path, dict(enumerate(value)))
    elif key == "env" and isinstance(value, list):
        texts = {(*path, index, "value"): each.get("value", "") for index, each in _maps(value)}
        yield from ((place, _QUOTE) for place, text in texts.items() if not isinstance(text, str))


def _is_parent(kind: str, path: Path) -> bool:
    """Whether this names the Gateway of a route, which is in a namespace of the platform."""
    return kind == "HTTPRoute" and path[:2] == ("spec", "parentRefs") and path[3:] == ("namespace",)


_QUOTE = "This must be a text. Put it in quotes."


def _only_texts(path: Path, texts: dict[Any, Any]) -> Iterator[Remark]:
    yield from (((*path, key), _QUOTE) for key, text in texts.items() if not isinstance(text, str))


def _maps(values: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    yield from ((index, each) for index, each in enumerate(values) if isinstance(each, dict))


def _metadata(kind: str, path: Path, head: dict[str, Any]) -> Iterator[Remark]:
    for key in head:
        if key not in _METADATA_KEYS:
            yield (*path, key), _METADATA_WORDS.get(key, f"metadata.{key} cannot be set in a template.")
    for field in ("labels", "annotations"):
        texts = head.get(field)
        if texts is not None and not isinstance(texts, dict):
            yield (*path, field), f"{field} must be pairs of a key and a text."
            continue
        for key, text in (texts or {}).items():
            sentence = _key(kind, field, key)
            if not sentence and field == "labels" and isinstance(text, str) and not _VALUE.fullmatch(text):
                sentence = (
                    f"“{text}” is not a label value. Use up to 63 letters, digits, hyphens, underscores and dots."
                )
            if sentence:
                yield (*path, field, key), sentence


def _key(kind: str, field: str, key: str) -> str:
    """Why a label or annotation may not be set. The usual app labels may, an ingress controller's settings too."""
    prefix, _, name = key.rpartition("/")
    if prefix == "app.kubernetes.io" and name != "managed-by":
        return key_problem(name)
    if kind == "Ingress" and field == "annotations" and prefix.endswith("ingress.kubernetes.io"):
        if "snippet" in name:
            return "Snippets are not allowed, because they configure the whole ingress controller."
        return key_problem(name)
    takes = annotation_key_problem if field == "annotations" else label_key_problem
    return key_problem(key) or takes(key)


def _nothing(data: dict[str, Any]) -> Iterator[Remark]:
    yield from ()


def _service(data: dict[str, Any]) -> Iterator[Remark]:
    """LoadBalancer and NodePort are the quota's to allow."""
    spec = data.get("spec")
    if isinstance(spec, dict) and (spec.get("type") == "ExternalName" or spec.get("externalName")):
        yield (
            ("spec", "type"),
            "ExternalName is not allowed, because it can point anywhere. Use the template's network rules.",
        )


def _config_map(data: dict[str, Any]) -> Iterator[Remark]:
    for field in ("data", "binaryData"):
        if isinstance(data.get(field), dict):
            yield from _only_texts((field,), data[field])


def _job(data: dict[str, Any]) -> Iterator[Remark]:
    spec = data.get("spec")
    if isinstance(spec, dict) and spec.get("ttlSecondsAfterFinished") is not None:
        place = ("spec", "ttlSecondsAfterFinished")
        yield place, "Leave this out. The portal would create a Job again each time it removes itself."


_BY_KIND = {"Job": _job, "Service": _service, "ConfigMap": _config_map}
