"""Both reference templates as our data: every object, field by field; the mended points are the only differences."""

from datetime import timedelta

import pytest
import time_machine

from environments import spec
from environments.catalog.files import read
from environments.kube import manifests
from environments.kube.differing import differences
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Environment
from environments.reconcile import desired
from environments.routine import observe
from environments.spec import Mode
from environments.web.forms import RequestForm
from tests import reference
from tests.arranging import settle
from tests.reference import CHOICES, CHOICES_101, CHOICES_102, COUNTED, MENDED, Choice, values
from tests.templates import publish

pytestmark = pytest.mark.django_db

LIMITS = {
    "default": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
    "defaultRequest": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "100Mi"},
}
DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
CRITICAL = ["system-cluster-critical", "system-node-critical"]
NO_CRITICAL_PODS = {
    "hard": {"pods": "0"},
    "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": CRITICAL}]},
}
MORE = (*COUNTED, "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.amd.com/gpu")
EVERY_POD = {"podSelector": {}}


@pytest.fixture
def request_choice(client, people, place, local_directory):
    """Have Dana request a choice through the form, with Theo as a developer, and carry it out."""

    def request(choice: Choice) -> Environment:
        publish(read(SEEDS / f"{choice.template}.yaml"))
        client.force_login(people[0])
        form = client.get(f"/catalog/{choice.template}/request/").context["form"]
        data = {
            "key": form["key"].value(),
            "version": form["version"].value(),
            "name": "Checkout",
            "cluster": place.pk,
            "collaborators": "theo@example.com",
            "collaborator_role": "developer",
            "size": choice.size,
        } | {f"p_{name}": value for name, value in choice.parameters}
        answer = client.post(f"/catalog/{choice.template}/request/", data)
        assert answer.status_code == 302, answer.context["form"].errors
        return settle(Environment.objects.get())

    return request


def differing(one: dict[str, str], two: dict[str, str]) -> set[str]:
    """The resources that two quotas do not agree on, by value."""
    before, after = values(one), values(two)
    return {name for name in before | after if before.get(name) != after.get(name)}


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_quota_is_the_references_but_for_what_was_mended(choice):
    template = read(SEEDS / f"{choice.template}.yaml").spec
    hard = spec.render_quota(template, choice.size, dict(choice.parameters))
    mended = {item.what for item in MENDED if item.template in (choice.template, "both")}
    assert differing(hard, choice.reference_quota) <= mended
    assert values(hard) == values(choice.quota)


def test_what_was_mended_in_the_quota_differs_somewhere():
    changed = set()
    for choice in CHOICES:
        changed |= {(choice.template, name) for name in differing(choice.quota, choice.reference_quota)}
    assert changed == {
        ("namespace", "limits.cpu"),
        ("namespace", "limits.memory"),
        ("namespace", "requests.storage"),
        ("gpu-namespace", "requests.nvidia.com/gpu"),
        ("namespace", "requests.nvidia.com/gpu"),
        *((template, what) for template in ("namespace", "gpu-namespace") for what in MORE),
    }


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_object_is_exactly_this(choice, request_choice, world):
    environment = request_choice(choice)
    assert environment.phase == Phase.READY
    wanted = {
        ("Namespace", environment.namespace): None,
        ("ResourceQuota", "environment-quota"): {"hard": choice.quota},
        ("ResourceQuota", "environment-critical-pods"): NO_CRITICAL_PODS,
        ("LimitRange", "environment-limits"): {"limits": [{"type": "Container"} | LIMITS]},
        ("NetworkPolicy", "deny-all"): reference.DENY_ALL,
        ("NetworkPolicy", "allow-dns"): _allow_dns(),
        ("RoleBinding", "environment-admin"): None,
        ("RoleBinding", "environment-developer"): None,
    }
    made = manifests.all_manifests(desired.desired_with_bindings(environment))
    assert {(item["kind"], item["metadata"]["name"]): item.get("spec") for item in made} == wanted
    live = world(environment)
    assert live.keys() == wanted.keys()
    for manifest in made:  # what the cluster has says the same, field by field
        there = live[manifest["kind"], manifest["metadata"]["name"]]
        assert differences(manifest, there, "allotment.internal") == []
    _check_namespace(environment, live["Namespace", environment.namespace])
    _check_bindings(environment, live)


def _allow_dns() -> dict:
    kube_system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    return EVERY_POD | {"policyTypes": ["Egress"], "egress": [{"to": [kube_system], "ports": DNS_PORTS}]}


