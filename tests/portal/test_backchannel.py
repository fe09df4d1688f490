"""Back-channel logout: a provider ends exactly the sessions that it names, and nobody else can end any."""

import logging
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django.fixtures import Settings

from environments.models import ProviderSession, UsedLogoutToken, User
from portal import backchannel
from tests.portal.browser import Browser
from tests.portal.provider import SIGNING_KEY, FakeProvider, new_key

ADDRESS = "/accounts/oidc/sso/backchannel-logout/"
EVENTS = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture(scope="module")
def pem() -> str:
    return new_key()


@pytest.fixture
def signer(provider: FakeProvider, pem: str) -> FakeProvider:
    """The provider, with a key for logout tokens."""
    provider.keys["k1"] = pem
    return provider


@pytest.fixture
def out(signer: FakeProvider, db: None) -> Callable[..., Any]:
    """Send a logout token as the provider's server does, by default about dana."""

    def send(address: str = ADDRESS, key: str = "k1", headers: dict[str, Any] | None = None, **claims: Any) -> Any:
        token = signer.logout_token(key, headers, **({"sub": "dana"} | claims))
        return Client(enforce_csrf_checks=True).post(address, {"logout_token": token})

    return send


def signed_in(provider: FakeProvider, sid: str | None = None, subject: str = "dana", key: str = "sso") -> Browser:
    """A browser with a session that the provider opened and calls `sid`."""
    provider.claims |= {"sub": subject, "email": f"{subject}@example.com", "preferred_username": subject}
    provider.id_token = {"sid": sid} if sid else {}
    browser = Browser()
    browser.sign_in(provider, key=key)
    assert is_in(browser)
    return browser


def is_in(browser: Browser) -> bool:
    """Whether the portal still answers this browser with a page."""
    return browser.get("/environments/").status_code == 200


def test_ends_all_sessions_of_a_subject_and_no_others(signer: FakeProvider, out: Callable[..., Any]) -> None:
    danas = [signed_in(signer, "one"), signed_in(signer, "two"), signed_in(signer)]
    theo = signed_in(signer, "three", subject="theo")
    response = out()
    assert (response.status_code, response.content) == (200, b"")
    assert response["Cache-Control"] == "no-store"
    assert [is_in(browser) for browser in danas] == [False, False, False]
    assert is_in(theo)
    assert ProviderSession.objects.count() == 1


@pytest.mark.parametrize("claims", [{"sid": "one", "sub": None}, {"sid": "one"}])
def test_ends_the_one_session_that_is_named(
    signer: FakeProvider, out: Callable[..., Any], claims: dict[str, Any]
) -> None:
    one, two = signed_in(signer, "one"), signed_in(signer, "two")
    assert out(**claims).status_code == 200
    assert (is_in(one), is_in(two)) == (False, True)


def test_takes_a_session_without_a_name_for_the_one_that_is_meant(
    signer: FakeProvider, out: Callable[..., Any]
) -> None:
    nameless, theo = signed_in(signer), signed_in(signer, subject="theo")
    assert out(sid="one").status_code == 200
    assert (is_in(nameless), is_in(theo)) == (False, True)


def test_of_nobody_who_is_signed_in_is_fine(out: Callable[..., Any]) -> None:
    assert out(sub="somebody").status_code == 200


def test_leaves_local_sessions_alone(signer: FakeProvider, out: Callable[..., Any]) -> None:
    signed_in(signer)
    local = Browser()
    local.force_login(User.objects.get())
    out()
    assert is_in(local)


