"""Signing in with a downloaded file: a real kubectl, a real API server, and an issuer that the API server trusts."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import yaml
from bs4 import BeautifulSoup

from environments import actions
from environments.catalog.files import read
from environments.kube import api_warnings, kubeconfig
from environments.kube.client import ClusterClient
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, User
from portal.demo import controlplane
from portal.demo.simulated import SimulatedCluster
from tests.arranging import settle
from tests.contract import oidc_login
from tests.contract.arrange import ClusterEndpoint, Way, eventually
from tests.contract.issuer import CLIENT_ID, issuing
from tests.detours import Authority
from tests.templates import publish

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issuer(authority):
    with issuing(authority) as running:
        yield running


def configuration(issuer, authority) -> str:
    """The API server's side. Source: https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/"""
    mappings = {"username": {"claim": "email", "prefix": ""}, "groups": {"claim": "groups", "prefix": ""}}
    trusted = {"url": issuer.issuer, "audiences": [CLIENT_ID], "certificateAuthority": authority.pem}
    return yaml.safe_dump(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [{"issuer": trusted, "claimMappings": mappings}],
        }
    )


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.real_cluster)])
def plane(issuer, authority) -> ClusterEndpoint:
    """An API server that trusts the issuer, and gives no token for longer than an hour."""
    if reason := controlplane.available():
        pytest.skip(f"no real control plane: {reason}")
    file = authority.folder / "authentication.yaml"
    file.write_text(configuration(issuer, authority))
    flags = [f"--authentication-config={file}", "--service-account-max-token-expiration=1h"]
    with controlplane.ControlPlane(flags=flags) as running:
        running.apply_rbac()
        tokens = (running.portal_token(), running.admin_token)
        yield ClusterEndpoint("real", *(Way(running.url, token, running.ca_pem) for token in tokens))


@pytest.fixture
def cast():
    return {name: User.objects.create(username=name, email=f"{name}@example.com") for name in ("dana", "vera")}


