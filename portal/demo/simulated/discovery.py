"""Discovery: the version, readiness, and the list of resources, for each group or for all at once.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from collections.abc import Iterator
from typing import Any

from portal.demo.simulated import openapi
from portal.demo.simulated.defaults import has_status
from portal.demo.simulated.kinds import KINDS, Kind, Object
from portal.demo.simulated.media import Accepted
from portal.demo.simulated.reviews import ALL as REVIEWS
from portal.demo.simulated.subresources import SCALED

VERSION = "v1.36.2"  # the release whose behaviour is simulated
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_CHANGES = ["get", "patch", "update"]
_READY = frozenset({"/readyz", "/livez", "/healthz"})
_SHORT_NAMES = {
    "ConfigMap": "cm",
    "CronJob": "cj",
    "DaemonSet": "ds",
    "Deployment": "deploy",
    "Endpoints": "ep",
    "Event": "ev",
    "HorizontalPodAutoscaler": "hpa",
    "Ingress": "ing",
    "LimitRange": "limits",
    "Namespace": "ns",
    "NetworkPolicy": "netpol",
    "Node": "no",
    "PersistentVolume": "pv",
    "PersistentVolumeClaim": "pvc",
    "Pod": "po",
    "PodDisruptionBudget": "pdb",
    "PriorityClass": "pc",
    "ReplicaSet": "rs",
    "ReplicationController": "rc",
    "ResourceQuota": "quota",
    "Service": "svc",
    "ServiceAccount": "sa",
    "StatefulSet": "sts",
    "StorageClass": "sc",
}
_ALL = (
    "Pod",
    "Service",
    "ReplicationController",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
)
_CATEGORIES = dict.fromkeys(_ALL, "all") | dict.fromkeys(
    ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"), "api-extensions"
)
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_EVICTION = {"group": "policy", "version": "v1", "kind": "Eviction"}
_TOKEN = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}


def answer(path: str, accepted: Accepted) -> tuple[Any, str] | None:
    """Return the answer to a path that is no resource, an object or a text, and its type; None if there is none."""
    path = path.rstrip("/")
    if path in _READY:
        return "ok", "text/plain"
    if path.startswith("/openapi/"):
        return openapi.answer(path, _group_versions(), VERSION)
    if path in ("/api", "/apis") and accepted.is_aggregated:
        return _aggregated(path), AGGREGATED
    found = _plain(path)
    return (found, "application/json") if found else None


def _plain(path: str) -> Object | None:
    match path:
        case "/version":
            return {"major": "1", "minor": "36", "gitVersion": VERSION, "platform": "simulated"}
        case "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _groups() if name]}
    for name in _group_versions():
        if path == (f"/apis/{name}" if "/" in name else f"/api/{name}"):
            return _resources(name)
    return None


def _group_versions() -> list[str]:
    """Every group and version, as in a manifest's apiVersion; of a group the preferred one first."""
    return list(dict.fromkeys([*(kind.api_version for kind in KINDS), *(each.api_version for each in REVIEWS)]))


def _groups() -> dict[str, list[str]]:
    """The versions of each group."""
    found: dict[str, list[str]] = {}
    for name in _group_versions():
        found.setdefault(name.rpartition("/")[0], []).append(name.rpartition("/")[2])
    return found


def _group(name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _groups()[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(api_version: str) -> Object:
    resources = [found for kind in _kinds(api_version) for found in _plain_resources(kind)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def _kinds(api_version: str) -> list[Kind]:
    return [kind for kind in (*KINDS, *REVIEWS) if kind.api_version == api_version]


def _plain_resources(kind: Kind) -> Iterator[Object]:
    yield {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(kind),
        **_names(kind),
    }
    for name, about, verbs in _subresources(kind):
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **({key: value for key, value in about.items() if value}),
            "verbs": verbs,
        }


def _aggregated(path: str) -> Object:
    groups = _groups()
    chosen = [name for name in groups if bool(name) == (path == "/apis")]
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_aggregated_version(name, version) for version in groups[name]],
        }
        for name in chosen
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(group: str, version: str) -> Object:
    kinds = _kinds(f"{group}/{version}" if group else version)
    return {"version": version, "resources": [_aggregated_resource(kind) for kind in kinds], "freshness": "Current"}


def _aggregated_resource(kind: Kind) -> Object:
    subresources = [
        {"subresource": name, "responseKind": about, "verbs": verbs} for name, about, verbs in _subresources(kind)
    ]
    return {
        "resource": kind.plural,
        "responseKind": _own(kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.kind.lower(),
        "verbs": _verbs(kind),
        **_names(kind),
        **({"subresources": subresources} if subresources else {}),
    }


def _verbs(kind: Kind) -> list[str]:
    if kind in REVIEWS:
        return ["create"]
    return [verb for verb in _VERBS if verb != "deletecollection" or kind.kind != "Namespace"]


def _names(kind: Kind) -> Object:
    found = {"shortNames": _SHORT_NAMES.get(kind.kind), "categories": _CATEGORIES.get(kind.kind)}
    return {key: [value] for key, value in found.items() if value}


def _own(kind: Kind) -> Object:
    return {"group": "", "version": "", "kind": kind.kind}


def _subresources(kind: Kind) -> Iterator[tuple[str, Object, list[str]]]:
    if kind.kind in SCALED:
        yield "scale", _SCALE, _CHANGES
    if kind.kind == "Pod":
        yield "eviction", _EVICTION, ["create"]
        yield "resize", _own(kind), _CHANGES
    if kind.kind == "ServiceAccount":
        yield "token", _TOKEN, ["create"]
    if has_status(kind):
        yield "status", _own(kind), _CHANGES