def test_is_each_providers_own(signer: FakeProvider, partner: FakeProvider, out: Callable[..., Any]) -> None:
    partner.keys = dict(signer.keys)
    theirs = signed_in(partner, "one", key="partner")
    assert out(sid="one").status_code == 200
    assert is_in(theirs), "the same names at another provider"
    assert out("/accounts/oidc/partner/backchannel-logout/").status_code == 400, "another issuer's token"
    assert is_in(theirs)
    token = partner.logout_token("k1", sub="dana")
    Client().post("/accounts/oidc/partner/backchannel-logout/", {"logout_token": token})
    assert not is_in(theirs)


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims, with the times that are given as seconds from now."""
    now = int(time.time())
    return {
        name: now + value if isinstance(value, int) and name in ("iat", "exp") else value
        for name, value in claims.items()
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": None},
        {"iat": None},
        {"iat": 600},
        {"exp": -120},
        {"exp": None, "iat": -600},
        {"exp": "soon"},
        {"jti": None},
        {"jti": 7},
        {"events": None},
        {"events": []},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": None}},
        {"nonce": "n"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_token_with_a_fault_ends_nothing(
    signer: FakeProvider, out: Callable[..., Any], claims: dict[str, Any]
) -> None:
    browser = signed_in(signer)
    response = out(**timed(claims))
    assert response.status_code == 400
    assert response["Cache-Control"] == "no-store"
    assert response.json()["error"] == "invalid_request"
    assert response.json()["error_description"].endswith(".")
    assert is_in(browser)


@pytest.mark.parametrize("claims", [{"aud": ["portal", "another"]}, {"exp": None}, {"exp": -20}], ids=str)
def test_a_token_that_is_right_in_its_way(
    signer: FakeProvider, out: Callable[..., Any], claims: dict[str, Any]
) -> None:
    browser = signed_in(signer)
    assert out(**timed(claims)).status_code == 200
    assert not is_in(browser)


@pytest.mark.parametrize("headers", [{"typ": None}, {"typ": "JWT"}, {"typ": "Logout+JWT"}, {"kid": None}], ids=str)
def test_headers_that_providers_send(signer: FakeProvider, out: Callable[..., Any], headers: dict[str, Any]) -> None:
    assert out(headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{"typ": "at+jwt"}, {"kid": "k2"}], ids=str)
def test_headers_of_another_token(signer: FakeProvider, out: Callable[..., Any], headers: dict[str, Any]) -> None:
    assert out(headers=headers).status_code == 400


def forged(provider: FakeProvider, way: str) -> str:
    claims = jwt.decode(provider.logout_token("k1", sub="dana"), options={"verify_signature": False})
    if way == "unsigned":
        return jwt.encode(claims, None, algorithm="none")
    if way == "with a secret":
        return jwt.encode(claims, SIGNING_KEY, algorithm="HS256", headers={"kid": "k1"})
    if way == "with another key":
        return jwt.encode(claims, new_key(), algorithm="RS256", headers={"kid": "k1"})
    head, _, signature = provider.logout_token("k1", sub="dana").split(".")
    other = provider.logout_token("k1", sub="theo").split(".")[1]
    return {"changed": f"{head}.{other}.{signature}", "cut": f"{head}.{other}", "empty": "", "long": "x" * 30_000}[way]


@pytest.mark.parametrize("way", ["unsigned", "with a secret", "with another key", "changed", "cut", "empty", "long"])
def test_a_forged_token_ends_nothing(signer: FakeProvider, db: None, way: str) -> None:
    browser = signed_in(signer)
    response = Client().post(ADDRESS, {"logout_token": forged(signer, way)})
    assert response.status_code == 400
    assert is_in(browser)


def test_an_id_token_is_none(signer: FakeProvider, db: None) -> None:
    browser = signed_in(signer)
    token = signer.logout_token("k1", {"typ": "JWT"}, sub="dana", events=None, nonce="n")
    assert Client().post(ADDRESS, {"logout_token": token}).status_code == 400
    assert is_in(browser)


def test_a_token_is_good_once(signer: FakeProvider, out: Callable[..., Any]) -> None:
    assert out(jti="only-once").status_code == 200
    later = signed_in(signer)
    response = out(jti="only-once")
    assert (response.status_code, "used before" in response.json()["error_description"]) == (400, True)
    assert is_in(later)


def test_used_tokens_are_forgotten_once_they_have_expired(signer: FakeProvider, out: Callable[..., Any]) -> None:
    out()
    UsedLogoutToken.objects.update(expires_at="2020-01-01T00:00Z")
    out()
    assert UsedLogoutToken.objects.count() == 1


class TestKeys:
    def test_that_are_new_are_fetched(self, signer: FakeProvider, out: Callable[..., Any]) -> None:
        out()
        signer.keys = {"k2": new_key()}
        browser = signed_in(signer)
        assert out(key="k2").status_code == 200
        assert not is_in(browser)

    def test_that_are_new_and_have_no_name_are_fetched(self, signer: FakeProvider, out: Callable[..., Any]) -> None:
        out()
        signer.keys = {"k1": new_key()}
        assert out(headers={"kid": None}).status_code == 200

    def test_are_not_fetched_for_every_token(self, signer: FakeProvider, out: Callable[..., Any]) -> None:
        for _ in range(5):
            assert out(headers={"kid": "unknown"}).status_code == 400
        assert signer.asked.count("/jwks") == 2, "once at all, and once again for the unknown one"

    @pytest.mark.parametrize("answer", [(500, ""), (200, "<html>"), (200, {}), (200, {"keys": [{"kty": "?"}, 7]})])
    def test_that_cannot_be_read_end_nothing(
        self, signer: FakeProvider, out: Callable[..., Any], answer: tuple[int, Any]
    ) -> None:
        browser = signed_in(signer)
        signer.overrides["/jwks"] = answer
        assert out().status_code == 400
        assert is_in(browser)


class TestTheAddress:
    def test_takes_nothing_but_post(self, provider: FakeProvider, db: None) -> None:
        response = Client().get(ADDRESS)
        assert response.status_code == 405
        assert response["Cache-Control"] == "no-store"

    def test_of_no_provider_is_not_there(self, provider: FakeProvider, db: None) -> None:
        assert Client().post("/accounts/oidc/other/backchannel-logout/").status_code == 404

    def test_refuses_an_address_that_only_sends_rubbish(
        self, signer: FakeProvider, out: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backchannel, "MOST_REFUSED", 3)
        for _ in range(4):
            assert out().status_code == 200, "valid ones are not counted"
        found = [Client().post(ADDRESS, {"logout_token": "x"}).status_code for _ in range(5)]
        assert found == [400, 400, 400, 429, 429]
        elsewhere = Client(REMOTE_ADDR="203.0.113.9").post(
            ADDRESS, {"logout_token": signer.logout_token("k1", sub="x")}
        )
        assert elsewhere.status_code == 200


def test_the_log_says_who_ended_whose_sessions(
    signer: FakeProvider, out: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    signed_in(signer)
    out()
    out(nonce="n")
    lines = [record for record in caplog.records if record.name == "portal.backchannel"]
    user = User.objects.get().pk
    assert [line.fields for line in lines] == [  # type: ignore[attr-defined]
        {"provider": "sso", "address": "127.0.0.1", "users": [user]},
        {"provider": "sso", "address": "127.0.0.1"},
    ]
    assert "dana" not in " ".join(line.getMessage() for line in lines)


class TestTheRecord:
    def test_goes_with_the_session(self, signer: FakeProvider, db: None) -> None:
        browser = signed_in(signer)
        assert ProviderSession.objects.count() == 1
        browser.post("/accounts/logout/")
        assert (Session.objects.count(), ProviderSession.objects.count()) == (0, 0)

    def test_goes_with_the_person(self, signer: FakeProvider, db: None) -> None:
        signed_in(signer)
        User.objects.get().delete()
        assert ProviderSession.objects.count() == 0

    def test_follows_a_second_sign_in_in_one_browser(self, signer: FakeProvider, db: None) -> None:
        browser = signed_in(signer, "one")
        signer.id_token = {"sid": "two"}
        query = signer.grant(browser.get("/accounts/oidc/sso/login/").url)
        browser.get(f"/accounts/oidc/sso/login/callback/?{query}")
        assert [row.sid for row in ProviderSession.objects.all()] == ["two"]


def test_sessions_last_as_long_as_the_setting_says(provider: FakeProvider, db: None, settings: Settings) -> None:
    settings.SESSION_COOKIE_AGE = 1800
    browser = signed_in(provider)
    session = Session.objects.get(pk=browser.session.session_key)
    assert 1790 < session.expire_date.timestamp() - time.time() <= 1800
