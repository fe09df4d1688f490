"""Signing in and out with a real provider: Django's test client is the portal, httpx the browser at Canaille."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from pytest_django.fixtures import Settings

from environments.models import Team, UnlinkedIdentity, User
from portal import linking
from portal.demo import seed
from portal.demo.idp import PASSWORD, IdentityProvider
from portal.demo.ports import free_port
from tests.portal.browser import Browser, use_issuer
from tests.services import PORTAL_URL


@pytest.fixture(autouse=True)
def canaille(settings: Settings, idp: IdentityProvider) -> None:
    use_issuer(settings, idp.issuer, idp.oidc_client_id, idp.oidc_client_secret)
    settings.PORTAL_URL = PORTAL_URL


@pytest.fixture
def client(idp: IdentityProvider) -> Iterator[httpx.Client]:
    """The browser's other half: its cookies at Canaille."""
    with httpx.Client(base_url=idp.issuer) as client:
        yield client


def at_canaille(client: httpx.Client, url: str, name: str) -> httpx.URL:
    """Fill in Canaille's forms (user name, then password); where it leads to at the end."""
    response = client.get(url)
    for fields in ({"login": name}, {"password": PASSWORD}):
        page = follow(client, response)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token, page.text
        response = client.post(page.url, data=fields | {"csrf_token": token[1], "answer": ""})
    return follow(client, response, until=PORTAL_URL).url


def follow(client: httpx.Client, response: httpx.Response, until: str = "") -> httpx.Response:
    """Go where the redirects lead, or to the first one that leads to `until`."""
    while response.is_redirect:
        url = urljoin(str(response.url), response.headers["Location"])
        if until and url.startswith(until):
            return httpx.Response(200, request=httpx.Request("GET", url))
        response = client.get(url)
    assert response.status_code == 200, response.text
    return response


def sign_in(client: httpx.Client, name: str) -> Browser:
    browser = Browser()
    back = at_canaille(client, browser.get("/accounts/login/").url, name)
    response = browser.get(back.raw_path.decode())
    assert response.status_code == 302, response.content.decode()
    return browser


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "role", "teams", "managed"),
    [
        ("dana", "Developer", ["Checkout"], []),
        ("theo", "Developer", ["Checkout"], []),
        ("max", "Manager", ["Checkout"], ["Checkout"]),
        ("ada", "Platform admin", [], []),
        ("sam", "Developer", ["Search"], []),
    ],
)
def test_everybody_of_the_demo_signs_in_with_their_role(
    client: httpx.Client, name: str, role: str, teams: list[str], managed: list[str]
) -> None:
    Team.objects.create(name="Checkout", group="team-checkout", manager_group="team-checkout-managers")
    Team.objects.create(name="Search", group="team-search")

    browser = sign_in(client, name)

    user = User.objects.get(pk=browser.user_id)
    assert (user.username, user.email, user.role_name) == (name, f"{name}@example.com", role)
    assert user.get_full_name().split()[0].lower() == name
    assert [team.name for team in user.teams.all()] == teams
    assert [team.name for team in user.managed_teams.all()] == managed


@pytest.mark.django_db
def test_an_account_made_beforehand_is_taken_by_the_verified_address(client: httpx.Client) -> None:
    seeded = User.objects.create(username="seeded", email="dana@example.com")
    browser = sign_in(client, "dana")
    assert browser.user_id == seeded.pk


@pytest.mark.django_db
def test_who_is_seeded_for_the_demo_is_who_signs_in(idp: IdentityProvider, client: httpx.Client) -> None:
    seed._person("dana", "Dana", "Developer")
    seeded = User.objects.get()
    browser = sign_in(client, "dana")
    assert browser.user_id == seeded.pk
    assert (seeded.issuer, seeded.subject) == (idp.issuer, "dana")


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[IdentityProvider]:
    """The same people at another issuer: what a move to a new tenant comes to."""
    provider = IdentityProvider(tmp_path, free_port(), PORTAL_URL)
    provider.start()
    try:
        provider.wait_ready(60)
        yield provider
    finally:
        provider.stop()


@pytest.mark.django_db
def test_after_a_move_to_another_issuer_a_link_lets_people_back_in(
    settings: Settings, client: httpx.Client, moved: IdentityProvider
) -> None:
    dana = sign_in(client, "dana").user_id
    use_issuer(settings, moved.issuer, moved.oidc_client_id, moved.oidc_client_secret)
    settings.PORTAL_URL = PORTAL_URL
    with httpx.Client(base_url=moved.issuer) as new:
        browser = Browser()
        back = at_canaille(new, browser.get("/accounts/login/").url, "dana")
        assert browser.get(back.raw_path.decode()).status_code == 403
        linking.link(User.objects.get(pk=dana), UnlinkedIdentity.objects.get(), by=None)
    with httpx.Client(base_url=moved.issuer) as again:
        assert sign_in(again, "dana").user_id == dana


@pytest.mark.django_db
def test_sign_out_ends_canailles_session_and_comes_back(client: httpx.Client) -> None:
    browser = sign_in(client, "dana")
    again = client.get(browser.get("/accounts/oidc/sso/login/").url)
    assert parse_qs(urlsplit(again.headers["Location"]).query)["code"], "still signed in at Canaille"

    out = browser.post("/accounts/logout/")
    back = client.get(out["Location"])

    assert back.headers["Location"] == f"{PORTAL_URL}/accounts/signed-out/"
    asked = client.get(browser.get("/accounts/login/").url)
    assert asked.headers["Location"] == "/login", "Canaille asks who it is again"


@pytest.mark.django_db
def test_cookies_of_the_two_have_different_names_and_hosts(idp: IdentityProvider, client: httpx.Client) -> None:
    browser = sign_in(client, "dana")
    assert not {cookie.name for cookie in client.cookies.jar} & set(browser.cookies)
    assert urlsplit(idp.issuer).hostname != urlsplit(PORTAL_URL).hostname
