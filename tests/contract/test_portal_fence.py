"""The portal's own account, with exactly deploy/rbac and deploy/admission: what a stolen credential is worth.

Clusters of their own: in force, the policy refuses the portal what other tests of this folder do by hand.
"""

import secrets

import pytest

from environments.kube import admission, rbac
from environments.kube.client import FIELD_MANAGER, ClusterClient, Question
from environments.kube.manifests import all_manifests, service_account
from environments.lib.errors import PermanentError
from tests.contract.arrange import (
    APPLY,
    ClusterEndpoint,
    desired,
    eventually,
    limit_range,
    namespace,
    quota,
    role_binding,
)

DOMAIN = "example.org"  # of `desired`
LABEL = f"{DOMAIN}/environment"
REAL = pytest.param("real", marks=pytest.mark.real_cluster)
MERGE = "application/merge-patch+json"
ACCOUNT, HOME = "system:serviceaccount:allotment:portal", "allotment"


@pytest.fixture(scope="module", params=["simulated", REAL])
def cluster_endpoint(request) -> ClusterEndpoint:
    return request.getfixturevalue(f"own_{request.param}")


@pytest.fixture
def fence(admin, portal):
    """The policy about the portal, in force; taken away afterwards, for the tests without it."""
    documents = [each for each in admission.documents(label_domain=DOMAIN) if is_about_the_portal(each)]
    assert len(documents) == 2
    for document in documents:
        admin.apply(document)
    eventually(lambda: not admission.not_refused(portal), "the policy is in force")
    yield
    for document in documents:
        admin.delete(document["kind"], document["metadata"]["name"])
    eventually(lambda: admission.not_refused(portal), "the policy is not in force any more")


def is_about_the_portal(document: dict) -> bool:
    return document["metadata"]["name"] == "allotment-portal"


def environment(portal: ClusterClient, name: str) -> str:
    for manifest in all_manifests(desired(name)):
        portal.apply(manifest)
    return name


def refused(answer: tuple[int, dict]) -> bool:
    """Whether it was the policy that refused."""
    status, body = answer
    return status == 403 and "ValidatingAdmissionPolicy 'allotment-portal'" in body["message"]


def tries(where: str) -> dict[str, tuple]:
    """Writes of everything that governs a namespace: method, path, body, content type."""
    core = f"/api/v1/namespaces/{where}"
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{where}"
    policies = f"/apis/networking.k8s.io/v1/namespaces/{where}/networkpolicies"
    me = role_binding(where, "environment-admin", ("User", ACCOUNT), name="me")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "mine"}, "rules": []}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "mine"}}
    policy["spec"] = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    force = "?fieldManager=me&force=true"
    return {
        "bind itself": ("POST", f"{roles}/rolebindings", me, "application/json"),
        "bind itself, applied": ("PATCH", f"{roles}/rolebindings/me{force}", me, APPLY),
        "a role": ("POST", f"{roles}/roles", role, "application/json"),
        "a quota": ("POST", f"{core}/resourcequotas", quota(where, {"pods": "0"}, "mine"), "application/json"),
        "limits": ("PATCH", f"{core}/limitranges/limits{force}", limit_range(where, max={"cpu": "1"}), APPLY),
        "a policy": ("POST", policies, policy, "application/json"),
        "the default account": ("PATCH", f"{core}/serviceaccounts/default{force}", account, APPLY),
        "its annotations": (
            "PATCH",
            f"{core}/serviceaccounts/default",
            {"metadata": {"annotations": {"cloud.example.com/role": "owner"}}},
            MERGE,
        ),
    }


def test_without_the_policy_rights_alone_let_it_bind_itself_to_kube_system(portal, raw, admin):
    """What the policy is for: roles cannot be limited to namespaces with a label."""
    for what, (method, path, body, content_type) in tries("kube-system").items():
        path += "&dryRun=All" if "?" in path else "?dryRun=All"
        assert raw(method, path, body, content_type)[0] in (200, 201), what
    assert admission.not_refused(portal) == (
        "write a RoleBinding in kube-system",
        "write a Role in kube-system",
        "write a ResourceQuota in kube-system",
        "write a LimitRange in kube-system",
        "write a NetworkPolicy in kube-system",
        "write a ServiceAccount in kube-system",
        "change kube-system",
    )
    assert admin.get("RoleBinding", "allotment-refused", "kube-system") is None, "it was a dry run"


