"""deploy/admission on a real API server: nobody undoes isolation, quota or access, and nobody else is held up."""

import json
import secrets

import pytest
from django.utils import timezone

from environments import actions
from environments.catalog.files import read
from environments.kube import admission, manifests
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import observe
from tests.arranging import settle
from tests.contract.arrange import (
    APPLY,
    eventually,
    namespace,
    pod,
    quota,
    real,
    role_binding,
    start,
    used,
)
from tests.contract.somebody import ADMISSION, Somebody, denied, install
from tests.reference import WEB_PREVIEW
from tests.templates import publish

DOMAIN = "fenced.example"
GLASS = "platform-emergency"
ENVIRONMENT = f"{DOMAIN}/environment"
MERGE = "application/merge-patch+json"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"

pytestmark = [pytest.mark.django_db, pytest.mark.real_cluster]


@pytest.fixture(scope="module")
def fence():
    """A cluster with the policies, in force; of its own, because other tests change the portal's objects by hand."""
    with real() as endpoint:
        install(endpoint, label_domain=DOMAIN, break_glass=GLASS)
        yield endpoint


@pytest.fixture
def new_name(fence):
    """A namespace name that nobody has, on the real cluster alone."""
    name = f"contract-{secrets.token_hex(4)}"
    yield name
    fence.admin_client().delete("Namespace", name)


@pytest.fixture
def place(fence, settings):
    settings.LABEL_DOMAIN = DOMAIN
    way = fence.portal
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    return Cluster.objects.create(
        slug="here",
        name="Here",
        server=way.server,
        credential=way.credential,
        certificate_authority=way.certificate_authority,
    )


@pytest.fixture
def collector(fence):
    """The garbage collector, which may: for arranging and tidying up."""
    return Somebody(fence, "system:serviceaccount:kube-system:generic-garbage-collector", "system:masters")


@pytest.fixture
def environment(place, collector, root):
    dana = User.objects.create(username="dana", email="dana@example.com")
    version = publish(read(SEEDS / "web-preview.yaml"))
    made = settle(
        actions.request_environment(
            dana, actions.Draft(version=version, name="shop", cluster=place, parameters=WEB_PREVIEW)
        )
    )
    assert made.phase == Phase.READY, list(made.conditions.values_list("type", "status", "message"))
    path = POLICIES.format(made.namespace) + "?dryRun=All"
    eventually(lambda: denied(root("POST", path, policy("x"))), "the API server knows the namespace by its labels")
    yield made
    collector("DELETE", f"/api/v1/namespaces/{made.namespace}")


@pytest.fixture
def root(fence):
    """Somebody with a key to everything."""
    return Somebody(fence, "root", "system:masters")


@pytest.fixture
def owner(fence, environment, root):
    """Somebody whom a cluster admin gave Kubernetes' own `admin` role in the namespace."""
    name = environment.namespace
    binding = role_binding(name, "admin", ("User", "dana@example.com"), name="given-by-hand")
    status, answer = root("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings", binding)
    assert status == 201, answer
    someone = Somebody(fence, "dana@example.com")
    path = POLICIES.format(name)
    eventually(lambda: someone("GET", path)[0] == 200, "the role is bound")
    return someone


