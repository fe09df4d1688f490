"""How the portal asks an identity provider: scopes, and every way to authenticate at the token endpoint."""

from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache
from pytest_django.fixtures import Settings

from portal import checks
from tests.portal.browser import Browser
from tests.portal.provider import FakeProvider, new_key

BASIC, POST, KEY = "client_secret_basic", "client_secret_post", "private_key_jwt"


def configure(settings: Settings, **more: Any) -> None:
    """The first provider's settings, changed."""
    providers = deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    providers["openid_connect"]["APPS"][0]["settings"] |= more
    settings.SOCIALACCOUNT_PROVIDERS = providers


class TestScopes:
    @pytest.mark.parametrize(
        ("listed", "asked"),
        [
            (None, {"openid", "profile", "email", "groups"}),
            (["openid", "email", "profile", "offline_access"], {"openid", "profile", "email"}),
            (["email", "groups"], {"openid", "email", "groups"}),
            ("openid email", {"openid", "profile", "email", "groups"}),
        ],
    )
    def test_are_those_that_the_provider_has(
        self, browser: Browser, provider: FakeProvider, listed: Any, asked: set[str]
    ) -> None:
        provider.metadata["scopes_supported"] = listed
        query = dict(parse_qsl(urlsplit(browser.get("/accounts/login/").url).query))
        assert set(query["scope"].split()) == asked

    def test_of_the_settings_are_asked_for_as_they_are(
        self, browser: Browser, provider: FakeProvider, settings: Settings
    ) -> None:
        configure(settings, scope=["openid email", "api://roles"])
        provider.metadata["scopes_supported"] = ["openid"]
        query = dict(parse_qsl(urlsplit(browser.get("/accounts/login/").url).query))
        assert set(query["scope"].split()) == {"openid", "email", "api://roles"}


class TestASecret:
    @pytest.mark.parametrize(
        ("listed", "accepted", "tried"),
        [
            (None, BASIC, [BASIC]),
            (None, POST, [BASIC, POST]),
            ([BASIC], BASIC, [BASIC]),
            ([POST], POST, [POST]),
            ([BASIC, POST, KEY], POST, [POST]),
            ([BASIC, POST, KEY], BASIC, [POST, BASIC]),
            ([KEY], BASIC, [BASIC]),
        ],
    )
    def test_goes_the_way_that_the_provider_takes(
        self, browser: Browser, provider: FakeProvider, listed: Any, accepted: str, tried: list[str]
    ) -> None:
        provider.metadata["token_endpoint_auth_methods_supported"] = listed
        provider.accepts = (accepted,)
        browser.sign_in(provider)
        assert browser.user_id is not None
        assert provider.tried == tried

    def test_goes_at_once_the_way_that_worked_before(self, browser: Browser, provider: FakeProvider) -> None:
        provider.metadata["token_endpoint_auth_methods_supported"] = [BASIC, POST]
        provider.accepts = (BASIC,)
        browser.sign_in(provider)
        Browser().sign_in(provider)
        assert provider.tried == [POST, BASIC, BASIC]

    def test_goes_one_way_only_where_the_settings_say_so(
        self, browser: Browser, provider: FakeProvider, settings: Settings
    ) -> None:
        configure(settings, client_auth=POST)
        provider.accepts = (BASIC,)
        assert "invalid_client" in browser.sign_in(provider).content.decode()
        assert provider.tried == [POST]

    def test_may_hold_any_character(self, browser: Browser, provider: FakeProvider, settings: Settings) -> None:
        provider.secret = "a:b%c d+e/ä&f=g"
        providers = deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
        providers["openid_connect"]["APPS"][0]["secret"] = provider.secret
        settings.SOCIALACCOUNT_PROVIDERS = providers
        for way in (BASIC, POST):
            cache.clear()
            provider.accepts = (way,)
            provider.metadata["token_endpoint_auth_methods_supported"] = [way]
            one = Browser()
            one.sign_in(provider)
            assert one.user_id is not None, way


class TestAKey:
    @pytest.fixture
    def pem(self, provider: FakeProvider) -> str:
        pem = new_key()
        provider.client_key = serialization.load_pem_private_key(pem.encode(), None).public_key()
        provider.accepts = (KEY,)
        return pem

    @pytest.mark.parametrize("audience", ["", "/token"])
    def test_proves_who_the_portal_is_to_either_audience(
        self, browser: Browser, provider: FakeProvider, settings: Settings, pem: str, audience: str
    ) -> None:
        configure(settings, client_auth=KEY, client_key=pem, client_key_id="k1", client_key_algorithm="RS256")
        provider.assertion_audience = provider.issuer + audience
        browser.sign_in(provider)
        assert browser.user_id is not None
        assert provider.tried == [KEY] * (2 if audience else 1), "the issuer first, as Core asks for"

    def test_may_be_on_a_curve(self, browser: Browser, provider: FakeProvider, settings: Settings) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        provider.client_key, provider.accepts = key.public_key(), (KEY,)
        pem = key.private_bytes(*form).decode()
        configure(settings, client_auth=KEY, client_key=pem, client_key_id="", client_key_algorithm="ES256")
        browser.sign_in(provider)
        assert browser.user_id is not None

    def test_of_another_client_is_refused_with_a_sentence(
        self, browser: Browser, provider: FakeProvider, settings: Settings, pem: str
    ) -> None:
        configure(settings, client_auth=KEY, client_key=new_key(), client_key_id="", client_key_algorithm="RS256")
        assert "does not accept the portal" in browser.sign_in(provider).content.decode()

    @pytest.mark.parametrize(
        ("of", "sentence"),
        [
            ({"client_auth": KEY, "client_key": ""}, "Set OIDC_CLIENT_KEY_FILE to the path of the private key"),
            ({"client_auth": KEY, "client_key": "no key"}, "OIDC_CLIENT_KEY must be an unencrypted private key in PEM"),
            ({"client_auth": KEY, "client_key": "rsa", "client_key_algorithm": "ES256"}, "can sign with ES256"),
            ({"client_auth": KEY, "client_key": "rsa"}, ""),
            ({}, ""),
        ],
    )
    def test_that_cannot_sign_is_told_at_the_start(
        self, settings: Settings, pem: str, of: dict[str, str], sentence: str
    ) -> None:
        if of.get("client_key") == "rsa":
            of = of | {"client_key": pem}
        configure(settings, **of)
        told = [str(error.msg) for error in checks.client_keys_can_sign(None)]
        assert len(told) == bool(sentence)
        assert all(sentence in one and pem not in one for one in told)

    def test_is_enough_without_a_secret(self, settings: Settings, pem: str) -> None:
        configure(settings, client_auth=KEY, client_key=pem)
        settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["secret"] = ""
        assert checks.oidc_client_is_set(None) == []
