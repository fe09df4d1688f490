"""Pods and warnings on a page: as they are, as they last were, and never an error page."""

import pytest
from django.core.cache import cache

from environments.kube.client import ClusterClient
from environments.lib.phases import Phase
from environments.models import Cluster
from portal.demo.simulated import SimulatedCluster
from tests.contract.arrange import Way, namespace, pod, quota
from tests.pages.reading import HTMX, one, read, words
from tests.texts import REFUSED

CRASHING = {"name": "main", "image": "app:1", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


@pytest.fixture(autouse=True)
def nothing_cached():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def simulated():
    with SimulatedCluster() as cluster:
        yield cluster


@pytest.fixture
def environment(simulated, make_environment):
    """An environment whose namespace is on the simulated cluster, with a pod that ends again and again."""
    admin = ClusterClient(Way(simulated.url, simulated.admin_token))
    row = make_environment(usage={"pods": ["1", "10"]})
    row.namespace_uid = admin.create(namespace(row.namespace))["metadata"]["uid"]
    row.save()
    Cluster.objects.filter(pk=row.cluster_id).update(server=simulated.url, credential="")
    row.cluster.refresh_from_db()
    row.cluster.credential = simulated.portal_token
    row.cluster.save()
    admin.create(pod(row.namespace, "api"))
    simulated.set_status("Pod", row.namespace, "api", {"phase": "Running", "containerStatuses": [CRASHING]})
    return row


@pytest.fixture
def look(client, environment):
    def get(user, **more):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/workloads/", **more)

    return get


def test_a_pod_that_does_not_run_is_named_in_a_sentence(look, dana):
    soup = read(look(dana))
    assert words(soup.h1) == "Pods and warnings"
    line = one(soup, "#workloads .timeline li.bad")
    assert words(line).startswith("api CrashLoopBackOff")
    assert "Container main exited 3 times" in words(one(line, ".said"))


def test_a_refresh_brings_only_the_part_which_asks_again(look, dana):
    soup = read(look(dana, headers=HTMX))
    assert [node["id"] for node in soup.find_all(recursive=False)] == ["workloads"]
    assert one(soup, "#workloads")["hx-trigger"] == "every 20s"


def test_one_answer_serves_everybody_for_a_while(look, dana, theo, simulated):
    read(look(dana))
    asked = simulated.faults.add(delay=0.0001, times=10_000)
    assert one(read(look(theo)), ".timeline li.bad")
    assert asked.seen == 0


def test_a_cluster_that_falls_silent_leaves_the_last_answer_with_its_time(look, dana, simulated, environment):
    read(look(dana))
    cache.delete(f"workload-status:{environment.pk}")
    simulated.stop()
    soup = read(look(dana))
    assert f"Can't refresh. Showing the state from just now . {REFUSED}" in words(one(soup, ".notice.wait"))
    assert one(soup, ".timeline li.bad")


def test_a_cluster_that_never_answered_is_a_sentence(look, dana, simulated):
    simulated.stop()
    notice = words(one(read(look(dana)), ".notice.wait"))
    assert notice == f"Can't show the pods right now. {REFUSED}"


@pytest.mark.parametrize("odd", [{"items": [7]}, {"items": [{"status": 7}]}, {"items": "no"}])
def test_an_answer_that_makes_no_sense_is_no_error_page(look, dana, monkeypatch, odd):
    monkeypatch.setattr(ClusterClient, "list_objects", lambda *_, **__: iter(odd["items"]))
    read(look(dana))


def test_a_namespace_of_somebody_else_s_is_not_shown(look, dana, environment):
    environment.namespace_uid = "another"
    environment.save()
    soup = read(look(dana))
    assert soup.select(".timeline") == []
    assert "does not belong to this environment" in words(one(soup, ".notice"))


def test_while_it_is_made_there_is_nothing_to_look_into(look, dana, environment):
    environment.phase = Phase.PROVISIONING
    environment.save()
    soup = read(look(dana))
    assert "No namespace yet. Pods appear here when the environment is ready." in words(one(soup, "#workloads"))
    assert not one(soup, "#workloads").has_attr("hx-get")


def test_it_takes_four_queries(client, dana, environment, django_assert_num_queries):
    client.force_login(dana)
    with django_assert_num_queries(4):
        client.get(f"/environments/{environment.namespace}/workloads/")


def test_what_limits_the_namespace_besides_the_template_is_listed(look, dana, simulated, environment):
    assert not read(look(dana)).select("#other-limits")
    cache.clear()
    admin = ClusterClient(Way(simulated.url, simulated.admin_token))
    admin.create(quota(environment.namespace, {"pods": "1"}, "team-quota"))
    ours = quota(environment.namespace, {"pods": "5"}, "environment-quota")
    ours["metadata"]["labels"] = {"allotment.internal/environment": str(environment.pk)}
    admin.create(ours)
    line = one(read(look(dana)), "#other-limits li")
    assert words(line) == "Full: ResourceQuota team-quota : Pods 1 of 1"
