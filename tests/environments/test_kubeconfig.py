"""Kubeconfig files: right for kubectl, for the signed-in member alone, and never with a long-lived secret."""

from datetime import UTC, datetime

import pytest
import yaml
from kubernetes.config.kube_config import KubeConfigLoader

from environments.actions import memberships
from environments.kube import kubeconfig
from environments.kube.client import ClusterClient, Question
from environments.kube.kubeconfig import Oidc, Target
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.errors import TemporaryError
from environments.lib.phases import Role
from environments.models import Cluster, Team, User
from tests.arranging import settle

TARGET = Target("amsterdam", "https://api.example.com", "-----BEGIN CERTIFICATE-----\nx\n", "dana-checkout-abcde")


def test_a_file_for_kubelogin_holds_no_secret():
    config = yaml.safe_load(kubeconfig.with_oidc(TARGET, Oidc("https://idp.example.com", "kubectl", "openid email")))
    (user,) = config["users"]
    assert user["name"] == "oidc@amsterdam"
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["args"] == [
        "oidc-login",
        "get-token",
        "--oidc-issuer-url=https://idp.example.com",
        "--oidc-client-id=kubectl",
        "--oidc-extra-scope=email",
    ]
    (context,) = config["contexts"]
    assert context["context"]["namespace"] == "dana-checkout-abcde"
    assert config["current-context"] == context["name"] == "dana-checkout-abcde@amsterdam"


def test_files_of_two_environments_merge_without_a_clash():
    end = datetime(2026, 11, 23, 12, tzinfo=UTC)
    one = yaml.safe_load(kubeconfig.with_token(TARGET, "a", end))
    two = yaml.safe_load(kubeconfig.with_token(Target("amsterdam", "https://api.example.com", "", "other"), "b", end))
    assert one["users"][0]["name"] != two["users"][0]["name"]
    assert one["contexts"][0]["name"] != two["contexts"][0]["name"]
    assert one["clusters"][0]["name"] == two["clusters"][0]["name"]


def test_the_official_client_reads_the_file():
    config = yaml.safe_load(kubeconfig.with_token(TARGET, "abc", datetime.now(UTC)))
    loader = KubeConfigLoader(config)
    assert loader.current_context["context"]["namespace"] == "dana-checkout-abcde"
    assert loader._user["token"] == "abc"


@pytest.fixture
def environment(ask):
    return settle(ask(collaborators={"theo@example.com": Role.VIEWER}))


@pytest.fixture
def address(environment):
    return f"/environments/{environment.namespace}/kubeconfig/"


class Holder:
    """Somebody with nothing but a downloaded file."""

    credential_kind = "kubeconfig"
    server = certificate_authority = ""

    def __init__(self, content: bytes) -> None:
        self.credential = content.decode()


def may(content: bytes, environment, verb: str) -> bool:
    client = ClusterClient(Holder(content))
    return client.may_i(Question(verb, "pods", namespace=environment.namespace)).allowed


@pytest.mark.django_db
def test_a_members_token_works_for_their_role_and_no_more(client, people, environment, address):
    files = {}
    for person in people:
        client.force_login(person)
        answer = client.post(f"{address}token/", {"hours": "2"})
        assert answer.status_code == 200
        assert answer["Content-Disposition"] == f'attachment; filename="{environment.namespace}.kubeconfig"'
        assert "no-store" in answer["Cache-Control"]
        files[person.username] = answer.content
    assert may(files["dana"], environment, "create")
    assert may(files["theo"], environment, "get")
    assert not may(files["theo"], environment, "create")
    settle(environment)  # the reconcile that follows agrees with what the download did
    assert may(files["dana"], environment, "create")
    assert environment.events.filter(kind=Activity.KUBECONFIG_DOWNLOADED).count() == 2
    token = yaml.safe_load(files["dana"])["users"][0]["user"]["token"]
    assert not environment.events.filter(message__contains=token[:20]).exists()


@pytest.mark.django_db
def test_a_revoked_token_is_refused_and_so_is_a_removed_members(client, people, environment, address, admin):
    dana, theo = people
    client.force_login(dana)
    mine = client.post(f"{address}token/", {"hours": "2"}).content
    answer = client.post(f"{address}revoke/", follow=True)
    assert "Your tokens for this environment have been revoked." in answer.content.decode()
    with pytest.raises(TemporaryError) as refused:
        may(mine, environment, "create")
    assert refused.value.reason == "Unauthorized"
    client.force_login(theo)
    theirs = client.post(f"{address}token/", {"hours": "2"}).content
    memberships.remove_member(environment, dana, theo.email)
    settle(environment)
    with pytest.raises(TemporaryError) as refused:
        may(theirs, environment, "get")
    assert refused.value.reason == "Unauthorized"  # the account went with the membership
    assert client.get(address).status_code in (403, 404)


@pytest.mark.django_db
def test_members_accounts_are_where_nobody_can_run_a_pod_as_them(client, people, environment, address, admin):
    client.force_login(people[0])
    client.post(f"{address}token/", {"hours": "1"})
    name = naming.account(str(environment.pk), people[0].email)
    assert admin.get("ServiceAccount", name, "allotment") is not None
    assert admin.get("ServiceAccount", name, environment.namespace) is None
    assert "dana" not in name


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hours", "sentence"),
    [("0", "greater than or equal to 1"), ("13", "less than or equal to 12"), ("x", "whole number")],
)
def test_a_lifetime_beyond_the_clusters_maximum_is_refused(client, people, environment, address, hours, sentence):
    client.force_login(people[0])
    answer = client.post(f"{address}token/", {"hours": hours})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not environment.members.filter(has_account=True).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("unproven", [{"allowed": False}, {"in_group": False}], ids=str)
def test_there_is_no_token_before_the_access_is_proven(client, people, environment, address, unproven):
    environment.members.update(**unproven)
    client.force_login(people[0])
    answer = client.post(f"{address}token/", {"hours": "1"})
    assert answer.status_code == 422
    assert "Your access to this cluster hasn" in answer.content.decode()


@pytest.mark.django_db
def test_a_cluster_that_trusts_the_identity_provider_gives_files_without_tokens(client, people, environment, address):
    Cluster.objects.update(access="oidc", oidc_issuer="https://idp.example.com", oidc_client_id="kubectl")
    client.force_login(people[1])
    assert client.get(address).status_code == 200
    answer = client.get(f"{address}oidc/")
    assert "exec" in yaml.safe_load(answer.content)["users"][0]["user"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "oidc/", "token/", "revoke/"])
def test_who_only_looks_on_has_no_file_and_a_stranger_sees_nothing(client, environment, address, path):
    method = client.post if path in ("token/", "revoke/") else client.get
    ada = User.objects.create(username="ada", email="ada@example.com", is_superuser=True)
    client.force_login(ada)
    assert method(f"{address}{path}").status_code == 403
    client.force_login(User.objects.create(username="sam", email="sam@example.com"))
    assert method(f"{address}{path}").status_code == 404
    assert not Team.objects.exists()
