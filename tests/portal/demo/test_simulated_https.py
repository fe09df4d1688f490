"""The simulated cluster over https: its certificates and ports stay, and it holds up with clients that do not."""

import json
import socket
import stat
import threading
import time
from datetime import timedelta

import pytest
import time_machine
import urllib3

from environments.kube.client import ClusterClient
from portal.demo import certificates
from portal.demo.ports import free_port, kept_port
from portal.demo.simulated import SimulatedCluster, User
from tests.arranging import Account


def get(cluster: SimulatedCluster, path: str, **more) -> urllib3.BaseHTTPResponse:
    pool = urllib3.PoolManager(retries=False, timeout=10, ca_cert_data=cluster.certificate_authority)
    token = more.pop("token", cluster.admin_token)
    return pool.request("GET", cluster.url + path, headers={"Authorization": f"Bearer {token}"}, **more)


def test_it_is_trusted_with_its_own_authority_and_not_without(tmp_path):
    with SimulatedCluster(certificates_folder=tmp_path) as cluster:
        assert cluster.url.startswith("https://127.0.0.1:")
        assert get(cluster, "/readyz").data == b"ok"
        with pytest.raises(urllib3.exceptions.SSLError):
            urllib3.PoolManager(retries=False, timeout=10).request("GET", cluster.url)


def test_certificates_are_the_same_in_the_next_run(tmp_path):
    folder = tmp_path / "made" / "here"
    first = certificates.kept(folder, "cluster")
    assert certificates.kept(folder, "cluster") == first
    assert stat.S_IMODE((folder / certificates.KEY).stat().st_mode) == 0o600
    assert {file.name for file in folder.iterdir()} == {"ca.crt", "server.crt", "server.key"}  # not the authority's key


@pytest.mark.parametrize("spoil", ["late", "cut", "gone"])
def test_certificates_that_expire_soon_or_are_broken_are_issued_anew(tmp_path, spoil):
    first = certificates.kept(tmp_path, "cluster")
    if spoil == "cut":
        (tmp_path / certificates.CERTIFICATE).write_text("-----BEGIN CERTIFICATE-----\n")
    elif spoil == "gone":
        (tmp_path / certificates.KEY).unlink()
    with time_machine.travel(time.time() + timedelta(days=340 if spoil == "late" else 0).total_seconds()):
        second = certificates.kept(tmp_path, "cluster")
        assert second != first
        assert certificates.kept(tmp_path, "cluster") == second


def test_a_port_is_kept_while_it_is_free(tmp_path):
    file = tmp_path / "cluster.port"
    port = kept_port(file)
    assert kept_port(file) == port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert kept_port(file) != port
    file.write_text("none")
    assert kept_port(file) == int(file.read_text())
    assert free_port()


def test_a_client_that_never_shakes_hands_holds_up_no_other(tmp_path):
    with SimulatedCluster(certificates_folder=tmp_path) as cluster:
        address = ("127.0.0.1", int(cluster.url.rpartition(":")[2]))
        with socket.create_connection(address), socket.create_connection(address) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert get(cluster, "/readyz").status == 200


def test_a_watch_ends_with_its_client_and_with_the_cluster(tmp_path):
    with SimulatedCluster(certificates_folder=tmp_path) as cluster:
        before = threading.active_count()
        answers = [get(cluster, "/api/v1/pods?watch=1", preload_content=False) for _ in range(3)]
        assert threading.active_count() >= before + 3
        for answer in answers[:2]:
            answer.close()
            answer.release_conn()
        deadline = time.monotonic() + 10
        while threading.active_count() > before + 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_watch_of_a_forgotten_version_says_so(monkeypatch):
    monkeypatch.setattr("portal.demo.simulated.store._MOST_CHANGES", 3)
    with SimulatedCluster() as cluster:
        pool = urllib3.PoolManager(retries=False, timeout=10)
        headers = {"Authorization": f"Bearer {cluster.admin_token}"}
        path = "/api/v1/configmaps?watch=1&timeoutSeconds=5&resourceVersion=3"
        (line,) = pool.request("GET", cluster.url + path, headers=headers).data.splitlines()
    assert (json.loads(line)["type"], json.loads(line)["object"]["code"]) == ("ERROR", 410)


def test_to_list_is_not_to_watch():
    reader = {"read": User("reader")}
    with SimulatedCluster(tokens=reader) as cluster:
        allow(cluster, ["list"])
        pool = urllib3.PoolManager(retries=False, timeout=10, headers={"Authorization": "Bearer read"})
        assert pool.request("GET", f"{cluster.url}/api/v1/configmaps").status == 200
        refused = pool.request("GET", f"{cluster.url}/api/v1/configmaps?watch=true&timeoutSeconds=1")
        assert refused.status == 403
        assert 'cannot watch resource "configmaps"' in json.loads(refused.data)["message"]
        allow(cluster, ["list", "watch"])
        assert pool.request("GET", f"{cluster.url}/api/v1/configmaps?watch=true&timeoutSeconds=1").status == 200


def allow(cluster: SimulatedCluster, verbs: list[str]) -> None:
    admin = ClusterClient(Account(cluster.url, cluster.admin_token))
    group = "rbac.authorization.k8s.io"
    about = {"apiVersion": f"{group}/v1", "metadata": {"name": "reader"}}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    admin.apply(about | {"kind": "ClusterRole", "rules": rules})
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "reader"}
    admin.apply(
        about | {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [{"kind": "User", "name": "reader"}]}
    )


def test_a_watch_in_a_second_version_tells_in_that_version():
    body = {
        "metadata": {"name": "a"},
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}},
    }
    with SimulatedCluster() as cluster:
        admin = {"Authorization": f"Bearer {cluster.admin_token}"}
        path = f"{cluster.url}/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
        with urllib3.PoolManager(retries=False, timeout=20) as pool:
            made = pool.request("POST", path, json=body, headers=admin)
            answer = pool.request("GET", f"{path}?watch=1&timeoutSeconds=1", headers=admin)
    assert made.status == 201, made.data
    (told,) = (json.loads(line)["object"] for line in answer.data.splitlines())
    assert (told["apiVersion"], told["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 80)
