"""What a client may ask without knowing anything: the version, readiness, and which resources there are.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from portal.demo.simulated.kinds import GROUPS, KINDS, Kind, Object
from portal.demo.simulated.reviews import GROUP as REVIEWS

VERSION = "v1.36.2"  # the release whose behaviour is simulated

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update"]
_READY = frozenset({"/readyz", "/livez", "/healthz"})


def answer(path: str) -> Object | str | None:
    """The answer to a path that is no resource: an object, a text, None where nothing is."""
    path = path.rstrip("/")
    if path in _READY:
        return "ok"
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": VERSION, "platform": "simulated"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [_group(name) for name in (*GROUPS, REVIEWS)]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group in ("", *GROUPS, REVIEWS):
        if path == (f"/apis/{group}/v1" if group else "/api/v1"):
            return _resources(group)
    return None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    version = f"{group}/v1" if group else "v1"
    resources = [_resource(kind) for kind in KINDS if kind.group == group]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _resource(kind: Kind) -> Object:
    singular = kind.kind.lower()
    return {
        "name": kind.plural,
        "singularName": singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