def restricted(manifest):
    """A pod as the Pod Security level `restricted` wants it."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    manifest["spec"]["containers"][0]["securityContext"] = context
    manifest["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return manifest


def policy(name: str, **metadata):
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name} | metadata}
    return body | {"spec": spec}


def test_the_portal_carries_an_environment_through_its_whole_life_behind_the_fence(
    environment, place, collector, root, fence
):
    name = environment.namespace
    admin = fence.admin_client()
    # Quotas are counted.
    pods = used(admin, name, "pods", manifests.QUOTA)
    start(admin, restricted(pod(name, "extra", {"cpu": "10m", "memory": "8Mi"}, cpu="10m", memory="8Mi")))
    eventually(lambda: used(admin, name, "pods", manifests.QUOTA) != pods, "the pod is counted")
    # Repaired.
    assert observe.observe(place.pk) == []
    assert collector("DELETE", f"{POLICIES.format(name)}/deny-all")[0] == 200
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert admin.get("NetworkPolicy", "deny-all", name) is not None
    # Moved to a version without objects, and without one of its policies.
    preview = read(SEEDS / "web-preview.yaml")
    change = {"manifests": "", "automount_token": True}
    plain = preview.model_copy(update={"spec": preview.spec.model_copy(update=change)})
    actions.move_environment(environment, publish(plain), environment.owner)
    assert settle(environment).phase == Phase.READY
    # Deleted: the namespace is really gone.
    actions.delete_environment(environment, environment.owner, typed_name="shop")
    settle(environment)
    eventually(lambda: admin.get("Namespace", name) is None, "the control plane finishes the deletion")
    Environment.objects.update(next_reconcile_at=timezone.now())
    assert settle(environment).phase == Phase.DELETED


def attempts(name: str):
    """What somebody tries on the portal's own objects: method, path, body, content type."""
    quotas, limits = f"/api/v1/namespaces/{name}/resourcequotas", f"/api/v1/namespaces/{name}/limitranges"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
    policies = POLICIES.format(name)
    more = quota(name, {"pods": "999"}, manifests.QUOTA)
    return {
        "patch quota": ("PATCH", f"{quotas}/{manifests.QUOTA}", {"spec": {"hard": {"pods": "999"}}}, MERGE),
        "apply quota": ("PATCH", f"{quotas}/{manifests.QUOTA}?fieldManager=me&force=true", more, APPLY),
        "quota status": ("PATCH", f"{quotas}/{manifests.QUOTA}/status", {"status": {"used": {"pods": "0"}}}, MERGE),
        "relabel quota": ("PATCH", f"{quotas}/{manifests.QUOTA}", {"metadata": {"labels": {ENVIRONMENT: None}}}, MERGE),
        "delete quota": ("DELETE", f"{quotas}/{manifests.QUOTA}", None, ""),
        "delete quotas": ("DELETE", quotas, None, ""),
        "delete limits": ("DELETE", f"{limits}/{manifests.LIMITS}", None, ""),
        "patch limits": ("PATCH", f"{limits}/{manifests.LIMITS}", {"spec": {"limits": []}}, MERGE),
        "patch deny-all": ("PATCH", f"{policies}/deny-all", {"spec": {"ingress": [{}]}}, MERGE),
        "annotate deny-all": ("PATCH", f"{policies}/deny-all", {"metadata": {"annotations": {"a": "b"}}}, MERGE),
        "owner of deny-all": (
            "PATCH",
            f"{policies}/deny-all",
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]}},
            MERGE,
        ),
        "apply deny-all": ("PATCH", f"{policies}/deny-all?fieldManager=me&force=true", policy("deny-all"), APPLY),
        "delete deny-all": ("DELETE", f"{policies}/deny-all", None, ""),
        "delete policies": ("DELETE", policies, None, ""),
        "additive policy": ("POST", policies, policy("allow-all"), "application/json"),
        "additive policy, labelled": (
            "POST",
            policies,
            policy("ours", labels={ENVIRONMENT: "x", manifests.MANAGED_BY_LABEL: "allotment"}),
            "application/json",
        ),
        "additive policy, generated": (
            "POST",
            policies,
            policy("") | {"metadata": {"generateName": "a-"}},
            "application/json",
        ),
        "additive policy, applied": ("PATCH", f"{policies}/mine?fieldManager=me&force=true", policy("mine"), APPLY),
        "delete binding": ("DELETE", f"{rbac}/rolebindings/environment-developer", None, ""),
        "patch binding": (
            "PATCH",
            f"{rbac}/rolebindings/environment-developer",
            {"subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]},
            MERGE,
        ),
        "delete bindings": ("DELETE", f"{rbac}/rolebindings?labelSelector={ENVIRONMENT}", None, ""),
        "portal's binding": ("DELETE", f"{rbac}/rolebindings/{manifests.PORTAL_BINDING}", None, ""),
    }


#: What Kubernetes' `admin` role lets somebody do in one namespace; the rest is for cluster admins.
_OWNERS = ("deny-all", "polic", "binding")


@pytest.mark.parametrize("dry_run", [False, True], ids=["really", "dry run"])
def test_whoever_holds_every_right_is_refused_on_every_way(environment, root, dry_run, fence):
    admin = fence.admin_client()
    before = {kind: listed(admin, kind, environment) for kind in ("ResourceQuota", "NetworkPolicy", "RoleBinding")}
    for what, (method, path, body, content_type) in attempts(environment.namespace).items():
        joiner = "&" if "?" in path else "?"
        answer = root(method, path + (f"{joiner}dryRun=All" if dry_run else ""), body, content_type or MERGE)
        assert denied(answer), (what, answer)
    assert {kind: listed(admin, kind, environment) for kind in before} == before


