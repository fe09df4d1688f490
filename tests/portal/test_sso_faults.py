"""Every fault of a sign-in: what the person reads, what the log has, and what neither of them has."""

import logging
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup
from pytest_django.fixtures import Settings

from environments.models import User
from portal.demo import certificates
from portal.sso_faults import Kind, of_call
from tests.portal.browser import Browser, use_issuer
from tests.portal.provider import CLIENT_SECRET, FakeProvider
from tests.security.servers import always, http, serving

CALLBACK = "/accounts/oidc/sso/login/callback/"
DISCOVERY = "/.well-known/openid-configuration"


def alert(response: Any) -> str:
    """The sentence for the person."""
    found = BeautifulSoup(response.content, "html.parser").select_one("main [role=alert]")
    assert found is not None, response.content
    return found.get_text()


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """What the log has about the one sign-in that failed."""
    records = [record for record in caplog.records if record.name == "portal.sign_in_log"]
    assert [record.levelno for record in records] == [logging.WARNING]
    found: dict[str, Any] = records[0].fields  # type: ignore[attr-defined]
    return found


def came_back_with(browser: Browser, query: str) -> Any:
    """The portal's answer when the provider redirects back with this query and the right state."""
    state = dict(parse_qsl(urlsplit(browser.get("/accounts/login/").url).query))["state"]
    return browser.get(f"{CALLBACK}?state={state}&{query}")


@pytest.mark.parametrize(
    ("query", "status", "kind", "code", "sentence"),
    [
        ("error=invalid_scope", 503, "scope", "invalid_scope", "OIDC_SCOPES must name only scopes"),
        ("error=unauthorized_client", 503, "client", "unauthorized_client", "authorization code flow"),
        ("error=server_error", 503, "unreachable", "server_error", "Try again in a few minutes"),
        ("error=temporarily_unavailable", 503, "unreachable", "temporarily_unavailable", "busy or in maintenance"),
        ("error=access_denied", 403, "person", "access_denied", "You cancelled the sign-in"),
        ("error=consent_required", 403, "person", "consent_required", "consent"),
        ("error=login_required", 403, "person", "login_required", "sign in there first"),
        ("error=made_up", 503, "answer", "made_up", "(made_up)"),
        ("error=%3Cscript%3E", 503, "answer", "unknown_error", "is not responding correctly"),
        ("nothing=else", 503, "answer", "no_code", "is not responding correctly"),
        (
            "error=invalid_scope&error_description=AADSTS650053:+dana%40example.com+asked",
            503,
            "scope",
            "invalid_scope AADSTS650053",
            "OIDC_SCOPES",
        ),
    ],
)
def test_an_error_of_the_authorization_endpoint_has_its_sentence_and_its_line(
    browser: Browser,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
    query: str,
    status: int,
    kind: str,
    code: str,
    sentence: str,
) -> None:
    response = came_back_with(browser, query)
    assert response.status_code == status
    assert sentence in alert(response)
    host = urlsplit(provider.issuer).netloc
    assert fields(caplog) == {"provider": "sso", "address": "127.0.0.1", "kind": kind, "code": code, "host": host}
    assert "dana@example.com" not in caplog.text + response.content.decode()


def test_an_error_without_a_state_of_this_browser_says_nothing_of_itself(
    browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    response = browser.get(f"{CALLBACK}?error=invalid_scope&state=of-another")
    assert response.status_code == 400
    assert "started in another browser" in alert(response)
    assert fields(caplog)["code"] == "unknown_state"


def test_wrong_credentials_are_told_and_are_nowhere(
    browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.secret = "another-one-since"
    response = browser.sign_in(provider)
    assert response.status_code == 503
    assert "does not accept the portal (invalid_client)" in alert(response)
    assert "Tell a platform admin" in alert(response)
    assert (fields(caplog)["kind"], fields(caplog)["code"]) == ("client", "invalid_client")
    for hidden in (f"={CLIENT_SECRET}", "code1", "another-one-since"):
        assert hidden not in caplog.text
        assert hidden not in response.content.decode()


def test_a_refusal_without_a_reason_is_about_the_credentials_too(browser: Browser, provider: FakeProvider) -> None:
    provider.overrides["/token"] = (401, "<html>no</html>")
    assert "invalid_client" in alert(browser.sign_in(provider))


def test_a_token_endpoint_that_moved_is_not_followed(
    browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.overrides["/token"] = (307, f"{provider.issuer}/elsewhere")
    assert "is not responding correctly" in alert(browser.sign_in(provider))
    assert fields(caplog)["code"] == "http_307"
    assert "/elsewhere" not in provider.asked, "the secret goes to one address only"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "sentence"),
    [
        ((404, ""), "discovery", "http_404", "OIDC_ISSUER must be its issuer URL"),
        ((500, ""), "unreachable", "http_500", "is not responding correctly"),
        ((200, "<html>"), "discovery", "not_json", "is not responding correctly"),
        ((200, "[" * 50_000), "discovery", "not_json", "is not responding correctly"),
        ((200, []), "discovery", "not_an_object", "is not responding correctly"),
        ((200, {"issuer": "http://x.example"}), "discovery", "no_authorization_endpoint", "is not responding"),
    ],
)
def test_a_discovery_document_that_is_no_use(
    browser: Browser,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, Any],
    kind: str,
    code: str,
    sentence: str,
) -> None:
    provider.overrides[DISCOVERY] = answer
    response = browser.get("/accounts/login/")
    assert response.status_code == 503
    assert sentence in alert(response)
    assert (fields(caplog)["kind"], fields(caplog)["code"]) == (kind, code)


