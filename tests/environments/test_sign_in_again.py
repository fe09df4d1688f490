"""A form that is sent after the session ended: after signing in people are on its page, and nothing was done."""

import pytest
from django.test import Client
from django.urls import resolve

from environments.models import Event, User
from portal.sign_in_again import NOT_DONE, takes_get
from tests.portal.browser import Browser
from tests.portal.provider import FakeProvider
from tests.routes import address, routes

pytestmark = pytest.mark.django_db
ROUTES = [route for route in routes() if "(?P" not in route and route not in ("/healthz", "/readyz", "/metrics")]


def asked(path: str, method: str = "POST", **headers: str):
    """The answer to somebody who is not signed in."""
    return Client(headers=headers).generic(method, path)


def refuses_get(client: Client, path: str) -> bool:
    """Whether the address takes no GET."""
    response = client.get(path)
    response.close()  # a download holds a file
    return response.status_code == 405


def test_what_takes_get_is_known_of_every_view(cast):
    environment, people = cast
    client = Client()
    client.raise_request_exception = False
    wrong = []
    for route in ROUTES:
        path = address(route, environment)
        if path == "/accounts/logout/":
            continue
        client.force_login(User.objects.get(pk=people["admin"].pk))
        if refuses_get(client, path) == takes_get(resolve(path).func):
            wrong.append(path)
    assert wrong == []


def test_every_post_leads_to_a_page_that_can_be_opened(cast):
    environment, people = cast
    admin = Client()
    admin.force_login(User.objects.get(pk=people["admin"].pk))
    tried = 0
    for route in ROUTES:
        path = address(route, environment)
        response = asked(path)
        if response.status_code != 302 or not response["Location"].startswith("/accounts/login/?next="):
            continue
        page = Client().get(response["Location"]).wsgi_request.GET["next"]
        assert not refuses_get(admin, page), path
        tried += 1
    assert tried > 60


def test_leads_to_the_page_that_the_form_was_on(cast):
    environment, _ = cast
    page = f"/environments/{environment.namespace}/members/?page=2"
    response = asked(f"/environments/{environment.namespace}/try-again/", Referer=f"http://testserver{page}")
    assert Client().get(response["Location"]).wsgi_request.GET["next"] == page


@pytest.mark.parametrize(
    "referrer", ["", "https://evil.example/environments/", "http://testserver//evil.example/", "http://testserver/no/"]
)
def test_leads_to_the_page_above_if_the_browser_does_not_say(cast, referrer):
    environment, _ = cast
    response = asked(f"/environments/{environment.namespace}/try-again/", Referer=referrer)
    assert Client().get(response["Location"]).wsgi_request.GET["next"] == f"/environments/{environment.namespace}/"


def test_never_leads_to_an_address_that_takes_no_get(cast):
    environment, _ = cast
    check = f"/environments/{environment.namespace}/try-again/"
    response = asked(check, Referer=f"http://testserver{check}")
    assert Client().get(response["Location"]).wsgi_request.GET["next"] == f"/environments/{environment.namespace}/"


def test_says_after_signing_in_that_nothing_was_done(provider: FakeProvider, cast):
    environment, _ = cast
    provider.claims = {"sub": "o", "email": "root@example.com", "groups": ["platform-admins"]}
    browser, before = Browser(), Event.objects.count()
    sent = browser.post(f"/environments/{environment.namespace}/try-again/")
    response = browser.sign_in(provider, sent["Location"])
    page = browser.get(response["Location"])
    assert page.status_code == 200
    assert NOT_DONE in page.content.decode()
    assert NOT_DONE not in browser.get(response["Location"]).content.decode(), "once"
    assert Event.objects.count() == before


def test_of_htmx_has_the_whole_page_loaded_anew(cast):
    environment, _ = cast
    browser = Client(headers={"HX-Request": "true"})
    sent = browser.post(f"/environments/{environment.namespace}/try-again/")
    assert browser.get(sent["Location"])["HX-Refresh"] == "true"
