"""Signing in and out with four real providers (tests/live/providers/): Django's test client is the portal, httpx the
browser at the provider.

Each test runs with each provider. Where providers differ, the test asserts what the provider's class says of it.
"""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from environments.models import User
from tests.kubectls import UnavailableError
from tests.live.providers import servers
from tests.live.providers.servers import Client, Provider
from tests.live.providers.visits import QUESTION, SIGN_IN, Visit, visit
from tests.portal.browser import Browser, use_issuer
from tests.services import PORTAL_URL

NAMES = [kind.name for kind in servers.ALL]


class Running:
    """The providers that were asked for, each started once."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._running:
            kind = next(kind for kind in servers.ALL if kind.name == name)
            provider = kind(self._factory.mktemp(name))
            try:
                provider.start()
            except UnavailableError as error:
                pytest.skip(f"no {name}: {error}")
            except BaseException:
                provider.stop()
                raise
            self._running[name] = provider
        return self._running[name]

    def stop(self) -> None:
        for provider in self._running.values():
            provider.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(tmp_path_factory)
    yield found
    found.stop()


@pytest.fixture(params=NAMES)
def provider(request: pytest.FixtureRequest, running: Running, settings: Settings) -> Provider:
    found = running[request.param]
    configure(settings, found)
    return found


@pytest.fixture
def person() -> Iterator[httpx.Client]:
    """The browser's other half: its cookies at the provider."""
    with httpx.Client(timeout=30) as client:
        yield client


def configure(
    settings: Settings, provider: Provider, client: Client | None = None, issuer: str = "", **more: object
) -> None:
    """The portal's settings for a provider; `more` is what else allauth's app has."""
    client = client or provider.client
    use_issuer(settings, issuer or provider.issuer, client.id, client.secret)
    settings.PORTAL_URL = PORTAL_URL
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"] |= more


def arrive(person: httpx.Client, name: str, *, agree: bool = True) -> tuple[Browser, HttpResponse, Visit]:
    """Sign in from the portal's sign-in page to the portal's answer to what the provider says."""
    browser = Browser()
    start = browser.get("/accounts/login/")
    assert start.status_code == 302, start.content.decode()
    seen = visit(person, start.url, name, agree=agree)
    return browser, browser.get(seen.path), seen


def sign_in(person: httpx.Client, name: str) -> Browser:
    browser, response, _ = arrive(person, name)
    assert response.status_code == 302, response.content.decode()
    return browser


@pytest.mark.django_db
def test_the_first_sign_in_makes_the_account_of_provider_issuer_and_subject(
    provider: Provider, person: httpx.Client
) -> None:
    browser, _, seen = arrive(person, "dana")

    user = User.objects.get()
    assert browser.user_id == user.pk
    assert (user.username, user.email, user.get_full_name()) == ("dana", "dana@example.com", "Dana Developer")
    assert (user.provider, user.issuer, user.subject) == ("sso", provider.issuer, provider.subject("dana"))
    assert seen.pages == [SIGN_IN, QUESTION]
    assert ("iss" in parse_qs(urlsplit(seen.path).query)) == provider.names_issuer
