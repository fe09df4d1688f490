"""What the contract tests need from a cluster, whichever it is: ways in, manifests, and patience."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import urllib3

from environments import spec
from environments.kube.client import ClusterClient, Manifest
from environments.kube.manifests import Binding, Desired
from environments.lib.errors import PermanentError
from environments.lib.phases import Role
from portal.demo import controlplane
from portal.demo.simulated import SimulatedCluster
from portal.demo.simulated.denying import Denials
from portal.demo.simulated.mutating import Mutations

PATIENCE = 120  # seconds; a real namespace takes more than five to go
APPLY = "application/apply-patch+yaml"
SPEC = spec.parse(
    {
        "quota": {
            "requests.cpu": "1000m",
            "limits.memory": "1.5Gi",
            "requests.memory": "1Gi",
            "pods": "3",
            "configmaps": "5",
        },
        "limits": {
            "default": {"cpu": "200m", "memory": "128Mi"},
            "default_request": {"cpu": "0.1", "memory": "64Mi"},
            "maximum": {"memory": "1Gi"},
        },
        "network": {"dns": True, "same_namespace": False},
    }
)


@dataclass
class Way:
    """A `Connection` to a cluster by token."""

    server: str
    credential: str
    certificate_authority: str = ""
    credential_kind: str = "token"


@dataclass
class ClusterEndpoint:
    """A running cluster: the portal's least-privileged account, and an administrator for arranging and asserting."""

    name: str
    portal: Way
    admin: Way
    mutations: Mutations | None = None  # of a simulated cluster
    denials: Denials | None = None  # of a simulated cluster

    def client(self, **options) -> ClusterClient:
        return ClusterClient(self.portal, **options)

    def admin_client(self, **options) -> ClusterClient:
        return ClusterClient(self.admin, **({"field_manager": "kubectl-edit"} | options))


@contextmanager
def simulated() -> Iterator[ClusterEndpoint]:
    """A simulated cluster of one's own."""
    with SimulatedCluster(termination_delay=0.2) as cluster:
        portal, admin = (Way(cluster.url, token) for token in (cluster.portal_token, cluster.admin_token))
        yield ClusterEndpoint("simulated", portal, admin, cluster.mutations, cluster.denials)


@contextmanager
def real() -> Iterator[ClusterEndpoint]:
    """A real control plane of one's own; the test is skipped where its binaries are not installed."""
    if reason := controlplane.available():
        pytest.skip(f"no real control plane: {reason}")
    with controlplane.ControlPlane() as plane:
        plane.apply_rbac()
        portal, admin = (Way(plane.url, token, plane.ca_pem) for token in (plane.portal_token(), plane.admin_token))
        yield ClusterEndpoint("real", portal, admin)


class Raw:
    """Plain HTTP requests, for what the portal's own client never sends."""

    def __init__(self, way: Way) -> None:
        trust = {"ca_cert_data": way.certificate_authority} if way.certificate_authority else {}
        self._pool = urllib3.PoolManager(retries=False, timeout=20, **trust)
        self._way = way

    def __call__(
        self,
        method: str,
        path: str,
        body: Manifest | list | str | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> tuple[int, Manifest]:
        response = self.ask(method, path, body, content_type, accept)
        return response.status, json.loads(response.data)

    def ask(
        self,
        method: str,
        path: str,
        body: Manifest | list | str | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> urllib3.BaseHTTPResponse:
        """The answer as it came, with its headers."""
        headers = {"Authorization": f"Bearer {self._way.credential}", "Content-Type": content_type}
        headers |= {"Accept": accept} if accept else {}
        content = json.dumps(body) if isinstance(body, (dict, list)) else body
        return self._pool.request(method, self._way.server + path, body=content, headers=headers)

    def close(self) -> None:
        self._pool.clear()


def eventually[T](look: Callable[[], T], what: str) -> T:
    """The first true answer of `look`; a cluster's controllers take their time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.03)
    return found


def desired(namespace: str, **changes) -> Desired:
    """An environment with the six objects and two members: Dana in the admin group, Theo by name."""
    facts = {
        "environment_id": f"id-of-{namespace}",
        "name": "Checkout refunds",
        "namespace": namespace,
        "owner": "dana@example.com",
        "template": "namespace",
        "spec": SPEC,
        "label_domain": "example.org",
        "bindings": (Binding(Role.ADMIN, f"{namespace}-admin", ("theo@example.com",)),),
    }
    return Desired(**(facts | changes))


def namespace(name: str, **metadata) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name} | metadata}


def quota(namespace: str, hard: dict[str, str], name: str = "quota") -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}


def limit_range(namespace: str, **item) -> Manifest:
    metadata = {"name": "limits", "namespace": namespace}
    limits = [{"type": "Container"} | item]
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": limits}}


def config_map(namespace: str, name: str, **metadata) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace} | metadata}


def pod(namespace: str, name: str, requests: dict[str, str] | None = None, **limits: str) -> Manifest:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    container = {"name": "main", "image": "registry.example.com/app:1"} | (
        {"resources": resources} if resources else {}
    )
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def role_binding(namespace: str, role: str, *subjects: tuple[str, str], name: str = "") -> Manifest:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name or role, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": kind, "name": who, "apiGroup": group} for kind, who in subjects],
    }


def wait_until_furnished(admin: ClusterClient, name: str) -> None:
    """Wait for what controllers put into a new namespace: without it no pod starts and counts still move."""
    eventually(
        lambda: admin.get("ServiceAccount", "default", name) and admin.get("ConfigMap", "kube-root-ca.crt", name),
        "the namespace has its default ServiceAccount",
    )


def wait_until_enforced(admin: ClusterClient, name: str, quota_name: str = "quota") -> Manifest:
    """Wait until the quota controller has seen a quota as it is now; the quota then."""

    def enforced() -> Manifest | None:
        found = admin.get("ResourceQuota", quota_name, name)
        return found if found and found.get("status", {}).get("hard") == found["spec"]["hard"] else None

    return eventually(enforced, "the quota has a status")


def used(client: ClusterClient, name: str, resource: str, quota_name: str = "quota") -> str:
    """What a quota's status says of one resource; empty where it says nothing."""
    found = client.get("ResourceQuota", quota_name, name) or {}
    return found.get("status", {}).get("used", {}).get(resource, "")


def start(admin: ClusterClient, manifest: Manifest) -> Manifest:
    """Create an object as soon as the namespace is furnished and the API server knows the quota's status."""
    wait_until_furnished(admin, manifest["metadata"]["namespace"])

    def create() -> Manifest | None:
        try:
            return admin.create(manifest)
        except PermanentError as error:
            if "status unknown for quota" not in error.message:
                raise
            return None

    return eventually(create, "the quota's status is known to the API server")
