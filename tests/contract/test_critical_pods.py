"""The quota of pods with critical priority classes, for clusters without the policy allotment-pods."""

from dataclasses import replace

import pytest

from environments import spec as template_spec
from environments.directory.local import LocalClient
from environments.kube import manifests
from environments.kube.differing import differences
from environments.kube.manifests import CRITICAL_CLASSES, CRITICAL_QUOTA, Desired
from environments.lib.errors import PermanentError
from environments.reconcile.steps import counting, policies
from environments.reconcile.steps.base import Context, Naming
from tests.contract.arrange import desired, eventually, pod, start, used, wait_until_enforced, wait_until_furnished

MERGE = "application/merge-patch+json"
SCOPE = {"scopeName": "PriorityClass", "operator": "In", "values": list(CRITICAL_CLASSES)}


@pytest.fixture
def govern(portal, admin, home):
    """Carries out the quota step for a template, in a namespace of ours; the facts of the environment."""

    def make(hard: dict[str, str], **admission) -> Desired:
        wanted = desired(home, spec=template_spec.parse({"quota": hard, "admission": admission}))
        portal.apply(manifests.namespace(wanted))
        wait_until_furnished(admin, home)
        policies.ensure_quota(context(portal, wanted))
        wait_until_enforced(admin, home, manifests.QUOTA)
        wait_until_enforced(admin, home, CRITICAL_QUOTA)
        return wanted

    return make


def context(portal, wanted: Desired) -> Context:
    return Context(desired=wanted, cluster=portal, directory=LocalClient(0), naming=Naming())


def critical(namespace: str, name: str, priority_class: str) -> dict:
    made = pod(namespace, name)
    made["spec"]["priorityClassName"] = priority_class
    return made


@pytest.mark.parametrize("priority_class", CRITICAL_CLASSES)
def test_a_critical_pod_is_refused_and_others_start(govern, admin, home, priority_class):
    govern({"pods": "3"})
    with pytest.raises(PermanentError) as caught:
        admin.create(critical(home, "evil", priority_class))
    assert caught.value.message.endswith(
        f"exceeded quota: {CRITICAL_QUOTA}, requested: pods=1, used: pods=0, limited: pods=0"
    )
    start(admin, pod(home, "web"))
    eventually(lambda: used(admin, home, "pods", manifests.QUOTA) == "1", "the pod is counted")
    assert used(admin, home, "pods", CRITICAL_QUOTA) == "0"


def test_what_the_template_permits_is_not_refused(govern, admin, home):
    govern({"pods": "3"}, priority_classes=["system-cluster-critical"])
    start(admin, critical(home, "agent", "system-cluster-critical"))
    with pytest.raises(PermanentError, match=f"exceeded quota: {CRITICAL_QUOTA}"):
        admin.create(critical(home, "evil", "system-node-critical"))


def test_a_template_that_permits_both_changes_the_quota_in_place(govern, admin, portal, home):
    wanted = govern({"pods": "3"})
    spec = template_spec.parse({"quota": {"pods": "3"}, "admission": {"priority_classes": [*CRITICAL_CLASSES]}})
    for guards_pods in (False, True):  # an earlier quota may be left on a cluster with the policy, too
        policies.ensure_quota(context(portal, replace(wanted, spec=spec, guards_pods=guards_pods)))
        live = wait_until_enforced(admin, home, CRITICAL_QUOTA)
        assert live["spec"] == {"hard": {"pods": "3"}, "scopeSelector": {"matchExpressions": [SCOPE]}}
    start(admin, critical(home, "agent", "system-node-critical"))
    eventually(lambda: used(admin, home, "pods", CRITICAL_QUOTA) == "1", "the pod is counted")


@pytest.mark.parametrize(
    "patch",
    [
        {"hard": {"pods": "5"}},
        {"hard": {"pods": None, "count/pods": "0"}},
        {"hard": {"requests.cpu": "1"}},
        {"scopeSelector": {"matchExpressions": [SCOPE | {"values": ["system-node-critical"]}]}},
        {"scopeSelector": {"matchExpressions": [SCOPE, {"scopeName": "BestEffort", "operator": "Exists"}]}},
        {"scopeSelector": None},
    ],
    ids=str,
)
def test_it_is_compared_whole_and_put_back(govern, portal, admin, raw_admin, home, patch):
    wanted = govern({"pods": "3"})
    path = f"/api/v1/namespaces/{home}/resourcequotas/{CRITICAL_QUOTA}"
    status, live = raw_admin("PATCH", path, {"spec": patch}, MERGE)
    assert status in (200, 422), live  # a scope takes not every resource
    manifest = manifests.critical_quota(wanted)
    assert manifest is not None
    if status == 200:
        assert differences(manifest, live, wanted.label_domain)
        policies.ensure_quota(context(portal, wanted))
        assert differences(manifest, admin.get("ResourceQuota", CRITICAL_QUOTA, home), wanted.label_domain) == []


def test_it_is_not_taken_for_a_quota_of_others(govern, portal):
    wanted = govern({"pods": "3"})
    outcome = eventually(
        lambda: found if (found := counting.ensure(context(portal, wanted))).wait is None else None, "it is counted"
    )
    assert outcome.message == "The cluster counts all 1 resources"


def test_beside_the_policy_none_is_made(portal, admin, home):
    wanted = desired(home, guards_pods=True)
    portal.apply(manifests.namespace(wanted))
    policies.ensure_quota(context(portal, wanted))
    assert [each["metadata"]["name"] for each in admin.list_objects("ResourceQuota", home)] == [manifests.QUOTA]
