"""What governs a namespace is compared, and repaired, whole: also what somebody added, and what admission changes."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.kube import manifests
from environments.kube.client import ClusterClient, Manifest
from environments.kube.differing import attributed, differences
from environments.lib.errors import PermanentError
from environments.reconcile.steps.applying import govern
from environments.reconcile.steps.base import Context, Naming
from tests.contract.arrange import APPLY, desired

MERGE = "application/merge-patch+json"
QUOTA, LIMITS = "resourcequotas/environment-quota", "limitranges/environment-limits"
POLICY = "networkpolicies"


@pytest.fixture
def context(portal, new_name) -> Context:
    """A context as the steps get one, for an environment whose objects were made."""
    found = Context(desired(new_name), portal, None, Naming())
    assert govern(found, manifests.all_manifests(found.desired)).altered
    return found


def everything(context: Context) -> list[Manifest]:
    return manifests.all_manifests(context.desired)


def drift(context: Context, admin: ClusterClient) -> list[str]:
    """What differs on the cluster, as the pass sees it."""
    lines = []
    for wanted in everything(context):
        metadata = wanted["metadata"]
        live = admin.get(wanted["kind"], metadata["name"], metadata.get("namespace", ""))
        lines += [str(each) for each in differences(wanted, live, context.desired.label_domain)]
    return lines


def path_of(context: Context, what: str) -> str:
    group = {"networkpolicies": "apis/networking.k8s.io/v1", "rolebindings": "apis/rbac.authorization.k8s.io/v1"}
    if what == "namespace":
        return f"/api/v1/namespaces/{context.desired.namespace}"
    return f"/{group.get(what.partition('/')[0], 'api/v1')}/namespaces/{context.desired.namespace}/{what}"


def test_what_was_applied_is_found_as_it_was_wanted(context, admin):
    assert drift(context, admin) == []


def test_applying_again_writes_nothing_and_finds_nothing(context, admin):
    def state():
        found = {}
        for each in everything(context):
            live = admin.get(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace", ""))
            own = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] == "allotment"]
            found[manifests.key(each)] = own
        return found

    before = state()
    facts = govern(context, everything(context))
    assert state() == before
    assert set(facts.altered.values()) == {()}


ADDED = [
    pytest.param("networkpolicies/deny-all", {"spec": {"ingress": [{}], "egress": [{}]}},
                 ["NetworkPolicy deny-all: spec.ingress was added ([{}])",
                  "NetworkPolicy deny-all: spec.egress was added ([{}])"], id="open rules"),
    pytest.param("networkpolicies/deny-all", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
                 ['NetworkPolicy deny-all: spec.podSelector.matchLabels was added ({"a": "b"})'], id="pod selector"),
    pytest.param("networkpolicies/allow-dns", {"spec": {"ingress": [{}], "policyTypes": ["Egress", "Ingress"]}},
                 ['NetworkPolicy allow-dns: spec.policyTypes is ["Egress", "Ingress"], not ["Egress"]',
                  "NetworkPolicy allow-dns: spec.ingress was added ([{}])"], id="another side"),
    pytest.param(QUOTA, {"spec": {"hard": {"services": "2"}}},
                 ["ResourceQuota environment-quota: spec.hard.services was added (2)"], id="quota key"),
    pytest.param(QUOTA, {"spec": {"hard": {"pods": None}}},
                 ["ResourceQuota environment-quota: spec.hard.pods is missing, not 3"], id="quota key gone"),
    pytest.param(LIMITS, {"spec": {"limits": [{"type": "Container", "min": {"cpu": "1m"},
                                               "default": {"cpu": "200m", "memory": "128Mi"},
                                               "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
                                               "max": {"memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "4"}}]}},
                 ['LimitRange environment-limits: spec.limits[0].min was added ({"cpu": "1m"})',
                  'LimitRange environment-limits: spec.limits[0].maxLimitRequestRatio was added ({"cpu": "4"})'],
                 id="limit minimum and ratio"),
    pytest.param("namespace", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce-version": "v1.20"}}},
                 ["metadata.labels.pod-security.kubernetes.io/enforce-version was added (v1.20)"], id="pod security"),
    pytest.param("rolebindings/environment-admin", {"metadata": {"labels": {"example.org/extra": "true"}}},
                 ["RoleBinding environment-admin: metadata.labels.example.org/extra was added (true)"], id="our label"),
    pytest.param("rolebindings/environment-admin", {"subjects": [{"kind": "Group", "name": "everybody",
                                                    "apiGroup": "rbac.authorization.k8s.io"}]},
                 ["RoleBinding environment-admin: subjects is "], id="subjects"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "patch", "lines"), ADDED)
def test_what_was_added_is_seen_and_removed(context, admin, raw_admin, what, patch, lines):
    status, answer = raw_admin("PATCH", f"{path_of(context, what)}?fieldManager=kubectl-patch", patch, MERGE)
    assert status == 200, answer
    found = drift(context, admin)
    assert len(found) == len(lines)
    assert all(line in one for line, one in zip(lines, found, strict=True)), found
    facts = govern(context, everything(context))
    assert drift(context, admin) == []
    assert set(facts.altered.values()) == {()}


def test_an_applied_empty_list_takes_a_list_from_who_filled_it(context, admin, raw_admin, raw):
    path = path_of(context, "networkpolicies/deny-all")
    opened = {"spec": {"ingress": [{}], "egress": [{}]}}
    assert raw_admin("PATCH", f"{path}?fieldManager=kubectl-patch", opened, MERGE)[0] == 200
    deny_all = next(each for each in everything(context) if each["metadata"]["name"] == "deny-all")
    deny_all["spec"] |= {"ingress": [], "egress": []}
    status, answer = raw("PATCH", f"{path}?fieldManager=somebody", deny_all, APPLY)
    assert (status, answer["reason"]) == (409, "Conflict")
    fields = [cause["field"] for cause in answer["details"]["causes"] if "kubectl-patch" in cause["message"]]
    assert sorted(fields) == [".spec.egress", ".spec.ingress"]
    assert context.cluster.apply(deny_all)["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert owners(admin, context) == {("allotment", "Apply")}


def test_who_opened_a_policy_owns_nothing_of_it_afterwards(context, admin, raw_admin):
    path = path_of(context, "networkpolicies/deny-all")
    opened = {"spec": {"ingress": [{}], "egress": [{}]}}
    assert raw_admin("PATCH", f"{path}?fieldManager=kubectl-patch", opened, MERGE)[0] == 200
    assert ("kubectl-patch", "Update") in owners(admin, context)
    govern(context, everything(context))
    assert owners(admin, context) == {("allotment", "Apply")}


def owners(admin: ClusterClient, context: Context) -> set[tuple[str, str]]:
    managers = admin.get("NetworkPolicy", "deny-all", context.desired.namespace)["metadata"]["managedFields"]
    return {(each["manager"], each["operation"]) for each in managers}


def test_a_quota_key_that_another_manager_applies_too_is_removed(context, admin):
    wanted = manifests.resource_quota(context.desired)
    theirs = wanted | {"spec": {"hard": {"services": "2"}}}
    more = wanted | {"spec": {"hard": wanted["spec"]["hard"] | {"services": "2"}}}
    context.cluster.apply(more)  # as an older version of the template had it
    admin.apply(theirs)
    facts = govern(context, [wanted])
    assert facts.altered == {"ResourceQuota/environment-quota": ()}
    live = admin.get("ResourceQuota", "environment-quota", context.desired.namespace)
    assert live["spec"]["hard"].keys() == wanted["spec"]["hard"].keys()


def test_scopes_that_cannot_be_removed_fail_with_what_to_do(context, admin):
    """A quota that counts only pods with a deadline counts nearly nothing. The API server lets nobody change that."""
    wanted = manifests.resource_quota(context.desired)
    admin.delete("ResourceQuota", "environment-quota", context.desired.namespace)
    hard = {key: amount for key, amount in wanted["spec"]["hard"].items() if key != "configmaps"}
    admin.create(wanted | {"spec": {"hard": hard, "scopes": ["Terminating"]}})
    assert 'spec.scopes was added (["Terminating"])' in " ".join(drift(context, admin))
    with pytest.raises(PermanentError) as error:
        govern(context, [wanted | {"spec": {"hard": hard}}])
    assert error.value.reason == "Unremovable"
    assert error.value.message.startswith(
        "Someone added fields to the ResourceQuota environment-quota that the portal cannot remove (spec.scopes). "
        "A cluster admin must delete it; the portal then creates it again. The cluster says: "
    )
    assert error.value.message.endswith("spec.scopes: Invalid value: null: field is immutable")
    admin.delete("ResourceQuota", "environment-quota", context.desired.namespace)
    govern(context, [wanted])
    assert drift(context, admin) == []


def test_a_binding_with_another_role_is_made_again_and_noted(context, admin):
    wanted = next(each for each in everything(context) if each["kind"] == "RoleBinding")
    first = admin.get("RoleBinding", "environment-admin", context.desired.namespace)
    admin.delete("RoleBinding", "environment-admin", context.desired.namespace)
    admin.create(wanted | {"roleRef": wanted["roleRef"] | {"name": "environment-viewer"}})
    assert drift(context, admin) == [
        "RoleBinding environment-admin: roleRef.name is environment-viewer, not environment-admin"
    ]
    facts = govern(context, [wanted])
    assert facts.notes == (
        "The role binding environment-admin had another role (ClusterRole environment-viewer). "
        "The portal deleted it and created it again.",
    )
    live = admin.get("RoleBinding", "environment-admin", context.desired.namespace)
    assert live["roleRef"] == wanted["roleRef"]
    assert live["metadata"]["uid"] != first["metadata"]["uid"]
    assert govern(context, [wanted]).notes == ()


def test_the_cluster_says_who_changed_a_field_and_when(context, admin, raw_admin):
    path = path_of(context, QUOTA)
    assert raw_admin("PATCH", f"{path}?fieldManager=kubectl-edit", {"spec": {"hard": {"pods": "9"}}}, MERGE)[0] == 200
    live = admin.get("ResourceQuota", "environment-quota", context.desired.namespace)
    wanted = manifests.resource_quota(context.desired)
    (found,) = (attributed(each, live) for each in differences(wanted, live, context.desired.label_domain))
    assert (found.field, found.wanted, found.found, found.manager) == ("spec.hard.pods", "3", "9", "kubectl-edit")
    assert datetime.now(UTC) - datetime.fromisoformat(found.since) < timedelta(minutes=2)


def test_labels_and_annotations_of_others_stay(context, admin, raw_admin):
    theirs = {"metadata": {"labels": {"backup": "daily"}, "annotations": {"note": "x"}}}
    for what in ("namespace", QUOTA, f"{POLICY}/deny-all"):
        assert raw_admin("PATCH", path_of(context, what), theirs, MERGE)[0] == 200
    assert drift(context, admin) == []
    govern(context, everything(context))
    policy = admin.get("NetworkPolicy", "deny-all", context.desired.namespace)
    assert policy["metadata"]["labels"]["backup"] == "daily"
    assert policy["metadata"]["annotations"] == {"note": "x"}
