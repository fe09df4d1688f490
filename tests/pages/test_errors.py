"""What people see when something is not there, not allowed, or broken."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tests.pages.reading import one, read, words


def test_what_is_not_there_leads_back(client, dana):
    client.force_login(dana)
    soup = read(client.get("/nothing/"), status=404)
    assert words(soup.h1) == "Page not found"
    assert [link["href"] for link in soup.select("main a.button")] == ["/environments/", "/catalog/"]


def test_what_one_may_not_see_looks_like_what_is_not_there(client, sam, make_environment):
    client.force_login(sam)
    hidden = read(client.get(f"/environments/{make_environment().namespace}/"), status=404)
    missing = read(client.get("/environments/nothing/"), status=404)
    assert words(one(hidden, "main")) == words(one(missing, "main"))


def test_a_refusal_gives_its_reason(client, theo, make_environment):
    client.force_login(theo)
    soup = read(client.get(f"/environments/{make_environment().namespace}/delete/"), status=403)
    assert "Only the owner and platform admins can change this environment." in words(one(soup, "main"))


def test_a_form_that_is_too_old_says_that_nothing_was_changed(dana, make_environment):
    client = Client(enforce_csrf_checks=True)
    client.force_login(dana)
    soup = read(client.post(f"/environments/{make_environment().namespace}/try-again/"), status=403)
    assert words(soup.h1) == "Please try again"


def test_a_broken_request_is_answered_in_the_frame(client, dana, settings):
    settings.ALLOWED_HOSTS = ["portal.example.com"]
    client.force_login(dana)
    soup = read(client.get("/", headers={"host": "other.example.com"}), status=400)
    assert words(soup.h1) == "We couldn't read this request"


def test_a_crash_is_answered_without_giving_anything_away(client, dana, monkeypatch):
    monkeypatch.setattr("environments.web.pages.catalog", lambda *_: 1 / 0)
    client.force_login(dana)
    client.raise_request_exception = False
    soup = read(client.get("/"), status=500)
    assert words(soup.h1) == "Something went wrong on our side"
    assert "ZeroDivision" not in words(soup)


@pytest.mark.parametrize("name", ["500.html", "400.html", "404.html", "403.html", "403_csrf.html"])
def test_error_pages_need_no_context(name):
    assert "<h1>" in render_to_string(name)


def test_somebody_who_is_not_signed_in_gets_a_404_without_a_menu(client, db):
    soup = read(client.get("/nothing/"), status=404)
    assert soup.select("nav") == []