@pytest.mark.parametrize("where", ["kube-system", "default", HOME])
def test_it_governs_no_namespace_but_those_of_its_environments(fence, raw, admin, where):
    for what, (method, path, body, content_type) in tries(where).items():
        answer = raw(method, path, body, content_type)
        assert refused(answer), (what, answer)
    assert admin.get("RoleBinding", "me", where) is None
    _, body = raw(*tries(where)["bind itself"])
    assert body["message"] == (
        "rolebindings.rbac.authorization.k8s.io \"me\" is forbidden: ValidatingAdmissionPolicy 'allotment-portal' with "
        "binding 'allotment-portal' denied request: The portal's account writes rolebindings only in namespaces of its "
        "environments."
    )


def test_what_others_made_in_their_namespace_it_does_not_delete(fence, raw, admin, new_name):
    admin.create(namespace(new_name))
    admin.create(role_binding(new_name, "view", ("User", "theo@example.com"), name="theirs"))
    admin.create(limit_range(new_name, max={"cpu": "1"}))
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{new_name}/rolebindings"
    assert refused(raw("DELETE", f"{roles}/theirs"))
    assert refused(raw("DELETE", f"/api/v1/namespaces/{new_name}/limitranges/limits"))
    assert refused(raw("DELETE", f"/api/v1/namespaces/{new_name}"))


def test_no_namespace_of_others_becomes_its_own(fence, raw, admin, new_name):
    """With its label on kube-system, it would govern that as well."""
    admin.create(namespace(new_name))
    for where in (new_name, "kube-system", HOME):
        label = {"metadata": {"labels": {LABEL: "mine"}}}
        assert refused(raw("PATCH", f"/api/v1/namespaces/{where}", label, MERGE)), where
        applied = namespace(where, labels={LABEL: "mine"})
        assert refused(raw("PATCH", f"/api/v1/namespaces/{where}?fieldManager={FIELD_MANAGER}", applied, APPLY)), where
    assert LABEL not in admin.get("Namespace", new_name)["metadata"].get("labels", {})
    assert refused(raw("POST", "/api/v1/namespaces", namespace(f"{new_name}-2")))


@pytest.mark.parametrize("level", ["privileged", ""])
def test_no_namespace_of_its_own_is_privileged(fence, portal, raw, new_name, level):
    """There it could start pods, by binding itself to environment-admin, and a privileged one controls its node."""
    levels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    body = namespace(new_name, labels={LABEL: "mine"} | levels)
    status, answer = raw("POST", "/api/v1/namespaces", body)
    assert refused((status, answer))
    assert "sets only these Pod Security levels: baseline, restricted." in answer["message"]
    environment(portal, new_name)
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level or None}}}
    assert refused(raw("PATCH", f"/api/v1/namespaces/{new_name}", patch, MERGE))


def test_where_a_cluster_admin_says_so_it_makes_privileged_ones(fence, portal, admin, new_name):
    documents = admission.documents(label_domain=DOMAIN, privileged=True)
    admin.apply(next(each for each in documents if is_about_the_portal(each)))
    body = namespace(new_name, labels={LABEL: "mine", "pod-security.kubernetes.io/enforce": "privileged"})

    def is_accepted() -> bool:
        try:
            return bool(portal.create(body, dry_run=True))
        except PermanentError:
            return False

    eventually(is_accepted, "the policy is as it says now")
    assert admission.not_refused(portal) == ()


