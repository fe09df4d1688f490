"""A cluster that fails: what the portal is told, and that trying again is safe."""

import time

import pytest

from environments.kube.answers import AlreadyExistsError
from environments.kube.client import ClusterClient
from environments.lib.errors import TemporaryError
from portal.demo.simulated import SimulatedCluster
from tests.contract.arrange import Way, namespace, quota


@pytest.fixture
def cluster():
    with SimulatedCluster() as cluster:
        yield cluster


@pytest.fixture
def portal(cluster):
    return ClusterClient(Way(cluster.url, cluster.portal_token), timeout=(1, 0.3))


@pytest.mark.parametrize(
    ("fault", "reason", "retry_after"),
    [
        ({"status": 429, "retry_after": 7}, "TooManyRequests", 7),
        ({"status": 429}, "TooManyRequests", None),
        ({"status": 500}, "InternalError", None),
        ({"status": 503, "retry_after": 30}, "ServiceUnavailable", 30),
        ({"status": 504}, "Timeout", None),
        ({"delay": 0.6}, "Timeout", None),
        ({"drop_connection": True}, "Unreachable", None),
        ({"truncate": True}, "Unreachable", None),
    ],
    ids=["429 with Retry-After", "429", "500", "503", "504", "too late", "no answer", "half an answer"],
)
def test_a_failure_is_temporary_and_says_when_to_come_back(cluster, portal, fault, reason, retry_after):
    cluster.faults.add(method="GET", path_regex="/namespaces/default$", **fault)
    with pytest.raises(TemporaryError) as caught:
        portal.get("Namespace", "default")
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)
    assert portal.get("Namespace", "default")["status"]["phase"] == "Active"


def test_a_cluster_that_is_not_there_is_temporary():
    with SimulatedCluster() as cluster:
        way = Way(cluster.url, "secret-token")
    with pytest.raises(TemporaryError) as caught:
        ClusterClient(way, timeout=(0.5, 0.5)).version()
    assert caught.value.reason == "Unreachable"
    assert "secret-token" not in caught.value.message


def test_work_that_was_done_but_not_answered_is_found_by_the_next_try(cluster, portal):
    fault = cluster.faults.add(method="PATCH", path_regex="/namespaces/half$", status=500, before=False)
    with pytest.raises(TemporaryError):
        portal.apply(namespace("half", labels={"a": "b"}))
    assert fault.seen == 1
    made = portal.get("Namespace", "half")
    assert made["metadata"]["labels"]["a"] == "b"
    assert portal.apply(namespace("half", labels={"a": "b"})) == made


def test_a_create_whose_answer_was_lost_finds_the_name_taken(cluster, portal):
    cluster.faults.add(method="POST", drop_connection=True, before=False)
    with pytest.raises(TemporaryError):
        portal.create(namespace("half"))
    with pytest.raises(AlreadyExistsError):
        portal.create(namespace("half"))


def test_a_request_that_failed_before_its_work_did_nothing(cluster, portal):
    cluster.faults.add(method="PATCH", drop_connection=True)
    with pytest.raises(TemporaryError):
        portal.apply(namespace("none"))
    assert portal.get("Namespace", "none") is None


def test_a_fault_hits_as_often_as_it_is_told_and_only_what_it_is_told(cluster, portal):
    portal.apply(namespace("home"))
    fault = cluster.faults.add(path_regex="/resourcequotas", status=503, times=2)
    for _ in range(2):
        with pytest.raises(TemporaryError):
            portal.apply(quota("home", {"pods": "1"}))
        assert portal.get("Namespace", "home")
    portal.apply(quota("home", {"pods": "1"}))
    assert fault.seen == 2


def test_a_delay_alone_only_delays(cluster, portal):
    cluster.faults.add(method="GET", delay=0.1)
    started = time.monotonic()
    assert portal.get("Namespace", "default")
    assert time.monotonic() - started >= 0.1


def test_a_list_that_breaks_off_between_pages_fails_as_a_whole(cluster, portal):
    for number in range(5):
        portal.apply(namespace(f"n-{number}", labels={"a": "b"}))
    pages = portal.list_objects("Namespace", labels="a=b", limit=2)
    assert next(pages)["metadata"]["name"] == "n-0"
    cluster.faults.add(method="GET", status=500)
    with pytest.raises(TemporaryError):
        list(pages)