def test_another_issuers_document(browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    provider.metadata["issuer"] = "https://other.example"
    assert "OIDC_ISSUER must be the issuer of its discovery document" in alert(browser.get("/accounts/login/"))
    assert fields(caplog)["kind"] == "issuer"


@pytest.mark.parametrize(
    ("issuer", "code"),
    [("http://127.0.0.1:1", "no_connection"), ("http://169.254.169.254/keys", "DeniedAddress")],
)
def test_nobody_there(
    browser: Browser, settings: Settings, caplog: pytest.LogCaptureFixture, issuer: str, code: str
) -> None:
    use_issuer(settings, issuer)
    response = browser.get("/accounts/login/")
    assert response.status_code == 503
    assert "Your account is fine" in alert(response)
    assert (fields(caplog)["kind"], fields(caplog)["code"]) == ("unreachable", code)
    assert fields(caplog)["host"] == urlsplit(issuer).netloc


def test_a_certificate_of_an_unknown_authority(
    browser: Browser, settings: Settings, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    certificates.issue(tmp_path, "idp")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / certificates.CERTIFICATE, tmp_path / certificates.KEY)
    with serving(always(http(b"{}")), context=context) as server:
        use_issuer(settings, server.url)
        assert "signed by an unknown certificate authority" in alert(browser.get("/accounts/login/"))
    assert (fields(caplog)["kind"], fields(caplog)["code"]) == ("certificate", "unknown_ca")


def test_a_server_without_tls(browser: Browser, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with serving(always(http(b"{}"))) as server:
        use_issuer(settings, server.url.replace("http:", "https:"))
        assert "answers without TLS" in alert(browser.get("/accounts/login/"))
    assert (fields(caplog)["kind"], fields(caplog)["code"]) == ("certificate", "plain_http")


@pytest.mark.parametrize(
    ("number", "code"), [(10, "expired"), (9, "not_yet_valid"), (62, "other_name"), (79, "not_trusted")]
)
def test_what_is_wrong_with_a_certificate(number: int, code: str) -> None:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = number
    try:
        raise requests.exceptions.SSLError(error)
    except requests.exceptions.SSLError as wrapped:
        fault = of_call(wrapped, "https://user:pass-word@idp.example.com/x")
    assert (fault.kind, fault.code, fault.host) == (Kind.CERTIFICATE, code, "idp.example.com")


def test_a_slow_provider_is_told_from_a_missing_one() -> None:
    fault = of_call(requests.ReadTimeout("read timed out"), "https://idp.example.com")
    assert (fault.kind, fault.code) == (Kind.UNREACHABLE, "timeout")
    assert "did not answer in time" in fault.sentence


class TestClocks:
    def test_may_differ_a_little(self, browser: Browser, provider: FakeProvider) -> None:
        provider.id_token = {"exp": int(time.time()) - 20}
        browser.sign_in(provider)
        assert browser.user_id == User.objects.get().pk

    def test_may_not_differ_where_the_setting_says_so(
        self, browser: Browser, provider: FakeProvider, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.CLOCK_LEEWAY_SECONDS = 0
        provider.id_token = {"exp": int(time.time()) - 20}
        response = browser.sign_in(provider)
        assert "expired 2" in alert(response), "about twenty seconds"
        assert "clocks" in alert(response)
        assert fields(caplog)["kind"] == "clock"
        assert browser.user_id is None

    def test_a_token_is_good_once(self, browser: Browser, provider: FakeProvider) -> None:
        provider.id_token = {"jti": "only-once"}
        browser.sign_in(provider)
        assert "was used before" in alert(Browser().sign_in(provider))


class TestTheLine:
    def test_of_a_success_names_user_provider_and_address(
        self, browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        browser.sign_in(provider)
        lines = [record for record in caplog.records if record.name == "portal.sign_in_log"]
        user = str(User.objects.get().pk)
        assert [line.fields for line in lines] == [{"user": user, "provider": "sso", "address": "127.0.0.1"}]  # type: ignore[attr-defined]
        assert "dana" not in lines[0].getMessage()

    def test_of_a_refused_account_says_so(
        self, browser: Browser, provider: FakeProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider.claims["email"] = None
        response = browser.sign_in(provider)
        assert response.status_code == 403
        assert (fields(caplog)["kind"], fields(caplog)["code"]) == ("account", "SignInRefused")

    @pytest.mark.parametrize(("trusted", "address"), [(True, "203.0.113.7"), (False, "127.0.0.1")])
    def test_has_the_address_that_the_proxy_adds_if_there_is_one(
        self,
        browser: Browser,
        provider: FakeProvider,
        settings: Settings,
        caplog: pytest.LogCaptureFixture,
        trusted: bool,
        address: str,
    ) -> None:
        if trusted:
            settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
        forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
        browser.get(f"{CALLBACK}?state=x", headers=forwarded)
        assert fields(caplog)["address"] == address

    def test_of_a_wrong_password_has_no_name(
        self, browser: Browser, local_accounts: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        local_accounts.SOCIALACCOUNT_ONLY = False
        browser.post("/accounts/login/", {"login": "root@example.com", "password": "wrong-word"})
        assert fields(caplog) | {"host": ""} == {
            "provider": "local",
            "address": "127.0.0.1",
            "kind": "account",
            "code": "wrong_password",
            "host": "",
        }
        assert "root@example.com" not in caplog.text
        assert "wrong-word" not in caplog.text
