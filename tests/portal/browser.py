"""A browser that signs in at a provider of the test's own."""

from copy import deepcopy
from typing import Any

from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from tests.portal.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider


def use_issuer(settings: Settings, issuer: str, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> None:
    """The settings as they would be with this issuer in the environment."""
    cache.clear()
    providers: dict[str, Any] = deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    app = providers["openid_connect"]["APPS"][0]
    app |= {"client_id": client_id, "secret": secret}
    app["settings"]["server_url"] = issuer
    settings.SOCIALACCOUNT_PROVIDERS = providers
    settings.OIDC_ISSUER = issuer
    settings.PORTAL_URL = "http://testserver"


def add_provider(settings: Settings, key: str, issuer: str, **more: Any) -> None:
    """A further provider, as OIDC_PROVIDERS and its own settings would configure it."""
    cache.clear()
    values = {"EMAILS": "verified", "EMAIL_DOMAINS": [], "GROUPS_CLAIM": "groups"}
    values |= {"ADMIN_GROUPS": [], "MANAGER_GROUPS": []} | more
    settings.OIDC_FURTHER = settings.OIDC_FURTHER | {key: values}
    providers: dict[str, Any] = deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    client = {"client_id": CLIENT_ID, "secret": CLIENT_SECRET}
    place = {"server_url": issuer, "scope": ["openid", "profile", "email"]}
    providers["openid_connect"]["APPS"].append(
        {"provider_id": key, "name": key.capitalize(), **client, "settings": place}
    )
    settings.SOCIALACCOUNT_PROVIDERS = providers


class Browser(Client):
    """Django's test client, which can go through a sign-in."""

    def sign_in(
        self, provider: FakeProvider, path: str = "/accounts/login/", key: str = "sso", extra: str = ""
    ) -> HttpResponse:
        """From the sign-in page to the portal's answer at the callback."""
        start = self.get(path if key == "sso" else f"/accounts/oidc/{key}/login/")
        assert start.status_code == 302, start.content
        assert start.url.startswith(f"{provider.issuer.removesuffix('/')}/authorize?")
        return self.get(f"/accounts/oidc/{key}/login/callback/?{provider.grant(start.url)}{extra}")

    @property
    def user_id(self) -> int | None:
        """Who is signed in."""
        value = self.session.get("_auth_user_id")
        return int(value) if value else None
