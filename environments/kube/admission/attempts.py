"""What the cluster must refuse the portal's own account, tried: rights alone do not say what a policy refuses.

Each attempt is a dry run in kube-system, and would do no harm even if it were carried out.
"""

from environments.kube.client import ClusterClient, Manifest
from environments.lib.errors import PermanentError
from environments.lib.phases import CLUSTER_ROLES, Role

_RBAC, _NET = "rbac.authorization.k8s.io", "networking.k8s.io"
WHERE = "kube-system"
_NAME = "allotment-refused"


def _object(api_version: str, kind: str, name: str = _NAME, **content: object) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": WHERE}} | content


#: One write of each kind that governs a namespace, outside the portal's namespaces.
ATTEMPTS: tuple[Manifest, ...] = (
    _object(
        f"{_RBAC}/v1",
        "RoleBinding",
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": CLUSTER_ROLES[Role.ADMIN]},
        subjects=[],
    ),
    _object(f"{_RBAC}/v1", "Role", rules=[]),
    _object("v1", "ResourceQuota", spec={"hard": {"pods": "1000000"}}),
    _object("v1", "LimitRange", spec={"limits": []}),
    _object(
        f"{_NET}/v1",
        "NetworkPolicy",
        spec={"podSelector": {"matchLabels": {"app": _NAME}}, "policyTypes": ["Ingress"], "ingress": [{}]},
    ),
    _object("v1", "ServiceAccount", "default"),
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}},
)


def not_refused(client: ClusterClient) -> tuple[str, ...]:
    """What of it the cluster would let the portal's account do. Raises the adapter's temporary errors."""
    return tuple(_words(each) for each in ATTEMPTS if not _is_refused(client, each))


def _is_refused(client: ClusterClient, manifest: Manifest) -> bool:
    try:
        client.apply(manifest, dry_run=True)
    except PermanentError as error:
        return error.reason == "Forbidden"
    return False


def _words(manifest: Manifest) -> str:
    kind = manifest["kind"]
    return f"change {WHERE}" if kind == "Namespace" else f"write a {kind} in {WHERE}"
