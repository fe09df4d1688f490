"""What a point of the parity table is, and the requests that it is made of.

HOME stands for a namespace wherever it occurs: an empty one, which is shared by the points that change nothing.
"""

from dataclasses import dataclass
from typing import Any

from tests.contract.arrange import APPLY

type Manifest = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
HOME = "HOME"
DRY = "dryRun=All"
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "Endpoints": "endpoints"}


@dataclass(frozen=True)
class Request:
    """One request. Its answer is waited for where `until` names a field: until that is there."""

    method: str
    path: str
    body: Manifest | str | None = None
    content_type: str = JSON
    until: str = ""

    @property
    def changes(self) -> bool:
        """Whether something may be different afterwards."""
        return self.method != "GET" and DRY not in self.path


@dataclass(frozen=True)
class Point:
    """Requests, the code of the last answer (so that both do not agree on something else), and what else to compare.

    `fields` are paths in the last answer, such as `status.used` or `items[].metadata.name`.
    """

    name: str
    code: int
    requests: tuple[Request, ...]
    fields: tuple[str, ...] = ()

    @property
    def is_alone(self) -> bool:
        """Whether it needs a namespace of its own."""
        return any(request.changes for request in self.requests)


def point(name: str, code: int, *requests: Request, fields: str = "") -> Point:
    """A point of the table; `fields` are separated by blanks."""
    return Point(name, code, requests, tuple(fields.split()))


def url(manifest: Manifest, name: bool = True, below: str = "") -> str:
    """Where an object, or its collection, is served."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    prefix = f"/apis/{manifest['apiVersion']}" if "/" in manifest["apiVersion"] else "/api/v1"
    home = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    path = f"{prefix}{home}/{_PLURALS.get(kind, f'{kind.lower()}s')}"
    if name:
        path += f"/{metadata['name']}"
    return path + (f"/{below}" if below else "")


def tried(manifest: Manifest, query: str = "") -> Request:
    """A dry run of a creation."""
    return Request("POST", f"{url(manifest, name=False)}?{DRY}{query and '&'}{query}", manifest)


def made(manifest: Manifest, query: str = "") -> Request:
    """A creation."""
    return Request("POST", url(manifest, name=False) + (f"?{query}" if query else ""), manifest)


def applied(manifest: Manifest, query: str = "fieldManager=allotment&force=true", dry: bool = False) -> Request:
    """Server-side apply."""
    return Request("PATCH", f"{url(manifest)}?{query}{f'&{DRY}' if dry else ''}", manifest, APPLY)


def merged(manifest: Manifest, patch: Manifest, below: str = "", query: str = "") -> Request:
    """A merge patch."""
    return Request("PATCH", url(manifest, below=below) + (f"?{query}" if query else ""), patch, MERGE)


def strategic(manifest: Manifest, patch: Manifest, below: str = "") -> Request:
    """A strategic merge patch, as kubectl sends it."""
    return Request("PATCH", url(manifest, below=below), patch, "application/strategic-merge-patch+json")


def put(manifest: Manifest, below: str = "", query: str = "", body: Manifest | None = None) -> Request:
    """A replacement."""
    return Request("PUT", url(manifest, below=below) + (f"?{query}" if query else ""), body or manifest)


def read(manifest: Manifest, below: str = "", query: str = "", until: str = "") -> Request:
    """One object, once it has what is waited for."""
    return Request("GET", url(manifest, below=below) + (f"?{query}" if query else ""), until=until)


def listed(manifest: Manifest, query: str = "") -> Request:
    """The collection that the object is in."""
    return Request("GET", url(manifest, name=False) + (f"?{query}" if query else ""))


def gone(manifest: Manifest, options: Manifest | None = None, query: str = "") -> Request:
    """A deletion."""
    return Request("DELETE", url(manifest) + (f"?{query}" if query else ""), options)


def an(kind: str, name: str, api_version: str = "v1", *, home: str = HOME, metadata: Manifest | None = None, **more):
    """An object in the namespace; without one where `home` is empty."""
    where = {"namespace": home} if home else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name} | where | (metadata or {})} | more


def config(name: str = "config", **metadata: Any) -> Manifest:
    """A ConfigMap, the plainest thing there is."""
    return an("ConfigMap", name, metadata=metadata)


def container(name: str = "main", requests: Manifest | None = None, limits: Manifest | None = None, **more: Any):
    """A container, with resources if any are named."""
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return (
        {"name": name, "image": "registry.example.com/app:1"} | ({"resources": resources} if resources else {}) | more
    )


def pod(*containers: Manifest, name: str = "pod", metadata: Manifest | None = None, **spec: Any) -> Manifest:
    """A pod of these containers, or of one."""
    return an("Pod", name, metadata=metadata, spec={"containers": list(containers) or [container()]} | spec)


def template(*containers: Manifest, labels: Manifest | None = None, **spec: Any) -> Manifest:
    """The pods of a workload."""
    return {
        "metadata": {"labels": {"app": "web"} if labels is None else labels},
        "spec": {"containers": list(containers) or [container()]} | spec,
    }


def deployment(**spec: Any) -> Manifest:
    """A Deployment; the keywords take the place of what its spec is made of."""
    usual = {"selector": {"matchLabels": {"app": "web"}}, "template": template()}
    wanted = {key: value for key, value in (usual | spec).items() if value is not None}
    return an("Deployment", "web", "apps/v1", spec=wanted)


def quota(hard: Manifest, **spec: Any) -> Manifest:
    """A quota."""
    return an("ResourceQuota", "quota", spec={"hard": hard} | spec)


def limits(*items: Manifest) -> Manifest:
    """A LimitRange."""
    return an("LimitRange", "limits", spec={"limits": list(items)})
