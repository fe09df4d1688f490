"""Simulated workloads move the figures, and never past a quota."""

import time

import pytest

from environments.kube.client import ClusterClient
from environments.lib import quantities
from portal.demo.simulated import SimulatedCluster, Workloads
from tests.contract.arrange import Way, eventually, limit_range, namespace, quota

MANAGED = {"app.kubernetes.io/managed-by": "allotment"}
HARD = {
    "requests.cpu": "1",
    "requests.memory": "1Gi",
    "limits.cpu": "1500m",
    "limits.memory": "1Gi",
    "pods": "5",
    "services": "1",
    "persistentvolumeclaims": "1",
    "requests.storage": "1Gi",
    "configmaps": "3",
}


@pytest.fixture
def cluster():
    with SimulatedCluster() as cluster:
        yield cluster


@pytest.fixture
def admin(cluster):
    return ClusterClient(Way(cluster.url, cluster.admin_token))


@pytest.fixture
def homes(admin) -> list[str]:
    names = [f"home-{number}" for number in range(4)]
    for name in names:
        admin.apply(namespace(name, labels=MANAGED))
        admin.apply(quota(name, HARD))
        admin.apply(limit_range(name, max={"memory": "512Mi"}, default={"cpu": "100m"}))
    return names


def _used(admin) -> list[dict[str, str]]:
    return [each["status"]["used"] for each in admin.list_objects("ResourceQuota")]


def test_usage_moves_and_never_exceeds_the_quota(cluster, admin, homes):
    workloads = Workloads(cluster, seed=7)
    seen = set()
    for _ in range(150):
        workloads.tick()
        figures = _used(admin)
        assert len(figures) == len(homes)
        for used in figures:
            over = [name for name, hard in HARD.items() if quantities.parse(used[name]) > quantities.parse(hard)]
            assert over == []
            seen.add(used["requests.cpu"])
    assert len(seen) > 8


def test_pods_are_of_all_sorts_and_events_tell_of_them(cluster, admin, homes):
    workloads = Workloads(cluster, seed=7)
    phases, waiting, reasons = set(), set(), set()
    for _ in range(150):
        workloads.tick()
        for pod in admin.list_objects("Pod"):
            phases.add(pod["status"]["phase"])
            for container in pod["status"].get("containerStatuses", []):
                waiting.add(container["state"].get("waiting", {}).get("reason"))
        reasons |= {(each["type"], each["reason"]) for each in admin.list_objects("Event")}
    assert phases == {"Pending", "Running"}
    assert waiting == {None, "CrashLoopBackOff", "ImagePullBackOff"}
    assert reasons >= {("Warning", "FailedCreate"), ("Warning", "BackOff"), ("Normal", "Scheduled")}


def test_services_settings_and_volumes_come_too(cluster, admin, homes):
    workloads = Workloads(cluster, seed=7)
    for _ in range(30):
        workloads.tick()
    assert [used["services"] for used in _used(admin)] == ["1"] * len(homes)
    assert [each for each in admin.list_objects("ConfigMap") if each["metadata"]["name"].endswith("-config")]
    assert list(admin.list_objects("PersistentVolumeClaim"))


def test_only_selected_namespaces_that_have_a_quota_are_lived_in(cluster, admin, homes):
    admin.apply(namespace("foreign"))
    admin.apply(quota("foreign", HARD))
    admin.apply(namespace("half-made", labels=MANAGED))
    workloads = Workloads(cluster)
    for _ in range(10):
        workloads.tick()
    assert list(admin.list_objects("Pod", "foreign")) == []
    assert list(admin.list_objects("Pod", "half-made")) == []
    assert list(admin.list_objects("Pod", homes[0]))


def test_old_events_are_forgotten(cluster, admin, homes):
    workloads = Workloads(cluster, seed=7)
    for _ in range(200):
        workloads.tick()
    assert max(len(list(admin.list_objects("Event", home))) for home in homes) == 40


def test_a_namespace_that_ends_is_left_alone(cluster, admin, homes):
    workloads = Workloads(cluster)
    for _ in range(5):
        workloads.tick()
    admin.delete("Namespace", homes[0])
    pods = list(admin.list_objects("Pod", homes[0]))
    workloads.tick()
    assert list(admin.list_objects("Pod", homes[0])) in (pods, [])


def test_it_runs_by_itself_and_stops(cluster, admin, homes):
    with Workloads(cluster, interval=0.01):
        eventually(lambda: list(admin.list_objects("Pod")), "the first pods are there")
    version = cluster.store.resource_version
    time.sleep(0.1)
    assert cluster.store.resource_version == version
