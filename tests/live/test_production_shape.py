"""PostgreSQL, Redis, a worker and its beat as processes of their own: nothing asked for is lost, nothing done twice."""

import signal
import time

import pytest

from environments.kube.client import ClusterClient
from tests.arranging import KINDS, Account
from tests.live.shape import PATIENCE
from tests.services import REDIS

pytestmark = pytest.mark.skipif(not REDIS, reason="redis-server is not installed (Debian's package of that name)")


def objects(cluster, namespace: str) -> dict[str, int]:
    """How many objects of each kind the portal has in a namespace."""
    admin = ClusterClient(Account(cluster.url, cluster.admin_token))
    selector = "app.kubernetes.io/managed-by=allotment"
    return {kind: len(list(admin.list_objects(kind, namespace, labels=selector))) for kind in KINDS[1:]}


#: Two quotas: the cluster has no policy against critical pods.
COMPLETE = {"ResourceQuota": 2, "LimitRange": 1, "NetworkPolicy": 2, "RoleBinding": 1}


def test_a_request_goes_through_postgresql_redis_and_a_worker_and_back_again(shape, production_cluster):
    shape.start_worker()
    asked = shape.drive("ask", "whole")
    seen = shape.wait_for(asked["id"], "Ready")
    assert {status for status, _ in seen["conditions"].values()} == {"Done"}
    assert objects(production_cluster, asked["namespace"]) == COMPLETE
    shape.drive("delete", asked["id"])
    shape.wait_for(asked["id"], "Deleted")
    assert objects(production_cluster, asked["namespace"]) == dict.fromkeys(COMPLETE, 0)


def test_a_worker_killed_in_the_middle_is_completed_by_another(shape, production_cluster):
    asked = shape.drive("ask", "killed")
    quota = f"/{asked['namespace']}/resourcequotas/"  # not that of another test's environment
    held = production_cluster.faults.add(method="PATCH", path_regex=quota, delay=30)
    shape.start_worker()
    deadline = time.monotonic() + PATIENCE
    while not held.seen:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    shape.stop("worker", signal.SIGKILL)
    assert shape.drive("look", asked["id"])["phase"] == "Provisioning"
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")
    assert objects(production_cluster, asked["namespace"]) == COMPLETE


def test_a_queue_that_was_flushed_loses_nothing(shape, production_cluster):
    asked = shape.drive("ask", "flushed")
    shape.stop("redis", signal.SIGKILL)  # without persistence: every message is gone
    shape.start_redis()
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")
    assert objects(production_cluster, asked["namespace"]) == COMPLETE


def test_a_request_is_taken_while_the_queue_is_down(shape, production_cluster):
    shape.stop("redis")
    asked = shape.drive("ask", "queue down")
    shape.start_redis()
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")


def test_the_same_form_sent_eight_times_at_once_makes_one_environment(shape):
    seen = shape.drive("ask_twice", "double")
    assert seen["answers"] == 8
    assert len(seen["ids"]) == seen["rows"] == 1
