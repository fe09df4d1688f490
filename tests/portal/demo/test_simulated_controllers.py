"""Deployments and StatefulSets become pods, step by step; what is refused is said and tried again."""

import time

import pytest

from environments.kube.client import ClusterClient
from portal.demo.simulated import Controllers, SimulatedCluster
from portal.demo.simulated.kinds import BY_NAME
from tests.arranging import Account

HOME = "team"
QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": HOME}}


@pytest.fixture
def cluster():
    with SimulatedCluster() as running:
        yield running


@pytest.fixture
def admin(cluster):
    client = ClusterClient(Account(cluster.url, cluster.admin_token), field_manager="kubectl")
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    return client


@pytest.fixture
def controllers(cluster):
    """Without their thread: a test says when they look."""
    return Controllers(cluster, starting=0)


def workload(kind: str, replicas: int, image: str = "web:1", **spec) -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    selector = {"matchLabels": {"app": "web"}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": HOME},
        "spec": {"replicas": replicas, "selector": selector, "template": template, **spec},
    }


def listed(admin, kind: str) -> list[dict]:
    return list(admin.list_objects(kind, HOME))


def images(admin) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in listed(admin, "Pod"))


def settle(controllers) -> None:
    for _ in range(30):
        if not controllers.tick():
            return
    raise AssertionError("it never comes to rest")


def test_a_rollout_never_has_fewer_or_more_pods_than_its_strategy_says(admin, controllers):
    limits = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    admin.apply(workload("Deployment", 4, strategy=limits))
    settle(controllers)
    assert images(admin) == ["web:1"] * 4
    admin.apply(workload("Deployment", 4, "web:2", strategy=limits))
    seen = []
    for _ in range(30):
        is_moving = controllers.tick()
        seen.append(len(listed(admin, "Pod")))
        if not is_moving:
            break
    assert images(admin) == ["web:2"] * 4
    assert set(seen) <= {4, 5}
    status = admin.get("Deployment", "web", HOME)["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (4, 4)
    assert {each["reason"] for each in status["conditions"]} == {"MinimumReplicasAvailable", "NewReplicaSetAvailable"}


def test_recreate_has_no_two_versions_at_once(admin, controllers):
    admin.apply(workload("Deployment", 2, strategy={"type": "Recreate"}))
    settle(controllers)
    admin.apply(workload("Deployment", 2, "web:2", strategy={"type": "Recreate"}))
    for _ in range(10):
        controllers.tick()
        assert len(set(images(admin))) <= 1
    assert images(admin) == ["web:2"] * 2


def test_a_paused_deployment_stays_as_it_is_until_it_goes_on(admin, controllers):
    admin.apply(workload("Deployment", 1))
    settle(controllers)
    admin.apply(workload("Deployment", 1, "web:2", paused=True))
    settle(controllers)
    assert images(admin) == ["web:1"]
    admin.apply(workload("Deployment", 1, "web:2", paused=False))
    settle(controllers)
    assert images(admin) == ["web:2"]


def test_a_broken_rollout_leaves_the_old_pods(admin, controllers):
    admin.apply(workload("Deployment", 2))
    settle(controllers)
    quota = {"hard": {"pods": "2"}}
    admin.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": HOME}, "spec": quota}
    )
    admin.apply(workload("Deployment", 2, "web:2"))
    settle(controllers)
    assert images(admin) == ["web:1"] * 2
    warnings = [event for event in listed(admin, "Event") if event["type"] == "Warning"]
    assert [event["reason"] for event in warnings] == ["FailedCreate"]
    assert "exceeded quota: q" in warnings[0]["message"]


def test_a_pod_that_was_refused_is_tried_again_later(admin, controllers, monkeypatch):
    monkeypatch.setattr("portal.demo.simulated.controllers._FIRST", 0.3)
    admin.apply(QUOTA | {"spec": {"hard": {"pods": "0"}}})
    admin.apply(workload("Deployment", 1))
    settle(controllers)
    assert images(admin) == []
    admin.apply(QUOTA | {"spec": {"hard": {"pods": "1"}}})
    settle(controllers)
    assert images(admin) == []  # not at once
    time.sleep(0.3)
    settle(controllers)
    assert images(admin) == ["web:1"]


def test_a_stateful_set_has_numbered_pods_and_loses_the_last_first(admin, controllers):
    admin.apply(workload("StatefulSet", 3, serviceName="web"))
    settle(controllers)
    assert [pod["metadata"]["name"] for pod in listed(admin, "Pod")] == ["web-0", "web-1", "web-2"]
    admin.apply(workload("StatefulSet", 2, "web:2", serviceName="web"))
    settle(controllers)
    assert [pod["metadata"]["name"] for pod in listed(admin, "Pod")] == ["web-0", "web-1"]
    assert images(admin) == ["web:2"] * 2


def test_what_belonged_to_a_deployment_goes_with_it_and_nothing_else_does(cluster, admin, controllers):
    admin.apply(workload("Deployment", 2))
    alone = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": HOME, "labels": {"app": "web"}},
    }
    admin.create(alone | {"spec": {"containers": [{"name": "a", "image": "alone:1"}]}})
    settle(controllers)
    assert len(listed(admin, "Pod")) == 3
    assert {pod["status"]["phase"] for pod in listed(admin, "Pod")} == {"Running"}
    admin.delete("Deployment", "web", HOME)
    settle(controllers)
    assert images(admin) == ["alone:1"]
    assert cluster.store.objects(BY_NAME["ReplicaSet"], HOME) == []


def test_a_pod_keeps_its_class_when_it_runs(admin, controllers):
    container = {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "100m"}}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": HOME}}
    admin.apply(manifest | {"spec": {"containers": [container]}})
    settle(controllers)
    pod = admin.get("Pod", "web", HOME)
    assert (pod["status"]["phase"], pod["status"]["qosClass"]) == ("Running", "Burstable")
