"""What the portal finds out about an issuer by itself: discovery, certificate, keys, client ID and scopes."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from environments.kube import issuers
from environments.kube.issuers import BAD, OK, WARN, Issuer
from environments.models import Cluster
from tests.detours import Authority, tls_front
from tests.pages.reading import read, words
from tests.portal.provider import FakeProvider, running
from tests.security.servers import serving

ACCEPTED = "The provider accepts the client ID, its redirect URI and the scopes."


class Provider(FakeProvider):
    """Answers kubelogin's question as `client` says: a status and an address to go to."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes = {"openid", "email", "groups"}
        self.error = "login_required"
        self.questions: list[dict[str, list[str]]] = []
        self.metadata = {"scopes_supported": sorted(self.scopes), "claims_supported": ["sub", "email", "groups"]}
        self.overrides["/jwks"] = 200, {"keys": [{"kid": "one"}]}

    def answer(self, method, path, form, authorization=""):
        if path.startswith("/authorize"):
            query = parse_qs(urlsplit(path).query)
            self.questions.append(query)
            return self._authorize(query)
        return super().answer(method, path, form, authorization)

    def _authorize(self, query):
        if query["client_id"] != ["kubernetes"]:
            return 400, "unknown client"
        error = self.error if set(query["scope"][0].split()) <= self.scopes else "invalid_scope"
        return 302, f"{query['redirect_uri'][0]}?error={error}&state={query['state'][0]}"


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def look(provider, authority):
    """Look at the provider over https; its own name for itself is that address unless a test says otherwise."""

    def ask(**changes):
        with running(provider):
            port = int(provider.issuer.rpartition(":")[2])
            with tls_front(port, authority.context("127.0.0.1")) as front:
                provider.issuer = f"https://{front.address}"
                wanted = {"url": provider.issuer, "client_id": "kubernetes", "authority": authority.pem} | changes
                wanted["url"] += wanted.pop("end", "")
                return issuers.look(Issuer(**{"scopes": ("openid", "email", "groups")} | wanted))

    return ask


def said(remarks, tone: str) -> str:
    return " ".join(remark.text for remark in remarks if remark.tone == tone)


def test_a_provider_that_is_as_it_should_be(look, provider):
    remarks = look()
    assert {remark.tone for remark in remarks} == {OK}
    assert said(remarks, OK).endswith(ACCEPTED)
    (asked,) = provider.questions
    assert asked["prompt"] == ["none"]
    assert asked["redirect_uri"] == ["http://localhost:8000"]
    assert asked["scope"] == ["openid email groups"]
    assert asked["code_challenge_method"] == ["S256"]


def test_the_default_scope_groups_that_a_provider_does_not_have(look, provider):
    provider.scopes.remove("groups")
    provider.metadata = {}
    found = said(look(), BAD)
    assert found.startswith("The provider has no scope groups, so every sign-in with kubectl ends in an error.")
    assert "Remove groups from the scopes" in found


def test_a_scope_that_is_not_listed_may_work_all_the_same(look, provider):
    provider.metadata["scopes_supported"] = ["openid", "email"]
    remarks = look()
    assert ACCEPTED in said(remarks, OK)
    assert "does not list the scope groups. Remove groups" in said(remarks, WARN)


def test_another_scope_that_is_refused(look, provider):
    provider.scopes.remove("email")
    assert said(look(), BAD) == "The provider refuses the scopes openid email groups (invalid_scope)."


def test_a_client_that_the_provider_does_not_know(look):
    found = said(look(client_id="typo"), BAD)
    assert "refuses the client ID typo or its redirect URI (status 400)" in found
    assert "Register http://localhost:8000 and http://localhost:18000" in found


@pytest.mark.parametrize("error", ["unauthorized_client", "unsupported_response_type", "access_denied"])
def test_another_refusal_is_named(look, provider, error):
    provider.error = error
    assert said(look(), BAD) == f"The provider refuses sign-in with this client ({error})."


def test_a_page_says_nothing_of_the_client(look, provider, monkeypatch):
    monkeypatch.setattr(Provider, "_authorize", lambda *_: (200, "<title>Sign in</title>"))
    assert "Only signing in shows whether" in said(look(), WARN)


@pytest.mark.parametrize(
    ("metadata", "changes", "tone", "sentence"),
    [
        ({"issuer": "https://idp.example.com"}, {}, BAD, "The provider calls itself https://idp.example.com."),
        ({"issuer": None}, {}, BAD, "The provider calls itself None."),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, {}, BAD, "signs with HS256, which API servers cannot"),
        ({"id_token_signing_alg_values_supported": ["HS256", "RS256"]}, {}, OK, ACCEPTED),
        ({"subject_types_supported": ["pairwise"]}, {"username_claim": "sub"}, WARN, "gives each client another sub"),
        ({"subject_types_supported": ["pairwise"]}, {}, OK, ACCEPTED),
        ({"claims_supported": ["sub"]}, {}, WARN, "does not list the claim email and groups"),
        ({"jwks_uri": "ftp://x"}, {}, BAD, "The issuer's discovery document lacks an address."),
        ({"authorization_endpoint": None}, {}, BAD, "The issuer's discovery document lacks an address."),
    ],
)
def test_what_the_discovery_document_tells(look, provider, metadata, changes, tone, sentence):
    provider.metadata |= metadata
    assert sentence in said(look(**changes), tone)


