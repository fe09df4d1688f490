"""Who may do what: members through their roles, the portal through its own account."""

import secrets

import pytest

from environments.kube import rbac
from environments.kube.client import Question
from environments.kube.manifests import Binding, all_manifests
from environments.lib.errors import PermanentError
from environments.lib.phases import Role
from tests.contract.arrange import Raw, Way, desired, eventually, role_binding

APPS, NET, RBAC = "apps", "networking.k8s.io", "rbac.authorization.k8s.io"
WRITES = ("create", "update", "patch", "delete")


@pytest.fixture
def environment(portal, new_name) -> str:
    """An environment with one group for each role, and Theo as an admin by name."""
    bindings = [Binding(role, f"{new_name}-{role.value}") for role in Role]
    bindings[0] = Binding(Role.ADMIN, f"{new_name}-admin", ("theo@example.com",))
    for manifest in all_manifests(desired(new_name, bindings=tuple(bindings))):
        portal.apply(manifest)
    # The API server's authorizer reads bindings from a cache.
    question, groups = Question("get", "pods", "", new_name), [binding.group for binding in bindings]
    eventually(lambda: all(portal.may(question, "", [group]).allowed for group in groups), "the bindings are known")
    return new_name


@pytest.fixture
def may(portal, environment):
    """Whether the holder of a role may do something in the environment."""

    def ask(role: Role, verb: str, resource: str, group: str = "") -> bool:
        question = Question(verb, resource, group, environment)
        return portal.may(question, "somebody@example.com", [f"{environment}-{role.value}"]).allowed

    return ask


def test_a_member_may_through_the_group_and_the_answer_says_why(portal, environment):
    question = Question("create", "deployments", APPS, environment)
    answer = portal.may(question, "dana@example.com", [f"{environment}-admin"])
    assert answer.allowed
    assert answer.reason == (
        f'RBAC: allowed by RoleBinding "environment-admin/{environment}" of ClusterRole "environment-admin" '
        f'to Group "{environment}-admin"'
    )


def test_a_member_may_by_name_before_the_group_is_in_their_token(portal, environment):
    answer = portal.may(Question("create", "pods", "", environment), "theo@example.com", [])
    assert answer.allowed
    assert answer.reason.endswith('to User "theo@example.com"')


def test_a_stranger_may_not(portal, environment):
    question = Question("get", "pods", "", environment)
    answer = portal.may(question, "sam@example.com", ["system:authenticated", "another-team-admin"])
    assert (answer.allowed, answer.reason) == (False, "")


def test_a_member_may_nothing_in_another_namespace(portal, environment):
    question = Question("get", "pods", "", "default")
    assert not portal.may(question, "theo@example.com", [f"{environment}-admin"]).allowed


@pytest.mark.parametrize("resource", ["pods", "pods/log", "services", "configmaps", "resourcequotas", "events"])
def test_a_viewer_reads(may, resource):
    assert may(Role.VIEWER, "get", resource)
    assert not may(Role.VIEWER, "create", resource)


def test_a_viewer_reads_no_secrets_and_enters_no_pods(may):
    assert not may(Role.VIEWER, "get", "secrets")
    assert not may(Role.VIEWER, "list", "secrets")
    assert not may(Role.VIEWER, "create", "pods/exec")
    assert not may(Role.VIEWER, "create", "pods/portforward")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.DEVELOPER])
def test_who_works_there_may_deploy_and_debug(may, role):
    for resource, group in (
        ("pods", ""),
        ("services", ""),
        ("deployments", APPS),
        ("jobs", "batch"),
        ("ingresses", NET),
    ):
        assert all(may(role, verb, resource, group) for verb in WRITES), resource
    assert may(role, "create", "pods/exec")
    assert may(role, "get", "pods/log")
    assert may(role, "patch", "deployments/scale", APPS)


def test_secrets_and_service_accounts_are_the_admins(may):
    for resource in ("secrets", "serviceaccounts"):
        assert all(may(Role.ADMIN, verb, resource) for verb in WRITES), resource
        assert not any(may(Role.DEVELOPER, verb, resource) for verb in WRITES), resource
    assert not may(Role.DEVELOPER, "get", "secrets")


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    ("resource", "group"),
    [
        ("networkpolicies", NET),
        ("resourcequotas", ""),
        ("limitranges", ""),
        ("rolebindings", RBAC),
        ("roles", RBAC),
    ],
)
def test_nobody_in_an_environment_writes_what_governs_it_but_all_may_read_it(may, role, resource, group):
    assert may(role, "get", resource, group)
    assert [verb for verb in (*WRITES, "deletecollection") if may(role, verb, resource, group)] == []


@pytest.mark.parametrize("role", list(Role))
def test_nobody_in_an_environment_may_delete_the_namespace_or_become_somebody(may, role):
    assert may(role, "get", "namespaces")
    assert not may(role, "delete", "namespaces")
    assert not may(role, "impersonate", "serviceaccounts")
    assert not may(role, "bind", "clusterroles", RBAC)


