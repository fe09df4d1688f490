"""Directories in the admin: what each kind needs, and the test that is asked for by a button."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from environments import tasks
from environments.actions.directories import Trial
from environments.admin.directories import DirectoryAdmin, DirectoryForm
from environments.lib import queue
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


REFRESH = '<meta http-equiv="refresh" content="2">'


def trial_url(row: Directory) -> str:
    return reverse("admin:environments_directory_trial", args=[row.pk])


def form(kind: str, **fields: Any) -> DirectoryForm:
    return DirectoryForm({"name": "Company", "kind": kind, "strangers": "show"} | fields)


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
    fields = {"name": "Company", "kind": "okta", "strangers": "show", "url": row.url}
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


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The messages to the workers."""
    messages: list[tuple[Any, ...]] = []
    monkeypatch.setattr(queue, "send", lambda task, *arguments, **_: messages.append(arguments) or True)
    return messages


def test_a_platform_admin_tests_a_directory_and_a_worker_does_it(
    client: Client, ada: User, local: Directory, sent: list[tuple[Any, ...]]
) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    response = client.post(url, {"email": "ada@example.com"}, follow=True)
    assert response.redirect_chain == [(trial_url(local), 302)]
    page = response.content.decode()
    assert "running" in page
    assert REFRESH in page
    assert "Test again" not in page
    tasks.try_directory(*sent.pop())
    page = client.get(trial_url(local)).content.decode()
    assert "passed" in page
    assert REFRESH not in page
    assert page.count('<th scope="row">') == 7
    assert not LocalGroup.objects.exists()
    assert "all steps passed" in str(LogEntry.objects.latest("pk"))


def test_a_failure_is_shown_and_escaped(
    client: Client, ada: User, local: Directory, sent: list[tuple[Any, ...]]
) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    client.post(url, {"email": "<b>@example.com"})
    tasks.try_directory(*sent.pop())
    page = client.get(trial_url(local)).content.decode()
    assert "failed" in page
    assert "&lt;b&gt;@example.com" in page
    assert "<b>@example.com" not in page


def test_a_second_test_is_refused_while_one_runs(
    client: Client, ada: User, local: Directory, sent: list[tuple[Any, ...]]
) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    client.post(url, {"email": "ada@example.com"})
    assert "already running" in client.post(url, {"email": "ada@example.com"}, follow=True).content.decode()
    assert len(sent) == 1


def test_a_test_whose_worker_was_killed_says_so_and_can_be_started_again(
    client: Client, ada: User, local: Directory, sent: list[tuple[Any, ...]]
) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_try_out", args=[local.pk])
    client.post(url, {"email": "ada@example.com"})
    local.refresh_from_db()
    local.trial["at"] = (timezone.now() - timedelta(seconds=61)).isoformat()
    local.save()
    page = client.get(trial_url(local)).content.decode()
    assert "No worker has continued this test for a minute." in page
    assert REFRESH not in page
    assert "Test again" in page
    client.post(url, {"email": "ada@example.com"})
    assert len(sent) == 2


def test_saving_the_form_leaves_the_test_alone(client: Client, ada: User, local: Directory) -> None:
    """The form was read before a worker wrote."""
    model_admin = admin.site.get_model_admin(Directory)
    assert isinstance(model_admin, DirectoryAdmin)
    Directory.objects.filter(pk=local.pk).update(trial={"run": "1"})
    local.name = "Renamed"
    before = local.updated_at
    model_admin.save_model(RequestFactory().post("/"), local, None, change=True)
    local.refresh_from_db()
    assert (local.name, local.trial) == ("Renamed", {"run": "1"})
    assert local.updated_at > before


def test_a_directory_is_not_deleted_while_its_test_goes_on(
    client: Client, ada: User, local: Directory, sent: list[tuple[Any, ...]]
) -> None:
    client.force_login(ada)
    url = reverse("admin:environments_directory_delete", args=[local.pk])
    client.post(reverse("admin:environments_directory_try_out", args=[local.pk]), {"email": "ada@example.com"})
    assert client.post(url, {"post": "yes"}).status_code == 403
    tasks.try_directory(*sent.pop())
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert not Directory.objects.exists()


def test_without_a_test_its_page_is_the_directorys(client: Client, ada: User, local: Directory) -> None:
    client.force_login(ada)
    response = client.get(trial_url(local))
    assert response.headers["Location"] == reverse("admin:environments_directory_change", args=[local.pk])


def test_only_platform_admins_see_a_test(client: Client, dana: User, local: Directory) -> None:
    Directory.objects.filter(pk=local.pk).update(trial=asdict(Trial.new("secret@example.com")))
    client.force_login(dana)
    response = client.get(trial_url(local), follow=True)
    assert response.redirect_chain
    assert "secret@example.com" not in response.content.decode()


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
