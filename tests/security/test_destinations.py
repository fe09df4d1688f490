"""Addresses that the portal never connects to: as they are typed, as names resolve, and as connections really end."""

import contextlib
import itertools
import socket
from types import SimpleNamespace

import pytest
from django.urls import reverse

from environments.directory.keycloak import KeycloakClient
from environments.directory.scim import ScimClient
from environments.kube.client import ClusterClient
from environments.lib import destinations
from environments.lib.errors import PermanentError, TemporaryError
from environments.models import Cluster, Directory
from tests.contract.arrange import Way
from tests.security.servers import always, http, serving

METADATA = "169.254.169.254"
DENIED = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "::",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "FD00:EC2:0:0:0:0:0:254",
    "not an address",
    "",
]
ALLOWED = ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "100.100.100.201", "8.8.8.8", "fd00:ec2::255", "2001:db8::1"]
SPELLINGS = [
    f"http://{METADATA}",
    f"http://{METADATA}:80/latest/meta-data",
    f"https://{METADATA}/",
    "http://2852039166",
    "http://0xa9fea9fe",
    "http://0251.0376.0251.0376",
    "http://169.254.43518",
    "http://[::ffff:169.254.169.254]",
    "http://[fd00:ec2::254]/",
    "http://0/",
    "http://0.0.0.0:6443",
    f"http://user:password@{METADATA}/",
    "http://[fe80::1]/",
]


@pytest.mark.parametrize("address", DENIED)
def test_a_denied_address_is_denied_in_every_form(address):
    assert destinations.is_denied(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_everything_else_is_allowed_loopback_included(address):
    assert not destinations.is_denied(address)


def test_a_company_may_deny_more_and_allow_what_it_needs(settings):
    settings.DENIED_NETWORKS = ["127.0.0.0/8", "::1/128"]
    assert destinations.is_denied("127.0.0.1")
    assert destinations.is_denied("::ffff:127.0.0.1")
    assert not destinations.is_denied(METADATA)


def version(way: Way) -> str:
    client = ClusterClient(way, timeout=(1, 1))
    try:
        return client.version()
    finally:
        client.close()


def cluster_at(url: str) -> object:
    return version(Way(url, "s3cret"))


def kubeconfig(cluster: str) -> Way:
    users = "users: [{name: a, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]"
    text = f"clusters: [{{name: a, cluster: {{{cluster}}}}}]\n{users}\ncurrent-context: a"
    return Way("", text, credential_kind="kubeconfig")


def kubeconfig_at(url: str) -> object:
    return version(kubeconfig(f"server: '{url}'"))


def directory_at(url: str) -> object:
    with contextlib.closing(
        ScimClient(SimpleNamespace(url=url, token_url="", client_id="", secret="s3cret"))
    ) as client:
        return client.check()


def token_endpoint_at(url: str) -> object:
    row = SimpleNamespace(url="https://kc.example.com/admin/realms/a", token_url=url, client_id="a", secret="s3cret")
    with contextlib.closing(KeycloakClient(row)) as client:
        return client.check()


WAYS = pytest.mark.parametrize("reach", [cluster_at, kubeconfig_at, directory_at, token_endpoint_at])


@pytest.fixture
def no_connections(monkeypatch):
    """Whatever connects now fails the test."""

    def connect(self, address):
        raise AssertionError(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@WAYS
@pytest.mark.parametrize("url", SPELLINGS)
def test_a_denied_address_is_not_connected_to_however_it_is_spelt(reach, url, no_connections):
    with pytest.raises(PermanentError) as caught:
        reach(url)
    assert caught.value.reason == "DeniedAddress"
    assert "s3cret" not in caught.value.message


def resolving(monkeypatch, *answers: str) -> None:
    """The name server's answers, one a question; the last one stays."""
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def getaddrinfo(host, port, *args, flags=0, **kwargs):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(turns), port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@WAYS
def test_a_name_that_resolves_to_a_denied_address_is_not_connected_to(reach, monkeypatch, no_connections):
    resolving(monkeypatch, METADATA)
    with pytest.raises(PermanentError) as caught:
        reach("http://cluster.example.com:80/admin/realms/a")
    assert caught.value.reason == "DeniedAddress"


@WAYS
def test_a_name_that_resolves_otherwise_a_moment_later_gets_nothing(reach, monkeypatch, settings):
    """DNS rebinding: the look finds a good address, the connection a denied one. Not a byte is sent there."""
    settings.DENIED_NETWORKS = ["127.0.0.1/32"]
    with serving(always(http(b"{}"))) as server:
        port = server.url.rpartition(":")[2]
        resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
        with pytest.raises(PermanentError) as caught:
            reach(f"http://cluster.example.com:{port}/admin/realms/a")
    assert caught.value.reason == "DeniedAddress"
    assert server.requests == []


@WAYS
def test_of_several_addresses_one_denied_is_enough(reach, monkeypatch, no_connections):
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("10.0.0.1", METADATA)]
    numeric = lambda flags: flags & socket.AI_NUMERICHOST  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, flags=0, **kwargs: [] if numeric(flags) else both)
    with pytest.raises(PermanentError) as caught:
        reach("http://cluster.example.com/admin/realms/a")
    assert caught.value.reason == "DeniedAddress"


def test_a_proxy_of_a_kubeconfigs_choosing_is_looked_at_too(no_connections):
    way = kubeconfig("server: 'https://a.example', proxy-url: 'http://169.254.169.254:80'")
    with pytest.raises(PermanentError) as caught:
        version(way)
    assert caught.value.reason == "DeniedAddress"


def test_through_a_proxy_of_the_machine_the_guard_holds_too(settings):
    """It is the proxy that is connected to, and what is asked of it must not be a denied address either."""
    settings.DENIED_NETWORKS = [f"{METADATA}/32"]
    with serving(always(http(b"{}", status="502 Bad Gateway"))) as proxy:
        settings.HTTP_PROXY = proxy.url
        with pytest.raises(TemporaryError):
            directory_at("http://idp.example.com")
        assert len(proxy.requests) > 0
        seen = len(proxy.requests)
        for reach in (cluster_at, directory_at):
            with pytest.raises(PermanentError):
                reach(f"http://{METADATA}/")
        assert len(proxy.requests) == seen
        settings.DENIED_NETWORKS = ["127.0.0.0/8"]
        for reach in (cluster_at, directory_at):
            with pytest.raises(PermanentError):
                reach("http://idp.example.com")
        assert len(proxy.requests) == seen


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", [url for url in SPELLINGS if "user:" not in url and not url.endswith(("2852039166", "9fe"))]
)
def test_the_form_of_a_cluster_says_so_at_the_field(client, ada, url):
    client.force_login(ada)
    sent = {"name": "A", "slug": "a", "credential_kind": "token", "server": url, "credential": "abc.def"}
    page = client.post(reverse("admin:environments_cluster_add"), sent)
    assert page.status_code == 200
    assert not Cluster.objects.exists()
    assert page.context["adminform"].form.errors["server"]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["url", "token_url"])
def test_the_form_of_a_directory_says_so_at_the_field(client, ada, field):
    client.force_login(ada)
    sent = {
        "name": "A",
        "kind": "scim",
        "strangers": "show",
        "url": "https://idp.example.com",
        "client_id": "a",
        "secret": "abc",
    }
    sent |= {"token_url": "https://idp.example.com/token", field: f"http://{METADATA}/"}
    page = client.post(reverse("admin:environments_directory_add"), sent)
    assert not Directory.objects.exists()
    assert "does not connect to this address" in str(page.context["adminform"].form.errors[field])
