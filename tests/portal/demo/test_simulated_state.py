"""A simulated cluster that is stopped and started again is the same cluster."""

import json
import stat
import time

import pytest

from environments.kube.client import ClusterClient
from environments.lib.errors import TemporaryError
from portal.demo.simulated import SimulatedCluster
from tests.contract.arrange import Way, config_map, eventually, namespace, pod, quota


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "cluster.json"


def _client(cluster, token="") -> ClusterClient:
    return ClusterClient(Way(cluster.url, token or cluster.admin_token))


def test_everything_is_there_after_a_restart(file):
    with SimulatedCluster(data_file=file) as cluster:
        admin = _client(cluster)
        admin.apply(namespace("home", labels={"a": "b"}))
        admin.apply(quota("home", {"pods": "3"}))
        admin.create(pod("home", "api"))
        before = {kind: list(admin.list_objects(kind)) for kind in ("Namespace", "ResourceQuota", "Pod", "ClusterRole")}
    with SimulatedCluster(data_file=file) as cluster:
        admin = _client(cluster)
        assert {kind: list(admin.list_objects(kind)) for kind in before} == before
        assert admin.get("ResourceQuota", "quota", "home")["status"]["used"] == {"pods": "1"}


def test_versions_go_on_rising_after_a_restart(file):
    with SimulatedCluster(data_file=file) as cluster:
        first = _client(cluster).apply(namespace("one"))
    with SimulatedCluster(data_file=file) as cluster:
        second = _client(cluster).apply(namespace("two"))
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_a_token_of_the_portal_survives_a_restart(file):
    with SimulatedCluster(data_file=file) as cluster:
        token = cluster.portal_token
    with SimulatedCluster(data_file=file) as cluster:
        assert _client(cluster, token).get("Namespace", "default")


def test_a_token_of_another_cluster_is_not_accepted():
    with SimulatedCluster() as one, SimulatedCluster() as two, pytest.raises(TemporaryError) as caught:
        _client(two, one.portal_token).get("Namespace", "default")
    assert caught.value.reason == "Unauthorized"


def test_a_namespace_that_was_ending_ends_after_a_restart(file):
    with SimulatedCluster(data_file=file, termination_delay=60) as cluster:
        _client(cluster).apply(namespace("home"))
        _client(cluster).delete("Namespace", "home")
    with SimulatedCluster(data_file=file, termination_delay=0.05) as cluster:
        eventually(lambda: _client(cluster).get("Namespace", "home") is None, "the namespace is gone")


def test_the_state_is_written_while_the_cluster_runs(file):
    with SimulatedCluster(data_file=file) as cluster:
        _client(cluster).apply(namespace("home"))

        def names():
            objects = json.loads(file.read_text())["objects"] if file.exists() else []
            return {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}

        eventually(lambda: "home" in names(), "the state is written")


def test_the_file_is_for_its_owner_only(file):
    with SimulatedCluster(data_file=file):
        pass
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_a_crash_left_half_written_is_not_read(file):
    with SimulatedCluster(data_file=file) as cluster:
        _client(cluster).apply(namespace("home"))
    file.with_name(f"{file.name}.new").write_text('{"objects": [')
    with SimulatedCluster(data_file=file) as cluster:
        assert _client(cluster).get("Namespace", "home")


def test_a_role_that_ships_changed_is_brought_up_to_date_at_start(file):
    with SimulatedCluster(data_file=file) as cluster:
        admin = _client(cluster)
        shipped = admin.get("ClusterRole", "environment-viewer")
        admin.apply(
            {key: shipped[key] for key in ("apiVersion", "kind")}
            | {
                "metadata": {"name": "environment-viewer"},
                "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
            }
        )
    with SimulatedCluster(data_file=file) as cluster:
        assert _client(cluster).get("ClusterRole", "environment-viewer")["rules"] == shipped["rules"]


def test_stopping_does_not_wait_for_idle_connections_or_for_namespaces():
    cluster = SimulatedCluster(termination_delay=60)
    cluster.start()
    admin = _client(cluster)
    admin.apply(namespace("home"))
    admin.create(config_map("home", "settings"))
    admin.delete("Namespace", "home")
    started = time.monotonic()
    cluster.stop()
    assert time.monotonic() - started < 2
