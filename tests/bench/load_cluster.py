"""The cluster of the load bench, and the bare client that applies the same objects to it."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environments.kube import manifests
from environments.kube.client import RESOURCES, ClusterClient, Manifest
from environments.models import Cluster, Environment
from environments.reconcile import desired
from portal.demo import controlplane
from portal.demo.simulated import SimulatedCluster


@dataclass(frozen=True)
class Place:
    """A running cluster: how the portal signs in, and how its administrator does."""

    name: str
    server: str
    certificate_authority: str
    portal_token: str
    admin_token: str
    admin: ClusterClient
    pids: dict[str, int]


@dataclass(frozen=True)
class _Way:
    server: str
    credential: str
    certificate_authority: str
    credential_kind: str = "token"


@contextmanager
def running(manager_qps: int = controlplane.MANAGER_QPS) -> Iterator[Place]:
    """The real control plane, or a simulated cluster where its binaries are missing.

    `manager_qps`: requests a second that its controllers may make; 20 is their own default.
    """
    if controlplane.available():
        with SimulatedCluster() as cluster:
            yield _place("simulated", cluster.url, "", cluster.portal_token, cluster.admin_token, [])
    else:
        with controlplane.ControlPlane(manager_qps=manager_qps) as plane:
            plane.apply_rbac()
            token = plane.portal_token(24 * 3600)
            yield _place("real control plane", plane.url, plane.ca_pem, token, plane.admin_token, plane.pids)


def _place(name: str, server: str, authority: str, portal: str, admin: str, pids: list[int]) -> Place:
    named = {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid in pids}
    return Place(name, server, authority, portal, admin, ClusterClient(_Way(server, admin, authority)), named)


def apply_bare(place: Place, row: Cluster, count: int, connections: int) -> float:
    """Seconds in which that many namespaces with the same objects are applied: nothing read, recorded or proven."""
    sample = Environment.objects.filter(cluster=row).select_related("owner", "version__template", "cluster").first()
    assert sample is not None
    text = json.dumps(manifests.all_manifests(desired.desired_with_bindings(sample)))
    worlds = [json.loads(text.replace(sample.namespace, f"bare-{number}")) for number in range(count)]
    start = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda world: _apply(place, world), worlds))
    return time.monotonic() - start


_local = threading.local()


def _apply(place: Place, world: list[Manifest]) -> None:
    for manifest in world:
        resource, metadata = RESOURCES[manifest["kind"]], manifest["metadata"]
        inside = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        path = f"{resource.prefix}{inside}/{resource.plural}/{metadata['name']}?fieldManager=bare&force=true"
        _send(place, path, manifest)


def _send(place: Place, path: str, body: Any) -> None:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = connect(place)
    headers = {"Authorization": f"Bearer {place.admin_token}", "Content-Type": "application/apply-patch+yaml"}
    connection.request("PATCH", path, json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status} {said[:300]!r}")


def connect(place: Place) -> HTTPConnection:
    """A connection to the API server itself."""
    where = urlsplit(place.server)
    if where.scheme == "http":
        return HTTPConnection(where.hostname or "", where.port, timeout=30)
    trust = ssl.create_default_context(cadata=place.certificate_authority)
    return HTTPSConnection(where.hostname or "", where.port, context=trust, timeout=30)
