"""From a method and a path to what is meant: the verb, the resource and where, as authorization sees them.

Source: the API server's request info, https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from dataclasses import dataclass, replace

from portal.demo.simulated.kinds import BY_RESOURCE, Kind
from portal.demo.simulated.rbac import Attributes
from portal.demo.simulated.statuses import no_such_resource

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: Subresources of namespaces: what else follows `namespaces/<name>/` is a resource in it.
_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True)
class Target:
    """What a request is about. `resource` is empty for paths that are no resources, such as /version."""

    verb: str
    path: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    version: str = ""

    @property
    def attributes(self) -> Attributes:
        """As authorization sees it."""
        if not self.resource:
            return Attributes(self.verb, path=self.path)
        return Attributes(self.verb, self.group, self.resource, self.subresource, self.namespace, self.name)

    def kind(self) -> Kind:
        """The kind that is served here. Raises StatusError 404 where none is."""
        kind = BY_RESOURCE.get((self.group, self.resource))
        if kind is None or self.version != kind.version or (kind.namespaced and self.name and not self.namespace):
            raise no_such_resource()
        return kind


def route(method: str, path: str, *, is_watch: bool = False) -> Target:
    """What a request line means; nothing is looked up yet. `is_watch`: a list is asked for with its changes."""
    verb = _VERBS.get(method, method.lower())
    parts = [part for part in path.split("/") if part]
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(verb, path)
    target = _resource(verb, path, (group, version), rest) if rest else Target(verb, path)
    return replace(target, verb="watch") if is_watch and target.verb == "list" else target


def _resource(verb: str, path: str, served: tuple[str, str], parts: list[str]) -> Target:
    group, version = served
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
            parts = parts[2:]
    resource, name, subresource = (*parts, "", "")[:3]
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return Target(verb, path, group, resource, subresource, namespace, name, version)