def listed(admin, kind: str, environment) -> dict[str, str]:
    """The objects of a kind: name -> its state (a quota is counted all the time)."""
    return {
        each["metadata"]["name"]: json.dumps(each.get("spec", each.get("subjects")), sort_keys=True)
        for each in admin.list_objects(kind, environment.namespace)
    }


def test_the_owner_of_a_namespace_with_kubernetes_own_admin_role_is_refused(environment, owner):
    tried = 0
    for what, (method, path, body, content_type) in attempts(environment.namespace).items():
        if any(word in what for word in _OWNERS):
            answer = owner(method, path, body, content_type or MERGE)
            assert denied(answer), (what, answer)
            tried += 1
    assert tried > 10
    _, body = owner("POST", POLICIES.format(environment.namespace), policy("allow-all"))
    assert "This namespace is isolated by the portal" in body["message"]


def test_the_owner_may_do_all_that_concerns_nobody_else(environment, owner, root):
    name = environment.namespace
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    assert owner("POST", f"/api/v1/namespaces/{name}/configmaps", config)[0] == 201
    assert owner("DELETE", f"/api/v1/namespaces/{name}/configmaps/mine")[0] == 200
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
    assert owner("POST", rbac, role_binding(name, "view", ("User", "guest"), name="guest"))[0] == 201
    assert owner("DELETE", f"{rbac}/guest")[0] == 200


def test_the_namespace_keeps_its_labels_its_levels_and_its_life(environment, root, fence):
    path = f"/api/v1/namespaces/{environment.namespace}"
    live = fence.admin_client().get("Namespace", environment.namespace)
    tries = {
        "take the label off": {"labels": {ENVIRONMENT: None}},
        "move the label": {"labels": {ENVIRONMENT: "another"}},
        "take managed-by off": {"labels": {manifests.MANAGED_BY_LABEL: None}},
        "another template": {"labels": {f"{DOMAIN}/template": "gpu"}},
        "another of our labels": {"labels": {f"{DOMAIN}/colour": "red"}},
        "privileged": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
        "another owner": {"annotations": {f"{DOMAIN}/owner": "eve@example.com"}},
        "owned by a pod": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]},
    }
    for what, metadata in tries.items():
        for subresource in ("", "/status"):
            answer = root("PATCH", path + subresource, {"metadata": metadata}, MERGE)
            assert denied(answer), (what, subresource, answer)
    assert denied(root("PUT", f"{path}/finalize", live | {"spec": {"finalizers": []}}))
    assert denied(root("DELETE", path))
    bare = namespace(environment.namespace)
    assert denied(root("PUT", path, bare | {"metadata": {"name": environment.namespace}}))
    assert (
        fence.admin_client().get("Namespace", environment.namespace)["metadata"]["labels"] == live["metadata"]["labels"]
    )


def test_others_may_put_labels_and_annotations_of_theirs_on_the_namespace(environment, root):
    path = f"/api/v1/namespaces/{environment.namespace}"
    metadata = {"labels": {"cost-centre": "7"}, "annotations": {"scheduler.example.com/zone": "a"}}
    assert root("PATCH", path, {"metadata": metadata}, MERGE)[0] == 200
    gone = {"labels": {"cost-centre": None}, "annotations": {"scheduler.example.com/zone": None}}
    assert root("PATCH", path, {"metadata": gone}, MERGE)[0] == 200


def test_nobody_makes_a_namespace_pass_for_the_portals(root, new_name):
    labels = {ENVIRONMENT: "6f1c0a52", manifests.MANAGED_BY_LABEL: "allotment"}
    assert denied(root("POST", "/api/v1/namespaces", namespace(new_name, labels=labels)))
    assert root("POST", "/api/v1/namespaces", namespace(new_name))[0] == 201
    answer = root("PATCH", f"/api/v1/namespaces/{new_name}", {"metadata": {"labels": labels}}, MERGE)
    assert denied(answer), answer


def test_a_namespace_that_is_not_the_portals_never_notices(fence, root, new_name):
    assert root("POST", "/api/v1/namespaces", namespace(new_name))[0] == 201
    for what, (method, path, body, content_type) in attempts(new_name).items():
        answer = root(method, path, body, content_type or MERGE)
        bears_our_labels = what == "additive policy, labelled"  # nobody else's do, anywhere
        assert denied(answer, "These labels are the portal's") == bears_our_labels == denied(answer), (what, answer)
    assert root("DELETE", f"/api/v1/namespaces/{new_name}")[0] == 200