@pytest.fixture
def environment(plane, issuer, authority, cast):
    """Dana's environment on a cluster that trusts the identity provider, with a viewer."""
    row = Cluster.objects.create(
        slug="c",
        name="C",
        server=plane.portal.server,
        credential=plane.portal.credential,
        certificate_authority=plane.portal.certificate_authority,
        access=Cluster.Access.OIDC,
        oidc_issuer=issuer.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_certificate_authority=authority.pem,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    draft = actions.Draft(
        version=publish(read(SEEDS / "namespace.yaml")),
        name="sign in",
        cluster=row,
        parameters={"cpu": "2000m", "memory": "2048Mi"},
        collaborators={"vera@example.com": Role.VIEWER},
    )
    made = settle(actions.request_environment(cast["dana"], draft))
    assert made.phase == Phase.READY
    yield made
    plane.admin_client().delete("Namespace", made.namespace)


@pytest.fixture
def computer(kubectl, plane):
    """A kubectl with the stand-in for kubelogin in its PATH."""
    plugin = kubectl.path[0] / kubeconfig.PLUGIN
    plugin.write_text(f"#!{sys.executable}\n{Path(oidc_login.__file__).read_text()}")
    plugin.chmod(0o755)
    return kubectl


def download(client, computer, environment, person, query: str = "") -> Path:
    client.force_login(person)
    answer = client.get(f"/environments/{environment.namespace}/kubeconfig/oidc/{query}")
    assert answer.status_code == 200, answer.content
    return kept(computer, environment, answer.content)


def kept(computer, environment, content: bytes) -> Path:
    file = computer.home / "Downloads" / f"{environment.namespace}.kubeconfig"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return file


def sign_in_as(issuer, person: User, **claims) -> None:
    issuer.claims = {"sub": person.username, "email": person.email, "email_verified": True, "groups": []} | claims


def whoami(computer, file: Path) -> dict:
    def ask() -> str:
        return computer("auth", "whoami", "--output=json", file=file).stdout

    return json.loads(eventually(ask, "the API server knows the issuer's keys"))["status"]["userInfo"]


@pytest.mark.parametrize("query", ["", "?device_code=on"], ids=["usual", "device-code"])
def test_a_member_signs_in_with_the_downloaded_file(client, computer, environment, cast, issuer, query):
    sign_in_as(issuer, cast["dana"], groups=["team"])
    file = download(client, computer, environment, cast["dana"], query)
    user = whoami(computer, file)
    assert user["username"] == "dana@example.com"
    assert "team" in user["groups"]
    done = computer("auth", "can-i", "create", "pods", file=file)
    assert (done.returncode, done.stdout.strip()) == (0, "yes"), done.stderr
    assert "enter ABCD" in done.stderr
    assert computer("auth", "can-i", "create", "networkpolicies", file=file).stdout.strip() == "no"
    assert computer("auth", "can-i", "get", "pods", "-n", "default", file=file).stdout.strip() == "no"
    # The same file in someone else's hands signs them in.
    sign_in_as(issuer, cast["vera"])
    assert whoami(computer, file)["username"] == "vera@example.com"
    assert computer("auth", "can-i", "create", "pods", file=file).stdout.strip() == "no"
    assert computer("auth", "can-i", "get", "pods", file=file).stdout.strip() == "yes"


def test_the_issuers_certificate_is_checked_with_the_file_alone(client, computer, environment, cast, issuer):
    sign_in_as(issuer, cast["dana"])
    Cluster.objects.update(oidc_certificate_authority="")
    done = computer("get", "pods", file=download(client, computer, environment, cast["dana"]))
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr


def test_the_commands_of_the_page_work_as_they_stand_there(client, computer, environment, cast, issuer):
    sign_in_as(issuer, cast["dana"])
    file = download(client, computer, environment, cast["dana"])
    page = BeautifulSoup(client.get(f"/environments/{environment.namespace}/kubeconfig/").content, "html.parser")
    whoami(computer, file)
    done = computer.shell(page.select_one("#use-alone").get_text())
    assert (done.returncode, done.stdout.strip()) == (0, "yes"), done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    done = computer.shell(page.select_one("#use-merged").get_text() + "\nkubectl auth can-i create pods")
    assert (done.returncode, done.stdout.strip()) == (0, "yes"), done.stderr


def test_a_token_that_the_cluster_shortened_ends_when_the_file_says(client, computer, environment, cast):
    Cluster.objects.update(access=Cluster.Access.TOKEN)
    client.force_login(cast["dana"])
    answer = client.post(f"/environments/{environment.namespace}/kubeconfig/token/", {"hours": "12"})
    member = environment.members.get(email="dana@example.com")
    left = member.token_ends_at - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    assert f"{member.token_ends_at:%-d %B %Y at %H:%M} UTC" in answer.content.decode().splitlines()[0]
    assert Cluster.objects.get().token_cap_seconds == 3600
    file = kept(computer, environment, answer.content)
    done = computer("auth", "whoami", "--output=json", file=file)
    name = json.loads(done.stdout)["status"]["userInfo"]["username"]
    assert name.startswith("system:serviceaccount:allotment:")


def test_an_api_server_says_for_how_long_it_gave_a_token(plane):
    given(plane.admin_client())


def test_and_so_does_a_simulated_one():
    with SimulatedCluster() as cluster:
        cluster.shorten_tokens(3600)
        given(ClusterClient(Way(cluster.url, cluster.admin_token)))


def given(admin: ClusterClient) -> None:
    """What an API server that gives tokens for an hour answers to longer and to shorter times."""
    admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "short", "namespace": "default"}})
    for asked, seconds in ((7200, 3600), (3600, 3600), (600, 600)):
        with api_warnings.hearing() as warnings:
            token = admin.create_token("short", "default", seconds=asked)
        assert token.seconds == seconds
        assert timedelta() <= datetime.now(UTC) + timedelta(seconds=seconds) - token.ends_at < timedelta(seconds=10)
        claims = jwt.decode(token.text, options={"verify_signature": False})
        assert claims["exp"] == token.ends_at.timestamp()
        shortened = f"requested expiration of {asked} seconds shortened to {seconds} seconds"
        assert [each.text for each in warnings] == ([shortened] if asked > seconds else [])
