"""Check with a real token on a cluster's page: platform admins compare names with the cluster's settings."""

import json
import logging

import jwt
import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from environments.models import Cluster, TokenCheck, User
from tests.pages.reading import one, read, rows, words

TOKEN = jwt.encode({"sub": "ada"}, "k" * 32, algorithm="HS256")


@pytest.fixture
def oslo(db):
    return Cluster.objects.create(
        slug="oslo",
        name="Oslo",
        server="https://api.example.com:6443",
        access="oidc",
        oidc_issuer="https://idp.example.com",
        oidc_client_id="kubernetes",
        username_prefix="oidc:",
        groups_prefix="oidc:",
    )


@pytest.fixture
def ada(ada):
    key = {"provider": "sso", "issuer": "https://idp.example.com", "subject": "ada"}
    User.objects.filter(pk=ada.pk).update(claimed_email="Ada@Example.com", groups_claim=["admins", "all"], **key)
    ada.refresh_from_db()
    return ada


@pytest.fixture
def address(oslo):
    return reverse("admin:environments_cluster_sign_in", args=[oslo.pk])


def whoami(name: str, *groups: str) -> str:
    return json.dumps({"kind": "SelfSubjectReview", "status": {"userInfo": {"username": name, "groups": groups}}})


def pasted(client, address, text, status=200):
    return read(client.post(address, {"pasted": text}, follow=True), status)


def test_the_page_is_linked_from_the_clusters_own(client, ada, oslo, address):
    client.force_login(ada)
    change = reverse("admin:environments_cluster_change", args=[oslo.pk])
    assert read(client.get(change)).select(f'a[href="{address}"]')
    Cluster.objects.update(access="token")
    assert not read(client.get(change)).select(f'a[href="{address}"]')


def test_names_are_compared_with_those_that_signing_in_to_the_portal_leads_to(client, ada, address):
    client.force_login(ada)
    soup = read(client.get(address))
    assert words(one(soup, "#own-token + .pill")) == "sign-in not yet seen"
    soup = pasted(client, address, whoami("oidc:Ada@Example.com", "oidc:admins", "system:authenticated"))
    assert words(one(soup, "#own-token + .pill")) == "sign-in seen"
    assert rows(one(soup, ".observation")) == [
        ["User name", "oidc:Ada@Example.com", "oidc:Ada@Example.com", "✓ as expected"],
        ["Group", "oidc:admins", "oidc:admins", "✓ as expected"],
        [
            "Group The API server does not see this group. Access works by name. The group appears after the next "
            "sign-in.",
            "oidc:all",
            "missing",
            "not known",
        ],
    ]
    assert LogEntry.objects.get().get_change_message() == "Compared a real token: user name and groups."


def test_a_prefix_that_was_entered_wrongly_is_seen(client, ada, address):
    client.force_login(ada)
    soup = pasted(client, address, whoami("sso:Ada@Example.com", "sso:admins"))
    assert words(one(soup, "#own-token + .pill")) == "sign-in differs"
    assert "The prefix differs from the cluster's settings." in words(one(soup, ".observation"))


def test_what_members_pasted_is_listed_and_compared(client, ada, dana, oslo, address):
    target = [oslo.oidc_issuer, oslo.oidc_client_id]
    content = {"for": target, "username": "oidc:Dana@example.com", "groups": []}
    TokenCheck.objects.create(cluster=oslo, user=dana, kind="whoami", content=content)
    client.force_login(ada)
    shown = words(one(read(client.get(address)), "[aria-labelledby=other-tokens]"))
    assert "dana@example.com): sign-in differs, just now" in shown
    assert "Only the case differs." in shown


def test_a_token_is_refused_and_kept_nowhere(client, ada, address, caplog):
    caplog.set_level(logging.DEBUG)
    client.force_login(ada)
    soup = pasted(client, address, TOKEN, 422)
    assert "contains a token or a key" in words(one(soup, "#pasted-error"))
    assert TOKEN not in str(soup) + caplog.text
    assert not TokenCheck.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("person", ["dana", "max_manager"])
def test_only_platform_admins_get_there(client, request, address, person):
    client.force_login(request.getfixturevalue(person))
    for answer in (client.get(address), client.post(address, {"pasted": whoami("dana")})):
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={address}")
    assert not TokenCheck.objects.exists()