def test_a_policy_from_before_may_be_taken_away_but_not_changed(environment, owner, collector):
    path = POLICIES.format(environment.namespace)
    assert collector("POST", path, policy("older"))[0] == 201
    assert denied(owner("PATCH", f"{path}/older", {"spec": {"egress": [{}]}}, MERGE))
    assert owner("DELETE", f"{path}/older")[0] == 200


def test_the_policies_of_other_engines_are_denied_too(environment, root):
    """Where Cilium is installed, its policies add up with Kubernetes' own."""
    group, plural = "cilium.io", "ciliumnetworkpolicies"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": "ciliumnetworkpolicy", "kind": "CiliumNetworkPolicy"},
            "versions": [{"name": "v2", "served": True, "storage": True, "schema": schema}],
        },
    }
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert root("POST", crds, definition)[0] == 201
    try:
        path = f"/apis/{group}/v2/namespaces/{environment.namespace}/{plural}"
        eventually(lambda: root("GET", path)[0] == 200, "the kind is served")
        body = {"apiVersion": f"{group}/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "allow-all"}}
        eventually(lambda: denied(root("POST", f"{path}?dryRun=All", body)), "the policy knows the kind")
    finally:
        root("DELETE", f"{crds}/{plural}.{group}")


def test_only_the_named_accounts_are_exempt_not_every_system_name(environment, fence):
    path = f"{POLICIES.format(environment.namespace)}?dryRun=All"
    for name in (
        "system:serviceaccount:kube-system:deployment-controller",
        "system:serviceaccount:kube-system:portal",
        "system:serviceaccount:allotment:default",
        "system:kube-scheduler",
        "system:node:one",
        "system:serviceaccount:allotment:portal2",
        "SYSTEM:APISERVER",
    ):
        assert denied(Somebody(fence, name, "system:masters")("POST", path, policy("x"))), name
    for name in (admission.PORTAL, *admission.CONTROLLERS):
        assert Somebody(fence, name, "system:masters")("POST", path, policy("x"))[0] == 201, name


def test_every_exempt_controller_is_one_that_the_control_plane_has(fence):
    admin = fence.admin_client()
    for name in admission.CONTROLLERS:
        if name.startswith("system:serviceaccount:"):
            controller = name.rpartition(":")[2]
            assert admin.get("ClusterRole", f"system:controller:{controller}") is not None, name


def test_the_glass_can_be_broken_by_its_group(environment, fence):
    member = Somebody(fence, "ada@example.com", GLASS, "system:masters")
    path = POLICIES.format(environment.namespace)
    assert member("POST", path, policy("emergency"))[0] == 201
    assert member("DELETE", f"{path}/emergency")[0] == 200
    assert (
        member(
            "PATCH",
            f"/api/v1/namespaces/{environment.namespace}",
            {"metadata": {"labels": {f"{DOMAIN}/team": "x"}}},
            MERGE,
        )[0]
        == 200
    )


def test_the_glass_can_be_broken_by_taking_a_binding_away(environment, root, fence):
    path = POLICIES.format(environment.namespace) + "?dryRun=All"
    binding = f"{ADMISSION}/validatingadmissionpolicybindings/allotment-isolation"
    assert denied(root("POST", path, policy("x")))
    assert root("DELETE", binding)[0] == 200
    try:
        eventually(lambda: root("POST", path, policy("x"))[0] == 201, "the policy is not bound any more")
    finally:
        install(fence, label_domain=DOMAIN, break_glass=GLASS)
        eventually(lambda: denied(root("POST", path, policy("x"))), "the policy is bound again")


def test_the_api_server_finds_nothing_wrong_with_the_expressions(fence, root):
    names = [each["metadata"]["name"] for each in admission.documents() if each["kind"] == "ValidatingAdmissionPolicy"]
    assert len(names) > 3
    for name in names:

        def checked(name=name):
            _, found = root("GET", f"{ADMISSION}/validatingadmissionpolicies/{name}")
            status = found.get("status", {})
            return found if status.get("observedGeneration") == found["metadata"]["generation"] else None

        found = eventually(checked, f"{name} is checked")
        assert found["status"].get("typeChecking", {}).get("expressionWarnings", []) == []
