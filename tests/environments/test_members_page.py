"""The members' page: for the owner and platform admins, with words at the fields."""

import pytest
from bs4 import BeautifulSoup

from environments.lib.phases import Role
from environments.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(ask, enqueued):
    return ask(collaborators={"theo@example.com": Role.VIEWER})


@pytest.fixture
def address(environment):
    return f"/environments/{environment.namespace}/members/"


def words(response) -> str:
    return BeautifulSoup(response.content, "html.parser").get_text(" ", strip=True)


def test_the_owner_gives_changes_and_takes_access(client, people, environment, address):
    client.force_login(people[0])
    User.objects.create(username="max", email="max@example.com")
    sent = {"addresses": "max@example.com, theo@example.com", "role": "developer"}
    assert client.post(address, sent).status_code == 302
    roles = dict(environment.members.values_list("email", "role"))
    assert roles == {"dana@example.com": "admin", "theo@example.com": "developer", "max@example.com": "developer"}
    assert client.post(f"{address}remove/", {"address": "max@example.com"}).status_code == 302
    assert not environment.members.get(email="max@example.com").wanted
    page = client.get(address)
    assert page.status_code == 200
    assert "max@example.com removed Undo" in words(page)
    access = BeautifulSoup(page.content, "html.parser").select_one("[aria-labelledby=access-title] tbody")
    assert "max@example.com" not in access.get_text()


def test_the_owner_hands_over_and_may_change_nothing_afterwards(client, people, environment, address):
    client.force_login(people[0])
    answer = client.post(f"{address}hand-over/", {"address": "theo@example.com", "keep": "viewer"})
    assert answer.status_code == 302
    environment.refresh_from_db()
    assert environment.owner == people[1]
    assert client.get(address).status_code == 403


@pytest.mark.parametrize(
    ("path", "data", "sentence"),
    [
        ("", {"addresses": "", "role": "viewer"}, "This field is required"),
        ("", {"addresses": "x", "role": "viewer"}, "“x” is not an email address"),
        ("", {"addresses": "nobody@example.com", "role": "viewer"}, "We couldn't find nobody@example.com"),
        ("", {"addresses": "theo@example.com", "role": "admin"}, "Select a valid choice"),
        ("", {"addresses": "dana@example.com", "role": "viewer"}, "is the owner"),
        ("hand-over/", {"address": "nobody@example.com", "keep": "none"}, "must sign in to Allotment once"),
        ("hand-over/", {"address": "theo@example.com", "keep": "king"}, "Select a valid choice"),
        ("hand-over/", {"address": "theo@example.com", "keep": ""}, "Choose what the current owner keeps."),
    ],
)
def test_a_mistake_is_said_at_its_field_and_changes_nothing(client, people, environment, address, path, data, sentence):
    client.force_login(people[0])
    answer = client.post(f"{address}{path}", data)
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert environment.members.count() == 2
    environment.refresh_from_db()
    assert environment.generation == 1


def test_the_owner_cannot_be_removed(client, people, environment, address):
    client.force_login(people[0])
    answer = client.post(f"{address}remove/", {"address": "dana@example.com"}, follow=True)
    assert "Hand the environment over first" in words(answer)


@pytest.mark.parametrize("path", ["", "remove/", "hand-over/"])
def test_a_member_who_is_not_the_owner_is_refused_and_a_stranger_sees_nothing(
    client, people, environment, address, path
):
    client.force_login(people[1])
    assert client.post(f"{address}{path}").status_code == 403
    client.force_login(User.objects.create(username="sam", email="sam@example.com"))
    assert client.post(f"{address}{path}").status_code == 404


@pytest.mark.parametrize("path", ["remove/", "hand-over/"])
def test_changes_are_asked_for_by_post_only(client, people, address, path):
    client.force_login(people[0])
    assert client.get(f"{address}{path}").status_code == 405