def test_it_gets_no_token_but_those_of_members(fence, raw, portal, admin):
    member = f"member-{secrets.token_hex(10)}"
    portal.apply(service_account(desired("anything"), member))
    assert portal.create_token(member, HOME, seconds=600).text
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    assert refused(raw("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/portal/token", body))
    assert refused(raw("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/portal/token?dryRun=All", body))
    for where in ("kube-system", "default"):
        status, answer = raw("POST", f"/api/v1/namespaces/{where}/serviceaccounts/default/token", body)
        assert status == 403, where
        assert 'cannot create resource "serviceaccounts/token"' in answer["message"]
    assert portal.delete("ServiceAccount", member, HOME)
    assert refused(raw("DELETE", f"/api/v1/namespaces/{HOME}/serviceaccounts/portal"))
    assert admin.get("ServiceAccount", "portal", HOME) is not None


def test_rights_alone_give_it_no_token_outside_its_own_namespace(portal, raw, home):
    """Without the policy, too."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    for where in ("kube-system", home):
        assert raw("POST", f"/api/v1/namespaces/{where}/serviceaccounts/default/token", body)[0] == 403, where
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine"}}
        assert raw("POST", f"/api/v1/namespaces/{where}/serviceaccounts", account)[0] == 403, where


def test_its_environments_it_makes_changes_and_removes_as_before(fence, portal, admin, new_name):
    environment(portal, new_name)
    for manifest in all_manifests(desired(new_name, purpose="Another")):
        portal.apply(manifest)
    assert portal.delete("NetworkPolicy", "deny-all", new_name)
    assert portal.delete("RoleBinding", "environment-admin", new_name)
    assert portal.delete("Namespace", new_name)
    eventually(lambda: admin.get("Namespace", new_name) is None, "the namespace is gone")


def test_a_label_that_somebody_took_off_it_puts_back(fence, portal, raw_admin, new_name):
    environment(portal, new_name)
    patch = {"metadata": {"labels": {LABEL: None}}}
    assert raw_admin("PATCH", f"/api/v1/namespaces/{new_name}", patch, MERGE)[0] == 200
    wanted, *others = all_manifests(desired(new_name))
    assert LABEL in portal.apply(wanted)["metadata"]["labels"]

    def is_known() -> bool:
        try:
            return bool([portal.apply(each) for each in others])
        except PermanentError:  # the API server reads labels of namespaces from a cache
            return False

    eventually(is_known, "the API server knows the namespace by its label again")


def test_templates_are_tried_in_the_account_namespace_and_nothing_stays(fence, portal, admin):
    for manifest in (quota(HOME, {"pods": "1"}), role_binding(HOME, "environment-viewer", ("Group", "nobody"))):
        assert portal.apply(manifest, dry_run=True)
        assert admin.get(manifest["kind"], manifest["metadata"]["name"], HOME) is None


def test_with_the_policy_all_that_must_be_refused_is(fence, portal):
    assert admission.not_refused(portal) == ()
    assert rbac.missing_permissions(portal) == rbac.excess_permissions(portal) == []


def test_an_account_with_more_rights_is_refused_all_the_same(fence, portal, admin, raw):
    """Somebody made it cluster-admin: the policy holds for this account, not for these rights."""
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "careless"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "portal", "namespace": HOME}],
    }
    admin.create(binding)
    try:
        eventually(lambda: portal.may_i(Question("*", "*", "*")).allowed, "the binding is known")
        assert admission.not_refused(portal) == ()
        mine = binding | {"metadata": {"name": "mine"}}
        path = f"/apis/{group}/v1/clusterrolebindings"
        assert refused(raw("POST", path, mine))
    finally:
        admin.delete("ClusterRoleBinding", "careless")
        eventually(lambda: not portal.may_i(Question("*", "*", "*")).allowed, "the binding is gone")


@pytest.mark.parametrize("cluster_endpoint", [REAL], indirect=True)
def test_the_api_server_finds_nothing_wrong_with_the_expressions(fence, admin):
    def checked() -> dict | None:
        found = admin.get("ValidatingAdmissionPolicy", "allotment-portal")
        return found if found.get("status", {}).get("observedGeneration") else None

    status = eventually(checked, "the policy is checked")["status"]
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []
