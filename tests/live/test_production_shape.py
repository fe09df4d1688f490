"""PostgreSQL, Redis, a worker and its beat as processes of their own: nothing asked for is lost, nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from environments.kube.client import ClusterClient
from portal.demo.simulated import SimulatedCluster
from tests.environments.conftest import KINDS, Account
from tests.services import REDIS, ROOT, Process, Redis

PATIENCE = 120.0  # seconds

pytestmark = pytest.mark.skipif(not REDIS, reason="redis-server is not installed (Debian's package of that name)")


class Shape:
    """The services of production on loopback, and the portal's worker."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.redis = folder, Redis(folder)
        self.processes: dict[str, Process] = {}
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database,
            "BROKER_URL": self.redis.url,
            "SECRET_KEY": "only-for-tests-" + "x" * 50,
            "LOCAL_ACCOUNTS": "true",
            "LEASE_SECONDS": "2",
            "SWEEP_SECONDS": "0.5",
            "OBSERVE_SECONDS": "3600",
            "EMAIL_URL": "dummymail://",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, name: str, *command: str) -> None:
        self.processes[name] = Process(list(command), self.folder / f"{name}.log", dict(self.environment))
        self.processes[name].start()

    def start_redis(self) -> None:
        self.redis.start()
        self.processes["redis"] = self.redis.process

    def start_worker(self) -> None:
        celery = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-B"]
        self.start("worker", *celery, "--concurrency=2", "--loglevel=INFO")

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        self.processes.pop(name).stop(number)

    def drive(self, *arguments: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "tests.live.drive", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def wait_for(self, pk: str, phase: str) -> dict:
        deadline = time.monotonic() + PATIENCE
        while (seen := self.drive("look", pk))["phase"] != phase:
            assert time.monotonic() < deadline, seen
        return seen


@pytest.fixture(scope="module")
def cluster():
    with SimulatedCluster(termination_delay=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, postgres, cluster):
    folder = tmp_path_factory.mktemp("shape")
    shape = Shape(folder, postgres.database(folder.name))
    shape.drive("prepare", cluster.url, cluster.portal_token)
    return shape


@pytest.fixture
def shape(prepared, cluster):
    cluster.faults.clear()
    prepared.start_redis()
    yield prepared
    cluster.faults.clear()
    for name in list(prepared.processes):
        prepared.stop(name, signal.SIGKILL)


def objects(cluster, namespace: str) -> dict[str, int]:
    """How many objects of each kind the portal has in a namespace."""
    admin = ClusterClient(Account(cluster.url, cluster.admin_token))
    selector = "app.kubernetes.io/managed-by=allotment"
    return {kind: len(list(admin.list_objects(kind, namespace, labels=selector))) for kind in KINDS[1:]}


COMPLETE = {"ResourceQuota": 1, "LimitRange": 1, "NetworkPolicy": 2, "RoleBinding": 1}


def test_a_request_goes_through_postgresql_redis_and_a_worker_and_back_again(shape, cluster):
    shape.start_worker()
    asked = shape.drive("ask", "whole")
    seen = shape.wait_for(asked["id"], "Ready")
    assert {status for status, _ in seen["conditions"].values()} == {"Done"}
    assert objects(cluster, asked["namespace"]) == COMPLETE
    shape.drive("delete", asked["id"])
    shape.wait_for(asked["id"], "Deleted")
    assert objects(cluster, asked["namespace"]) == dict.fromkeys(COMPLETE, 0)


def test_a_worker_killed_in_the_middle_is_completed_by_another(shape, cluster):
    held = cluster.faults.add(method="PATCH", path_regex="/resourcequotas/", delay=30)
    shape.start_worker()
    asked = shape.drive("ask", "killed")
    deadline = time.monotonic() + PATIENCE
    while not held.seen:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    shape.stop("worker", signal.SIGKILL)
    assert shape.drive("look", asked["id"])["phase"] == "Provisioning"
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")
    assert objects(cluster, asked["namespace"]) == COMPLETE


def test_a_queue_that_was_flushed_loses_nothing(shape, cluster):
    asked = shape.drive("ask", "flushed")
    shape.stop("redis", signal.SIGKILL)  # without persistence: every message is gone
    shape.start_redis()
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")
    assert objects(cluster, asked["namespace"]) == COMPLETE


def test_a_request_is_taken_while_the_queue_is_down(shape, cluster):
    shape.stop("redis")
    asked = shape.drive("ask", "queue down")
    shape.start_redis()
    shape.start_worker()
    shape.wait_for(asked["id"], "Ready")


def test_the_same_form_sent_eight_times_at_once_makes_one_environment(shape):
    seen = shape.drive("ask_twice", "double")
    assert seen["answers"] == 8
    assert len(seen["ids"]) == seen["rows"] == 1
