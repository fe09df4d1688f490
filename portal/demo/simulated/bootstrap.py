"""What a new cluster holds: the system's namespaces and roles, and the portal's account as it ships.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
"""

from collections.abc import Iterator

from environments.kube.rbac import documents
from portal.demo.simulated.kinds import BY_NAME, RBAC_GROUP, Object
from portal.demo.simulated.rbac import MASTERS, User
from portal.demo.simulated.statuses import StatusError
from portal.demo.simulated.writing import Writer, Writing

_SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_PRIORITIES = (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000))
_INFO = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY = [*_INFO, "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"]
_EVERYBODY = ("system:authenticated", "system:unauthenticated")

SYSTEM = Writing(User("system:apiserver", (MASTERS,)), "kube-apiserver")


def bootstrap(writer: Writer) -> None:
    """Create missing objects, and update the shipped roles from `deploy/rbac`."""
    for manifest in _system():
        kind = BY_NAME[manifest["kind"]]
        try:
            writer.create(kind, "", manifest, SYSTEM)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
    how = Writing(SYSTEM.user, "kubectl")
    for manifest in documents():
        kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
        writer.apply(kind, metadata.get("namespace", ""), metadata["name"], manifest, how, force=True)


def _system() -> Iterator[Object]:
    for name in _SYSTEM_NAMESPACES:
        yield {"kind": "Namespace", "metadata": {"name": name}}
    for name, value in _PRIORITIES:
        yield {"kind": "PriorityClass", "metadata": {"name": name}, "value": value}
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    yield from _role("cluster-admin", everything, MASTERS)
    ask = [
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            "verbs": ["create"],
        },
        {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    ]
    yield from _role("system:basic-user", ask, "system:authenticated")
    yield from _role("system:discovery", [{"nonResourceURLs": _DISCOVERY, "verbs": ["get"]}], "system:authenticated")
    yield from _role("system:public-info-viewer", [{"nonResourceURLs": _INFO, "verbs": ["get"]}], *_EVERYBODY)


def _role(name: str, rules: list[Object], *groups: str) -> Iterator[Object]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    yield {"kind": "ClusterRole", "metadata": {"name": name, "labels": labels}, "rules": rules}
    yield {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": labels},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "Group", "apiGroup": RBAC_GROUP, "name": group} for group in groups],
    }
