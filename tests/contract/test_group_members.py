"""A group of the directory as a member, on each kind of cluster, with the fence around the portal's account."""

import pytest

from environments import actions
from environments.actions import group_members
from environments.catalog.files import read
from environments.kube import admission
from environments.kube.client import Question
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import observe
from tests.arranging import settle
from tests.contract.arrange import ClusterEndpoint, eventually
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.templates import publish

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", params=["simulated", pytest.param("real", marks=pytest.mark.real_cluster)])
def cluster_endpoint(request) -> ClusterEndpoint:
    return request.getfixturevalue(f"own_{request.param}")


@pytest.fixture
def fence(admin, portal):
    """The policy about the portal's account, in force."""
    documents = [each for each in admission.documents() if each["metadata"]["name"] == "allotment-portal"]
    assert len(documents) == 2
    for document in documents:
        admin.apply(document)
    eventually(lambda: not admission.not_refused(portal), "the policy is in force")
    yield
    for document in documents:
        admin.delete(document["kind"], document["metadata"]["name"])


@pytest.fixture
def company(monkeypatch) -> FakeKeycloak:
    fake = FakeKeycloak()
    fake.person("dana")
    fake.named_group("payments", 7)
    client = fake.client()
    monkeypatch.setattr("environments.directory.connect", lambda row: client)
    return fake


@pytest.fixture
def environment(cluster_endpoint, fence, company, admin):
    way = cluster_endpoint.portal
    row = Cluster.objects.create(
        slug="c",
        name="C",
        server=way.server,
        credential=way.credential,
        certificate_authority=way.certificate_authority,
        access=Cluster.Access.OIDC,
        oidc_issuer="https://idp.example.com",
        groups_prefix="oidc:",
    )
    Directory.objects.create(name="D", kind=Directory.Kind.LOCAL, is_default=True)
    made = actions.request_environment(
        User.objects.create(username="dana", email="dana@example.com"),
        actions.Draft(
            version=publish(read(SEEDS / "namespace.yaml")),
            name="groups",
            cluster=row,
            parameters={"cpu": "2000m", "memory": "2048Mi"},
        ),
    )
    assert settle(made).phase == Phase.READY
    yield made
    admin.delete("Namespace", made.namespace)


def test_a_group_gets_its_role_loses_some_of_it_and_then_all(environment: Environment, admin):
    def may(verb: str, group: str = "oidc:payments") -> bool:
        return admin.may(Question(verb, "pods", "", environment.namespace), "pia", [group]).allowed

    owner = environment.owner
    group_members.add_group(environment, owner, "payments", Role.DEVELOPER)
    settle(environment)
    row = environment.group_members.get()
    assert (environment.phase, row.bound, row.allowed) == (Phase.READY, True, True)
    assert may("create")
    assert not may("create", "payments")
    assert observe.observe(environment.cluster_id) == [], "nothing differs from what is wanted"
    group_members.add_group(environment, owner, "payments", Role.VIEWER)
    settle(environment)
    eventually(lambda: may("get") and not may("create"), "the role is the weaker one")
    group_members.remove_group(environment, owner, row.pk)
    settle(environment)
    eventually(lambda: not may("get"), "the group has no access")
    assert not environment.group_members.exists()
