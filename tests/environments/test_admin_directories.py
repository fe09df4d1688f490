"""Directories in the admin: the secret goes in and never comes out, and a test says who answers."""

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection
from django.urls import reverse

from environments.admin.directories import DirectoryForm
from environments.directory.capabilities import Capabilities, Row
from environments.models import Directory

SECRET = "a-very-secret-secret"
DATA = {
    "name": "Company",
    "kind": "scim",
    "strangers": "show",
    "url": "https://idp.example.com/scim/v2",
    "token_url": "https://idp.example.com/token",
    "client_id": "portal",
    "secret": SECRET,
}


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


@pytest.fixture(autouse=True)
def signed_in(client, ada):
    client.force_login(ada)


@pytest.fixture
def stored(db) -> Directory:
    return Directory.objects.create(**DATA)


def test_the_secret_is_stored_and_on_no_page_afterwards(client):
    assert client.post(reverse("admin:environments_directory_add"), DATA).status_code == 302
    row = Directory.objects.get()
    assert row.secret == SECRET
    page = client.get(reverse("admin:environments_directory_change", args=[row.pk])).content.decode()
    assert SECRET not in page
    assert "A value is stored" in page


def test_an_empty_secret_keeps_the_stored_one(client, stored):
    url = reverse("admin:environments_directory_change", args=[stored.pk])
    assert client.post(url, DATA | {"secret": "", "name": "IdP"}).status_code == 302
    stored.refresh_from_db()
    assert (stored.secret, stored.name) == (SECRET, "IdP")


@pytest.mark.parametrize("field", ["url", "token_url"])
def test_the_stored_secret_is_never_sent_to_another_address(field, stored):
    form = DirectoryForm(DATA | {"secret": "", field: "https://attacker.example.com/"}, instance=stored)
    assert not form.is_valid()
    assert "The address changed" in form.errors["secret"][0]


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"url": ""}, "url", "Enter the SCIM base URL"),
        ({"secret": ""}, "secret", "Paste the client secret"),
        ({"client_id": ""}, "client_id", "Enter the client ID"),
        ({"token_url": ""}, "token_url", "the token endpoint of this client"),
        ({"url": "ldap://x"}, "url", "valid URL"),
    ],
)
def test_what_is_missing_is_said_at_its_field(typed, field, sentence, db):
    form = DirectoryForm(DATA | typed)
    assert not form.is_valid()
    assert sentence in " ".join(form.errors[field])


def test_a_local_directory_needs_and_keeps_nothing(stored):
    form = DirectoryForm(DATA | {"kind": "local", "secret": ""}, instance=stored)
    assert form.is_valid(), form.errors
    row = form.save()
    assert (row.url, row.secret, row.client_id, row.token_url) == ("", "", "", "")


def test_a_directory_that_answers_says_who_it_is(client, local_directory, ada):
    url = reverse("admin:environments_directory_test", args=[local_directory.pk])
    page = soup(client.post(url, follow=True))
    said = page.select_one(".messagelist .success").get_text()
    assert "The portal keeps the groups itself" in said
    entry = LogEntry.objects.get(object_id=str(local_directory.pk))
    assert (entry.user, entry.get_change_message()) == (ada, f"Connection checked: {said}")


def test_a_directory_that_does_not_answer_gets_its_sentence(client, stored):
    Directory.objects.filter(pk=stored.pk).update(url="http://127.0.0.1:1/scim", token_url="", client_id="")
    response = client.post(reverse("admin:environments_directory_test", args=[stored.pk]), follow=True)
    said = soup(response).select_one(".messagelist .error").get_text()
    assert said.endswith(".")
    assert SECRET not in response.content.decode()


def test_the_test_needs_a_post_by_a_platform_admin(client, local_directory, dana):
    url = reverse("admin:environments_directory_test", args=[local_directory.pk])
    assert client.get(url).status_code == 405
    client.force_login(dana)
    client.post(url)
    assert not LogEntry.objects.exists()


def test_the_page_says_in_words_what_the_server_can_do(client, stored):
    url = reverse("admin:environments_directory_change", args=[stored.pk])
    assert "Nothing is known yet." in soup(client.get(url)).get_text()
    facts = {"/Groups displayName": "ignored", "members": "hidden", "external_id": "dropped", "of a later version": "x"}
    Directory.objects.filter(pk=stored.pk).update(capabilities=facts)
    said = [each.get_text() for each in soup(client.get(url)).select(".field-findings p")]
    assert said == [
        "Ignores filters on group names; read as a whole.",
        "Drops external IDs; the portal recognises its groups by name.",
        "Does not show the members of a group, so it cannot confirm changes.",
    ]


def test_a_kind_whose_servers_do_not_differ_has_no_such_part(client, local_directory):
    page = client.get(reverse("admin:environments_directory_change", args=[local_directory.pk]))
    assert not soup(page).select(".field-findings")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [({"name": "IdP"}, True), ({"url": "https://other.example.com/scim", "secret": SECRET}, False)],
)
def test_what_was_learned_about_a_server_is_not_for_another(client, stored, typed, kept):
    Directory.objects.filter(pk=stored.pk).update(capabilities={"members": "hidden"})
    url = reverse("admin:environments_directory_change", args=[stored.pk])
    assert client.post(url, DATA | {"secret": ""} | typed).status_code == 302
    stored.refresh_from_db()
    assert stored.capabilities == ({"members": "hidden"} if kept else {})


def test_what_a_client_learns_is_kept_with_the_row_and_connects_nobody_anew(stored):
    before = stored.updated_at
    known, elsewhere = Capabilities(Row(stored.pk)), Capabilities(Row(stored.pk))
    assert elsewhere.get("members") == ""
    known.learn("members", "hidden")
    assert elsewhere.get("members") == "hidden"
    stored.refresh_from_db()
    assert (stored.capabilities, stored.updated_at) == ({"members": "hidden"}, before)


def test_what_cannot_be_read_is_not_overwritten(stored):
    Directory.objects.filter(pk=stored.pk).update(capabilities={"members": "hidden"})

    def unreadable(execute, sql, *more):
        if sql.startswith("SELECT"):
            raise OperationalError("database is locked")
        return execute(sql, *more)

    with connection.execute_wrapper(unreadable):
        Row(stored.pk).keep("patch", "no")
    assert Row(stored.pk).read() == {"members": "hidden"}
