"""Discovery: the version, readiness, and the list of resources.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from portal.demo.simulated.kinds import KINDS, Kind, Object
from portal.demo.simulated.reviews import GROUPS as REVIEWS

VERSION = "v1.36.2"  # the release whose behaviour is simulated

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update"]
#: Every group, as in a manifest's apiVersion.
_VERSIONS = {kind.group: kind.api_version for kind in KINDS} | {name: f"{name}/v1" for name in REVIEWS}
_READY = frozenset({"/readyz", "/livez", "/healthz"})


def answer(path: str) -> Object | str | None:
    """Return the answer to a path that is no resource: an object, a text, or None if there is none."""
    path = path.rstrip("/")
    if path in _READY:
        return "ok"
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": VERSION, "platform": "simulated"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [_group(name) for name in _VERSIONS if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group, version in _VERSIONS.items():
        if path == (f"/apis/{version}" if group else f"/api/{version}"):
            return _resources(group)
    return None


def _group(name: str) -> Object:
    version = {"groupVersion": _VERSIONS[name], "version": _VERSIONS[name].partition("/")[2]}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    resources = [_resource(kind) for kind in KINDS if kind.group == group]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _VERSIONS[group], "resources": resources}


def _resource(kind: Kind) -> Object:
    singular = kind.kind.lower()
    return {
        "name": kind.plural,
        "singularName": singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