def test_the_portals_account_has_all_it_needs(portal):
    assert rbac.missing_permissions(portal) == []


def test_the_portals_account_has_nothing_it_must_not_have(portal):
    assert rbac.excess_permissions(portal) == []


def test_an_administrator_is_recognized_as_having_too_much(admin):
    assert rbac.excess_permissions(admin) == list(rbac.FORBIDDEN)


@pytest.mark.parametrize("role", ["environment-admin", "environment-developer", "environment-viewer"])
def test_the_portal_may_bind_the_environment_roles(portal, home, role):
    assert portal.apply(role_binding(home, role, ("Group", "somebody")))["roleRef"]["name"] == role


def test_the_portal_cannot_bind_cluster_admin(portal, home):
    with pytest.raises(PermanentError, match="is attempting to grant RBAC permissions not currently held") as caught:
        portal.apply(role_binding(home, "cluster-admin", ("Group", "somebody")))
    assert caught.value.reason == "Forbidden"
    assert portal.get("RoleBinding", "cluster-admin", home) is None


def test_the_portal_cannot_turn_a_binding_of_its_own_into_cluster_admin(portal, home):
    portal.apply(role_binding(home, "environment-viewer", ("Group", "somebody"), name="binding"))
    with pytest.raises(PermanentError):
        portal.apply(role_binding(home, "cluster-admin", ("Group", "somebody"), name="binding"))
    assert portal.get("RoleBinding", "binding", home)["roleRef"]["name"] == "environment-viewer"


def test_the_portal_cannot_let_anybody_into_a_binding_that_somebody_else_made(portal, admin, home):
    admin.create(role_binding(home, "cluster-admin", ("User", "root@example.com"), name="theirs"))
    with pytest.raises(PermanentError, match="is attempting to grant RBAC permissions not currently held"):
        portal.apply(role_binding(home, "cluster-admin", ("User", "sam@example.com"), name="theirs"))
    subjects = portal.get("RoleBinding", "theirs", home)["subjects"]
    assert [subject["name"] for subject in subjects] == ["root@example.com"]


def test_the_portal_can_pass_on_its_own_rights_but_only_within_a_namespace(portal, admin, home):
    portal.apply(role_binding(home, "allotment-portal", ("Group", "somebody")))
    group = ["somebody"]
    inside, outside = (Question("list", "pods", "", where) for where in (home, "default"))
    eventually(lambda: portal.may(inside, "sam@example.com", group).allowed, "the binding is known")
    assert not portal.may(outside, "sam@example.com", group).allowed


def test_the_portal_cannot_read_secrets_or_start_pods(portal, home):
    who = "system:serviceaccount:allotment:portal"
    with pytest.raises(PermanentError) as caught:
        portal.get("Secret", "anything", home)
    assert caught.value.message == (
        f'The cluster rejected the request (403): secrets "anything" is forbidden: User "{who}" cannot get resource '
        f'"secrets" in API group "" in the namespace "{home}"'
    )
    with pytest.raises(PermanentError) as caught:
        next(portal.list_objects("Secret"))
    assert caught.value.message == (
        f'The cluster rejected the request (403): secrets is forbidden: User "{who}" cannot list resource "secrets" '
        'in API group "" at the cluster scope'
    )


@pytest.fixture
def account(portal):
    """The name of a member's ServiceAccount: they all live in the account namespace."""
    name = f"member-{secrets.token_hex(10)}"
    metadata = {"name": name, "namespace": rbac.ACCOUNT_NAMESPACE}
    portal.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    yield name
    portal.delete("ServiceAccount", name, rbac.ACCOUNT_NAMESPACE)


def test_a_service_account_works_with_a_token_made_for_it(cluster_endpoint, portal, home, account):
    binding = role_binding(home, "environment-viewer", ("ServiceAccount", account))
    binding["subjects"] = [{"kind": "ServiceAccount", "name": account, "namespace": rbac.ACCOUNT_NAMESPACE}]
    portal.apply(binding)
    token = portal.create_token(account, rbac.ACCOUNT_NAMESPACE, seconds=600).text
    way = cluster_endpoint.portal
    ci = Raw(Way(way.server, token, way.certificate_authority))
    eventually(lambda: ci("GET", f"/api/v1/namespaces/{home}/pods")[0] == 200, "the binding is known")
    status, answer = ci("GET", "/api/v1/pods")
    assert status == 403
    assert answer["message"].startswith(
        f'pods is forbidden: User "system:serviceaccount:allotment:{account}" cannot list'
    )
    ci.close()


def test_a_token_for_too_short_a_time_is_refused(portal, account):
    with pytest.raises(PermanentError, match="may not specify a duration less than 10 minutes"):
        portal.create_token(account, rbac.ACCOUNT_NAMESPACE, seconds=60)