def _check_namespace(environment: Environment, live: dict) -> None:
    labels, template = live["metadata"]["labels"], environment.version.template.slug
    ours = {
        "app.kubernetes.io/managed-by": "allotment",
        "allotment.internal/environment": str(environment.pk),
        "allotment.internal/template": template,
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    assert labels == ours | {"kubernetes.io/metadata.name": environment.namespace}
    assert live["metadata"]["annotations"] == {
        "allotment.internal/owner": "dana@example.com",
        "allotment.internal/name": "Checkout",
        "allotment.internal/purpose": "",
        "allotment.internal/extended-resources": "amd.com/gpu,nvidia.com/gpu",
    }
    assert environment.namespace.startswith("dana-checkout-")


def _check_bindings(environment: Environment, live: dict) -> None:
    """A group for each role, bound to the portal's ClusterRole; requester and collaborator are members."""
    for role, email in ((Role.ADMIN, "dana@example.com"), (Role.DEVELOPER, "theo@example.com")):
        binding = live["RoleBinding", f"environment-{role.value}"]
        assert binding["roleRef"]["name"] == f"environment-{role.value}"
        subjects = {(item["kind"], item["name"]) for item in binding["subjects"]}
        assert subjects == {("Group", f"{environment.namespace}-{role.value}"), ("User", email)}
        member = environment.members.get(email=email)
        assert (member.role, member.in_group, member.bound, member.allowed) == (role, True, True, True)


def test_the_first_template_asks_what_the_reference_asks():
    document = read(SEEDS / "namespace.yaml")
    assert (document.template.name, document.template.category) == ("Namespace as a Service", "Developer Productivity")
    asked = {parameter.name: parameter for parameter in document.spec.parameters}
    assert asked.keys() == reference.PARAMETERS_101.keys()
    for name, (choices, default) in reference.PARAMETERS_101.items():
        parameter = asked[name]
        assert parameter.default == default
        assert (parameter.choices or (parameter.default,)) == choices
        assert parameter.mode is (Mode.FIXED if name == "network_policy" else Mode.RESTRICTED)
    assert asked["cpu"].required
    assert asked["memory"].required


def test_the_form_asks_for_cluster_and_collaborators_and_knows_who_asks(place, people):
    form = RequestForm(people[0], publish(read(SEEDS / "namespace.yaml")))
    assert {"p_cpu", "p_memory", "cluster", "collaborators", "collaborator_role"} <= form.fields.keys()
    assert not {"p_network_policy", "username", "user_type"} & form.fields.keys()  # fixed, and from who is signed in


def test_the_second_template_begins_with_the_references_size(place, people):
    form = RequestForm(people[0], publish(read(SEEDS / "gpu-namespace.yaml")))
    assert [size.name for size in form.sizes] == list(reference.SIZES_102)
    assert form.fields["size"].initial == reference.DEFAULT_SIZE_102


@pytest.mark.parametrize("value", ["3000m", "8", "0", "lots"])
def test_what_the_reference_does_not_offer_cannot_be_asked_for(value, client, place, people, local_directory):
    publish(read(SEEDS / "namespace.yaml"))
    client.force_login(people[0])
    form = client.get("/catalog/namespace/request/").context["form"]
    data = {"key": form["key"].value(), "version": form["version"].value(), "name": "x", "cluster": place.pk}
    answer = client.post("/catalog/namespace/request/", data | {"p_cpu": value, "p_memory": "1024Mi"})
    assert answer.status_code == 422
    assert "p_cpu" in answer.context["form"].errors
    assert not Environment.objects.exists()


@pytest.mark.parametrize(("choice", "days"), [(CHOICES_101[0], 90), (CHOICES_102[0], 14)], ids=str)
def test_both_have_an_end_and_can_be_extended(choice, days, request_choice):
    environment = request_choice(choice)
    assert (environment.ends_at - environment.created_at).days == days
    assert environment.extended_end() is None  # not yet
    with time_machine.travel(environment.ends_at - timedelta(days=5)):
        assert environment.extended_end() > environment.ends_at


@pytest.mark.parametrize("choice", [CHOICES_101[0], CHOICES_102[-1]], ids=str)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ResourceQuota", "environment-quota"),
        ("ResourceQuota", "environment-critical-pods"),
        ("LimitRange", "environment-limits"),
        ("NetworkPolicy", "deny-all"),
        ("NetworkPolicy", "allow-dns"),
        ("RoleBinding", "environment-admin"),
    ],
)
def test_both_put_back_what_was_taken_away_by_hand(choice, kind, name, request_choice, admin, world, place):
    environment = request_choice(choice)
    admin.delete(kind, name, environment.namespace)
    observe.observe(place.pk)
    environment.refresh_from_db()
    settle(environment)
    assert (kind, name) in world(environment)
    assert environment.phase == Phase.READY
