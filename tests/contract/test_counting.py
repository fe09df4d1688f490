"""Whether a quota counts, and what else limits a namespace: the same on both clusters."""

import pytest

from environments import spec as template_spec
from environments.directory.local import LocalClient
from environments.kube import manifests, others
from environments.reconcile.steps import counting, policies
from environments.reconcile.steps.base import Context, Naming, Outcome
from tests.contract.arrange import desired, eventually, limit_range, pod, quota, start, wait_until_furnished

HARD = {"pods": "5", "services": "2"}


@pytest.fixture
def context(portal, admin, home):
    """A context whose template has this quota, in a namespace of ours."""

    def make(hard: dict[str, str]) -> Context:
        wanted = desired(home, spec=template_spec.parse({"quota": hard}))
        portal.apply(manifests.namespace(wanted))
        wait_until_furnished(admin, home)
        return Context(desired=wanted, cluster=portal, directory=LocalClient(0), naming=Naming())

    return make


def settled(context: Context) -> Outcome:
    """The outcome once the step no longer waits."""
    return eventually(lambda: found if (found := counting.ensure(context)).wait is None else None, "it is counted")


def test_a_quota_that_counts_everything_is_done(context):
    found = context(HARD)
    policies.ensure_quota(found)
    assert settled(found) == Outcome("The cluster counts all 2 resources")


def test_without_a_quota_nothing_is_done_and_nobody_waits(context):
    found = counting.ensure(context(HARD))
    assert (found.reason, found.wait) == ("NotCounted", 0.1)


def test_a_quota_is_not_done_before_what_it_says_now_is_counted(context, admin, home):
    found = context(HARD)
    policies.ensure_quota(found)
    settled(found)
    live = admin.get("ResourceQuota", manifests.QUOTA, home)
    assert others.counted(live)
    assert not others.counted(live | {"spec": {"hard": HARD | {"pods": "6"}}})


@pytest.mark.parametrize("key", ["count/widgets.example.com", "nvidia.com/gpu", "count/deployments"])
def test_a_resource_that_the_cluster_never_counts_is_told(context, key):
    found = context(HARD | {key: "1"})
    policies.ensure_quota(found)
    outcome = settled(found)
    assert (outcome.reason, outcome.look_again) == (counting.NOTED, 3600)
    assert outcome.message == f"This cluster does not count {key}, so the quota does not limit it."


def test_none_of_what_the_cluster_does_not_have_needs_no_word(context, portal, home):
    """A template forbids an API altogether, such as resource.k8s.io, also for clusters that do not serve it."""
    found = context(HARD | {"count/widgets.example.com": "0"})
    policies.ensure_quota(found)
    outcome = settled(found)
    assert (outcome.reason, outcome.look_again) == ("Done", None)
    assert outcome.message == "The cluster counts all 2 resources"
    (live,) = (
        each for each in portal.list_objects("ResourceQuota", home) if each["metadata"]["name"] == manifests.QUOTA
    )
    assert live["status"]["hard"]["count/widgets.example.com"] == "0"
    assert "count/widgets.example.com" not in live["status"]["used"]


def test_what_others_limit_is_named_with_its_figures(context, admin, portal, home):
    found = context(HARD)
    policies.ensure_quota(found)
    admin.apply(quota(home, {"pods": "1", "requests.cpu": "2"}, "team-quota"))
    admin.apply(limit_range(home, max={"cpu": "1"}, default={"cpu": "200m"}))
    policy = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    metadata = {"name": "open", "namespace": home}
    admin.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": policy})
    outcome = settled(found)
    assert outcome.message == "Also limited by ResourceQuota team-quota; LimitRange limits; NetworkPolicy open."
    start(admin, pod(home, "api", {"cpu": "500m"}, cpu="500m"))

    def read() -> dict[str, list[others.OtherLimit]]:
        own = {"label_domain": "example.org", "environment_id": found.desired.environment_id}
        return {kind: others.limits_of_others(portal.list_objects(kind, home), kind, **own) for kind in others.KINDS}

    eventually(lambda: read()["ResourceQuota"][0].is_full, "the pod is counted")
    assert [str(each) for limits in read().values() for each in limits] == [
        "ResourceQuota team-quota: CPU requests 500m of 2 cores; Pods 1 of 1",
        "LimitRange limits: Container CPU at most 1 core, default 200m, default request 200m",
        "NetworkPolicy open: allows incoming traffic",
    ]
