"""Directories in the admin: what each kind needs, and the test that is asked for by a button."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from environments.admin.directories import DirectoryForm
from environments.models import Directory, LocalGroup, User

COMPLETE = {
    "scim": {"url": "https://idp.example.com/scim/v2", "secret": "s3cret"},
    "keycloak": {"url": "https://kc.example.com/admin/realms/acme", "client_id": "portal", "secret": "s3cret"},
    "okta": {"url": "https://acme.okta.com", "secret": "s3cret"},
    "entra": {
        "url": "https://graph.microsoft.com/v1.0",
        "token_url": "https://login.microsoftonline.com/acme/oauth2/v2.0/token",
        "client_id": "portal",
        "secret": "s3cret",
    },
    "local": {},
}

pytestmark = pytest.mark.django_db


def form(kind: str, **fields: Any) -> DirectoryForm:
    return DirectoryForm({"name": "Company", "kind": kind} | fields)


@pytest.mark.parametrize("kind", COMPLETE)
def test_what_each_kind_needs_is_enough(kind: str) -> None:
    assert form(kind, **COMPLETE[kind]).errors == {}


@pytest.mark.parametrize(("kind", "left_out"), [(kind, field) for kind, fields in COMPLETE.items() for field in fields])
def test_what_is_missing_is_told_at_its_field(kind: str, left_out: str) -> None:
    fields = {name: value for name, value in COMPLETE[kind].items() if name != left_out}
    assert left_out in form(kind, **fields).errors


def test_a_keycloak_address_has_to_name_a_realm() -> None:
    errors = form("keycloak", **COMPLETE["keycloak"] | {"url": "https://kc.example.com/"}).errors
    assert "admin/realms" in str(errors["url"])


def test_a_stored_secret_is_not_for_another_product() -> None:
    row = Directory.objects.create(name="Company", kind="scim", url="https://idp.example.com", secret="s3cret")
    fields = {"name": "Company", "kind": "okta", "url": row.url}
    assert "secret" in DirectoryForm(fields, instance=row).errors


@pytest.fixture
def local() -> Directory:
    return Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)


def test_the_page_has_both_tests(client: Client, ada: User, local: Directory) -> None:
    client.force_login(ada)
    page = client.get(reverse("admin:environments_directory_change", args=[local.pk])).content.decode()
    for name in ("test", "try_out"):
        assert reverse(f"admin:environments_directory_{name}", args=[local.pk]) in page
    assert 'value="ada@example.com"' in page


def test_a_platform_admin_tries_a_directory_out(client: Client, ada: User, local: Directory) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    page = client.post(url, {"email": "ada@example.com"}).content.decode()
    assert "passed" in page
    assert page.count('<th scope="row">') == 7
    assert not LocalGroup.objects.exists()
    assert "all steps passed" in str(LogEntry.objects.latest("pk"))


def test_a_failure_is_shown_and_escaped(client: Client, ada: User, local: Directory) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    page = client.post(url, {"email": "<b>@example.com"}).content.decode()
    assert "failed" in page
    assert "<b>@example.com" not in page


def test_nobody_to_try_it_with_is_said(client: Client, ada: User, local: Directory) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    assert "Enter the email address" in client.post(url, follow=True).content.decode()


@pytest.mark.parametrize("name", ["test", "try_out"])
def test_only_platform_admins_and_only_by_post(
    client: Client, ada: User, dana: User, local: Directory, name: str
) -> None:
    url = reverse(f"admin:environments_directory_{name}", args=[local.pk])
    client.force_login(dana)
    assert client.post(url, {"email": "dana@example.com"}).status_code == 302
    assert not LogEntry.objects.exists()
    client.force_login(ada)
    assert client.get(url).status_code == 405
    missing = reverse(f"admin:environments_directory_{name}", args=[local.pk + 1])
    assert client.post(missing, {"email": "a@b.c"}).status_code == 404
