"""What differs on a cluster, from the pass that finds it to the repair: changed by hand, by the cluster, by others."""

import json
import secrets

import pytest
from django.utils import timezone

from environments import actions
from environments.catalog.files import read
from environments.kube.kinds import RESOURCES
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import notices, observe
from tests.arranging import settle
from tests.contract.arrange import eventually, limit_range, namespace, quota
from tests.templates import publish

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MERGE = "application/merge-patch+json"

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(cluster_endpoint, settings):
    settings.LABEL_DOMAIN = "mutated.example"  # of its own: the cluster is shared
    way = cluster_endpoint.portal
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    trust = {"certificate_authority": way.certificate_authority}
    return Cluster.objects.create(slug="here", name="Here", server=way.server, credential=way.credential, **trust)


@pytest.fixture
def environment(place, admin):
    """An environment of Dana's that is ready."""
    dana = User.objects.create(username="dana", email="dana@example.com")
    draft = actions.Draft(
        version=publish(read(SEEDS / "namespace.yaml")),
        name="shop",
        cluster=place,
        parameters={"cpu": "1000m", "memory": "1024Mi"},
    )
    made = settle(actions.request_environment(dana, draft))
    assert made.phase == Phase.READY, list(made.conditions.values_list("type", "status", "message"))
    yield made
    admin.delete("Namespace", made.namespace)


@pytest.fixture
def mutate(cluster_endpoint, raw_admin, environment):
    """Let the cluster set a field of every object of a kind in the environment's namespace, from now on."""
    name = f"mutate-{secrets.token_hex(4)}"
    policies, bindings = f"{ADMISSION}/mutatingadmissionpolicies", f"{ADMISSION}/mutatingadmissionpolicybindings"

    def begin(kind: str, path: tuple[str, ...], value) -> None:
        if cluster_endpoint.mutations is not None:
            cluster_endpoint.mutations.add(kind, path, value, environment.namespace)
            return
        for where, body in (
            (policies, policy(name, environment.namespace, kind, path, value)),
            (bindings, bound(name)),
        ):
            status, answer = raw_admin("POST", where, body)
            assert status == 201, answer

    yield begin
    if cluster_endpoint.mutations is not None:
        cluster_endpoint.mutations.clear()
    else:
        raw_admin("DELETE", f"{bindings}/{name}")
        raw_admin("DELETE", f"{policies}/{name}")


def policy(name: str, where: str, kind: str, path: tuple[str, ...], value) -> dict:
    resource = RESOURCES[kind]
    pointer = "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in path)
    patch = f'[JSONPatch{{op: "add", path: {json.dumps(pointer)}, value: {json.dumps(value)}}}]'
    rule = {
        "apiGroups": [resource.group],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [resource.plural],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": where}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
            "reinvocationPolicy": "Never",
            "failurePolicy": "Fail",
        },
    }


def bound(name: str) -> dict:
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding"}
    return kind | {"metadata": {"name": name}, "spec": {"policyName": name}}


def in_force(portal, manifest: dict, look) -> None:
    """Wait until the API server changes what is applied."""
    eventually(lambda: look(portal.apply(manifest, dry_run=True)), "the policy is in force")


def again(environment: Environment) -> Environment:
    """A full reconcile, as it comes every few hours."""
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    return settle(environment)


def test_a_smaller_quota_is_told_once_shown_and_left(environment, mutate, portal, admin, place):
    Cluster.objects.update(admission_state=Cluster.AdmissionState.INSTALLED)  # no quota of critical pods
    mutate("ResourceQuota", ("spec", "hard", "pods"), "7")
    probe = quota(environment.namespace, {"pods": "3"}, name="probe")
    in_force(portal, probe, lambda answer: answer["spec"]["hard"]["pods"] == "7")
    admin.delete("ResourceQuota", "environment-quota", environment.namespace)  # what is as wanted is not applied again
    for _ in range(3):
        assert again(environment).phase == Phase.READY
        assert observe.observe(place.pk) == []
    environment.refresh_from_db()
    (entry,) = environment.drift
    shown = entry["kind"], entry["field"], entry["wanted"], entry["found"], entry["cause"], entry["loosens"]
    assert shown == ("ResourceQuota", "spec.hard.pods", "30", "7", "cluster", False)
    event = environment.events.get(kind=Activity.CHANGED_BY_CLUSTER)
    assert "ResourceQuota environment-quota: spec.hard.pods is 7" in event.message
    assert not event.notice_owed
    assert not environment.events.filter(kind__in=(Activity.CHANGED_BY_HAND, Activity.REPAIRED)).exists()
    live = admin.get("ResourceQuota", "environment-quota", environment.namespace)
    live["spec"]["hard"]["services"] = "500"  # the rest of the quota is still defended
    admin._request("PUT", f"/api/v1/namespaces/{environment.namespace}/resourcequotas/environment-quota", body=live)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert [entry["cause"] for entry in environment.drift] == ["cluster"]


def test_a_cluster_that_lets_critical_pods_in_is_not_ready(environment, mutate, portal, admin):
    mutate("ResourceQuota", ("spec", "hard", "pods"), "7")
    probe = quota(environment.namespace, {"pods": "3"}, name="probe")
    in_force(portal, probe, lambda answer: answer["spec"]["hard"]["pods"] == "7")
    admin.delete("ResourceQuota", "environment-critical-pods", environment.namespace)
    assert again(environment).phase == Phase.FAILED
    message = environment.conditions.get(type="Quota").message
    assert "ResourceQuota environment-critical-pods: spec.hard.pods is 7, not 0" in message


