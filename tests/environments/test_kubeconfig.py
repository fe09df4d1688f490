"""Kubeconfig files: right for kubectl, for the signed-in member alone, and never with a long-lived secret."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from bs4 import BeautifulSoup
from django.utils import timezone
from kubernetes.config.kube_config import KubeConfigLoader

from environments.actions import access_tokens, memberships
from environments.kube import kubeconfig
from environments.kube.client import ClusterClient, Question
from environments.kube.kubeconfig import Oidc, Target
from environments.kube.tokens import issued_token
from environments.lib import dates, naming
from environments.lib.activity import Activity
from environments.lib.errors import TemporaryError
from environments.lib.phases import Role
from environments.models import Cluster, Team, User
from tests.arranging import settle

TARGET = Target("amsterdam", "https://api.example.com", "-----BEGIN CERTIFICATE-----\nx\n", "dana-checkout-abcde")


def soup(answer) -> BeautifulSoup:
    return BeautifulSoup(answer.content, "html.parser")


def test_a_file_for_kubelogin_holds_no_secret():
    config = yaml.safe_load(kubeconfig.with_oidc(TARGET, Oidc("https://idp.example.com", "kubectl", "openid email")))
    (user,) = config["users"]
    assert user["name"] == "oidc@amsterdam"
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "kubectl-oidc_login"
    assert user["user"]["exec"]["args"] == [
        "get-token",
        "--oidc-issuer-url=https://idp.example.com",
        "--oidc-client-id=kubectl",
        "--oidc-extra-scope=email",
    ]
    (context,) = config["contexts"]
    assert context["context"]["namespace"] == "dana-checkout-abcde"
    assert config["current-context"] == context["name"] == "dana-checkout-abcde@amsterdam"


def test_a_file_for_a_computer_without_a_browser_asks_for_a_code():
    oidc = Oidc("https://idp.example.com", "kubectl", "openid")
    plain, headless = (yaml.safe_load(kubeconfig.with_oidc(TARGET, oidc, device_code=code)) for code in (False, True))
    more = {"--grant-type=device-code", "--skip-open-browser"}
    plain_arguments, arguments = (config["users"][0]["user"]["exec"]["args"] for config in (plain, headless))
    assert set(arguments) - set(plain_arguments) == more
    assert headless["clusters"] == plain["clusters"]


def test_the_issuers_own_certificate_authority_is_in_the_file():
    oidc = Oidc("https://idp.example.com", "kubectl", "openid", "-----BEGIN CERTIFICATE-----\ny\n")
    arguments = yaml.safe_load(kubeconfig.with_oidc(TARGET, oidc))["users"][0]["user"]["exec"]["args"]
    (encoded,) = [each for each in arguments if each.startswith("--certificate-authority-data=")]
    assert base64.b64decode(encoded.partition("=")[2]).decode() == oidc.certificate_authority


def test_a_name_for_tls_and_a_proxy_are_in_the_file_where_they_are_needed():
    end = datetime(2026, 11, 23, 12, tzinfo=UTC)
    other = Target("c", "https://203.0.113.9", "", "n", tls_server_name="api.example.com", proxy="socks5://proxy:1080")
    cluster = yaml.safe_load(kubeconfig.with_token(other, "a", end))["clusters"][0]["cluster"]
    assert cluster == {
        "server": "https://203.0.113.9",
        "tls-server-name": "api.example.com",
        "proxy-url": "socks5://proxy:1080",
    }
    plain = yaml.safe_load(kubeconfig.with_token(TARGET, "a", end))["clusters"][0]["cluster"]
    assert set(plain) == {"server", "certificate-authority-data"}


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
    client.post(f"{address}revoke/")
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
def test_a_code_on_another_device_is_an_option_of_the_page(client, people, environment, address):
    Cluster.objects.update(access="oidc", oidc_issuer="https://idp.example.com", oidc_client_id="kubectl")
    client.force_login(people[1])
    form = soup(client.get(address)).select_one(f'form[action="{address}oidc/"]')
    assert form.get("method", "get") == "get"
    name = form.select_one("input[type=checkbox]")["name"]
    for query, wanted in ({name: "on"}, True), ({}, False):
        arguments = yaml.safe_load(client.get(f"{address}oidc/", query).content)["users"][0]["user"]["exec"]["args"]
        assert ("--grant-type=device-code" in arguments) is wanted


@pytest.mark.django_db
def test_the_file_has_the_cluster_as_its_members_reach_it_and_the_page_says_it(client, people, environment, address):
    client.force_login(people[0])
    facts = {
        "public_server": "https://203.0.113.9:6443",
        "public_trust": Cluster.Trust.OWN,
        "public_certificate_authority": "-----BEGIN CERTIFICATE-----\nz\n",
        "tls_server_name": "api.example.com",
        "proxy_url": "http://proxy.example.com:3128",
    }
    Cluster.objects.update(**facts)
    config = yaml.safe_load(client.post(f"{address}token/", {"hours": "1"}).content)
    cluster = config["clusters"][0]["cluster"]
    assert cluster.pop("certificate-authority-data") == base64.b64encode(b"-----BEGIN CERTIFICATE-----\nz\n").decode()
    assert cluster == {
        "server": "https://203.0.113.9:6443",
        "tls-server-name": "api.example.com",
        "proxy-url": "http://proxy.example.com:3128",
    }
    page = soup(client.get(address))
    shown = {term.get_text(): term.find_next("dd").get_text(" ", strip=True) for term in page.select("dl.facts dt")}
    assert shown == {
        "API server": "https://203.0.113.9:6443",
        "Server certificate": "Checked with the certificates in the file",
        "TLS server name": "api.example.com",
        "Proxy": "http://proxy.example.com:3128",
    }
    Cluster.objects.update(public_trust=Cluster.Trust.SYSTEM)
    config = yaml.safe_load(client.post(f"{address}token/", {"hours": "1"}).content)
    assert "certificate-authority-data" not in config["clusters"][0]["cluster"]
    assert "Checked with your computer's certificate authorities" in soup(client.get(address)).get_text()


@pytest.mark.django_db
def test_the_page_is_there_when_the_clusters_credential_cannot_be_read(client, people, environment, address):
    Cluster.objects.update(credential_kind="kubeconfig", credential="no yaml: [", updated_at=timezone.now())
    client.force_login(people[0])
    answer = client.get(address)
    assert answer.status_code == 200
    assert not soup(answer).select("dl.facts")
    answer = client.post(f"{address}token/", {"hours": "1"})
    assert answer.status_code == 422
    assert "cannot read the cluster's credential" in soup(answer).get_text()


@pytest.mark.django_db
def test_the_name_in_the_portals_own_kubeconfig_is_in_members_files_for_the_same_address(environment, simulated):
    ours = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": simulated.url, "tls-server-name": "api.internal"}}],
        "users": [{"name": "u", "user": {"token": simulated.portal_token}}],
    }
    row = environment.cluster
    row.credential_kind, row.credential = "kubeconfig", yaml.safe_dump(ours)
    row.save()
    assert access_tokens.target(environment).tls_server_name == "api.internal"
    row.public_server = "https://api.example.com"
    assert access_tokens.target(environment).tls_server_name == ""


@pytest.mark.django_db
def test_a_token_ends_when_the_cluster_says_and_not_when_it_was_asked_to(
    client, people, environment, address, simulated
):
    client.force_login(people[0])
    simulated.shorten_tokens(3600)
    begun = timezone.now()
    answer = client.post(f"{address}token/", {"hours": "12"})
    member = environment.members.get(email=people[0].email)
    assert timedelta(minutes=59) < member.token_ends_at - begun < timedelta(minutes=61)
    assert answer.content.decode().startswith(
        f"# The token in this file expires on {member.token_ends_at:%-d %B %Y at %H:%M} UTC."
    )
    assert environment.events.get(kind=Activity.KUBECONFIG_DOWNLOADED).message == (
        "dana@example.com downloaded a kubeconfig (valid for 1 hour)."
    )
    shortened = "This cluster shortens tokens: the last one was valid for 1 hour."
    assert shortened in soup(client.get(address)).get_text()
    assert f"expires {dates.relative(3600)}" in soup(client.get(address)).get_text()
    client.post(f"{address}token/", {"hours": "1"})  # says nothing about more
    assert shortened in soup(client.get(address)).get_text()
    simulated.shorten_tokens(None)
    client.post(f"{address}token/", {"hours": "12"})
    assert shortened not in soup(client.get(address)).get_text()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"token": "t"}, "does not say when the token expires"),
        ({"token": "t", "expirationTimestamp": 12}, "does not say when the token expires"),
        ({"token": "t", "expirationTimestamp": "soon"}, "does not say when the token expires"),
        ({"token": "t", "expirationTimestamp": "0001-01-01T00:00:00+14:00"}, "does not say when the token expires"),
        ({"expirationTimestamp": "2026-11-29T10:00:00Z"}, "contains no token"),
        ({"token": 5, "expirationTimestamp": "2026-11-29T10:00:00Z"}, "contains no token"),
    ],
    ids=str,
)
def test_an_answer_without_a_token_or_its_end_is_refused(status, sentence):
    with pytest.raises(TemporaryError, match=sentence):
        issued_token({"kind": "TokenRequest", "metadata": {}, "status": status}, 3600)


@pytest.mark.parametrize(("spec", "seconds"), [({"expirationSeconds": 600}, 600), ({}, 3600), (None, 3600)], ids=str)
def test_how_long_a_token_is_valid_is_what_the_answer_says(spec, seconds):
    status = {"token": "secret-token", "expirationTimestamp": "2026-11-29T10:00:00Z"}
    token = issued_token({"kind": "TokenRequest", "metadata": {}, "spec": spec, "status": status}, 3600)
    assert (token.ends_at, token.seconds) == (datetime(2026, 11, 29, 10, tzinfo=UTC), seconds)
    assert "secret-token" not in repr(token)


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