@pytest.mark.parametrize("answer", [(404, {}), (200, {"keys": []}), (200, {"keys": "x"})])
def test_keys_that_cannot_be_read(look, provider, answer):
    provider.overrides["/jwks"] = answer
    assert "API servers can verify no token" in said(look(), BAD)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((404, {}), "The issuer has no discovery document: its answer has the status 404."),
        ((200, "<html>"), "The issuer's discovery document is not a JSON object."),
        ((200, [1]), "The issuer's discovery document is not a JSON object."),
        ((200, "[" * 100_000), "The issuer's discovery document is not a JSON object."),
        ((200, "x" * 600_000), "The portal cannot reach the issuer."),
    ],
    ids=["gone", "page", "list", "nested", "large"],
)
def test_what_is_no_discovery_document(look, provider, answer, sentence):
    provider.overrides["/.well-known/openid-configuration"] = answer
    remarks = look()
    assert [(remark.tone, remark.text) for remark in remarks] == [(BAD, sentence)]


def test_a_slash_at_the_end_belongs_to_the_name_and_not_to_the_path(look, provider):
    remarks = look(end="/")
    assert provider.asked[0] == "/.well-known/openid-configuration"
    assert f"The provider calls itself {provider.issuer}." in said(remarks, BAD)


def test_a_certificate_that_is_not_trusted(look):
    (remark,) = look(authority="")
    assert remark.tone == BAD
    assert remark.text.startswith("The issuer's certificate is signed by an unknown certificate authority")


def test_an_issuer_without_tls_is_none_for_an_api_server(provider):
    with running(provider):
        remarks = issuers.look(Issuer(provider.issuer, "kubernetes", ("openid",)))
    assert remarks[0].tone == BAD
    assert "must begin with https://" in remarks[0].text


def test_one_that_is_not_there():
    (remark,) = issuers.look(Issuer("https://127.0.0.1:9", "kubernetes", ("openid",)))
    sentence = "The issuer refuses the connection: nothing answers at this address and port."
    assert (remark.tone, remark.text) == (BAD, sentence)


def test_denied_addresses_are_not_asked():
    (remark,) = issuers.look(Issuer("https://169.254.169.254", "kubernetes", ("openid",)))
    assert remark.tone == BAD
    assert "does not connect to this address" in remark.text


def test_a_denied_address_that_the_issuer_names_is_not_asked_either(look, provider):
    provider.metadata["jwks_uri"] = "http://169.254.169.254/keys"
    assert "does not connect to this address" in said(look(), BAD)


@pytest.mark.django_db
class TestTheCheck:
    """It is part of the cluster's own, and fails for itself."""

    @pytest.fixture
    def checked(self, client, ada, place):
        def ask(**settings):
            Cluster.objects.filter(pk=place.pk).update(**settings)
            client.force_login(ada)
            return read(client.post(reverse("admin:environments_cluster_check", args=[place.pk])))

        return ask

    def test_of_a_cluster_with_an_issuer(self, checked, provider):
        with running(provider):
            soup = checked(access="oidc", oidc_issuer=provider.issuer, oidc_client_id="kubernetes")
        assert ACCEPTED in words(soup.select_one("section.panel"))
        assert "must begin with https://" in " ".join(words(each) for each in soup.select(".says.bad"))
        assert soup.select_one('a[href$="/sign-in/"]')

    def test_of_a_cluster_with_its_own_accounts_asks_no_issuer(self, checked, provider):
        with running(provider):
            soup = checked(access="token", oidc_issuer=provider.issuer, oidc_client_id="kubernetes")
        assert "Sign-in with kubectl" not in words(soup)
        assert provider.asked == []

    def test_an_issuer_that_is_away_leaves_the_rest_of_the_report(self, checked):
        soup = checked(access="oidc", oidc_issuer="https://127.0.0.1:9", oidc_client_id="kubernetes")
        assert "The issuer refuses the connection: nothing answers at this address and port." in words(soup)
        assert "has every permission that it needs" in words(soup)


def test_an_answer_that_trickles_in_has_an_end(monkeypatch):
    monkeypatch.setattr(issuers, "MAX_SECONDS", 1)

    def trickle(conn, request):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(60):
            conn.sendall(b" ")
            time.sleep(0.1)

    start = time.monotonic()
    with serving(trickle) as server:
        remarks = issuers.look(Issuer(server.url, "kubernetes", ("openid",)))
    assert time.monotonic() - start < 5
    assert "did not answer in time" in json.dumps([remark.text for remark in remarks])