def test_an_opened_network_policy_is_not_ready_and_admins_hear_of_it(
    environment, mutate, portal, admin, place, mailoutbox
):
    User.objects.create(username="ada", email="ada@example.com", is_superuser=True, is_staff=True)
    mutate("NetworkPolicy", ("spec", "ingress"), [{}])
    probe = namespace("probe") | {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1"}
    probe |= {"metadata": {"name": "probe", "namespace": environment.namespace}}
    probe |= {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    in_force(portal, probe, lambda answer: answer["spec"].get("ingress") == [{}])
    admin.delete("NetworkPolicy", "deny-all", environment.namespace)
    assert again(environment).phase == Phase.FAILED
    network = environment.conditions.get(type="NetworkPolicy")
    assert (network.status, network.reason) == ("Failed", "ChangedByCluster")
    assert "the limits of this environment do not hold" in network.message
    assert "NetworkPolicy deny-all: spec.ingress was added ([{}])" in network.message
    event = environment.events.get(kind=Activity.CHANGED_BY_CLUSTER)
    assert again(environment).events.filter(kind=Activity.CHANGED_BY_CLUSTER).count() == 1
    notices.deliver(event.pk)
    (message,) = mailoutbox
    assert message.to == ["ada@example.com"]
    assert "loosens the limits" in message.subject
    assert "NetworkPolicy deny-all: spec.ingress is [{}], wanted not set" in message.body


def test_defaults_that_the_cluster_changes_loosen_nothing(environment, mutate, portal, admin, place):
    mutate("LimitRange", ("spec", "limits", "0", "default", "cpu"), "900m")
    probe = limit_range(environment.namespace, default={"cpu": "400m"})
    probe["metadata"]["name"] = "probe"
    in_force(portal, probe, lambda answer: answer["spec"]["limits"][0]["default"]["cpu"] == "900m")
    admin.delete("LimitRange", "environment-limits", environment.namespace)
    assert again(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []
    assert [entry["field"] for entry in environment.drift] == ["spec.limits[0].default.cpu"]


DENY_ALL = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/deny-all?fieldManager=kubectl-patch"


def test_a_policy_opened_by_hand_is_found_with_its_author_and_closed(environment, raw_admin, admin, place):
    assert observe.observe(place.pk) == []
    opened = {"spec": {"ingress": [{}], "egress": [{}]}}
    assert raw_admin("PATCH", DENY_ALL.format(environment.namespace), opened, MERGE)[0] == 200
    assert observe.observe(place.pk) == [str(environment.pk)]
    environment.refresh_from_db()
    assert environment.phase == Phase.DEGRADED
    event = environment.events.get(kind=Activity.CHANGED_BY_HAND)
    assert event.data["drift"] == environment.drift
    found = [(each["field"], each["found"], each["manager"], each["loosens"]) for each in environment.drift]
    assert found == [
        ("spec.ingress", "[{}]", "kubectl-patch", True),
        ("spec.egress", "[{}]", "kubectl-patch", True),
    ]
    assert observe.observe(place.pk) == [str(environment.pk)]  # not repaired yet, and told already
    assert environment.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 1
    assert settle(environment).phase == Phase.READY
    live = admin.get("NetworkPolicy", "deny-all", environment.namespace)
    assert live["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert (environment.drift, observe.observe(place.pk)) == ([], [])


def test_a_binding_with_another_role_is_found_and_made_again(environment, admin, place):
    live = admin.get("RoleBinding", "environment-admin", environment.namespace)
    admin.delete("RoleBinding", "environment-admin", environment.namespace)
    other = {key: live["metadata"][key] for key in ("name", "namespace", "labels")}
    admin.create(live | {"metadata": other, "roleRef": live["roleRef"] | {"name": "environment-viewer"}})
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    again = admin.get("RoleBinding", "environment-admin", environment.namespace)
    assert (again["roleRef"], again["subjects"]) == (live["roleRef"], live["subjects"])
    notes = environment.events.filter(kind=Activity.REPAIRED).values_list("message", flat=True)
    assert any("had another role (ClusterRole environment-viewer)" in note for note in notes)
    assert observe.observe(place.pk) == []


def test_a_policy_of_others_is_named_and_isolated_is_not_said(environment, admin):
    def network():
        return again(environment).conditions.get(type="NetworkPolicy")

    assert network().message == "All traffic is blocked, except: DNS"
    theirs = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    where = {"namespace": environment.namespace}
    admin.create(theirs | {"metadata": where | {"name": "shut"}, "spec": {"podSelector": {}}})
    assert network().reason == "Done"  # without rules it opens nothing
    opened = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    admin.create(theirs | {"metadata": where | {"name": "open-all"}, "spec": opened})
    found = network()
    assert (found.status, found.reason) == ("Done", "OpenedByOthers")
    assert "NetworkPolicy open-all" in found.message
    assert "blocked" not in found.message
    assert admin.get("NetworkPolicy", "open-all", environment.namespace) is not None
    admin.delete("NetworkPolicy", "open-all", environment.namespace)
    assert network().reason == "Done"
