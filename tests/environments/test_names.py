"""The daily look at who members are: role bindings follow names in the directory, and a reused address gets nothing."""

import pytest

from environments import tasks
from environments.directory import Person
from environments.directory.local import LocalClient
from environments.lib.activity import Activity
from environments.lib.errors import TemporaryError
from environments.lib.phases import Role
from environments.models import Environment, Member, User
from environments.routine import names, observe
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(ask):
    return settle(ask(collaborators={"theo@example.com": Role.VIEWER}))


def viewers(world, environment) -> set[str]:
    found = world(environment).get(("RoleBinding", "environment-viewer"), {})
    return {subject["name"] for subject in found.get("subjects", []) if subject["kind"] == "User"}


def test_a_new_address_in_the_directory_moves_the_role_binding(environment, world, people):
    User.objects.filter(pk=people[1].pk).update(email="Theo.New@example.com")
    tasks.refresh_names()
    assert observe.observe(environment.cluster_id) == [], "owed, so nobody changed it by hand"
    settle(environment)
    assert viewers(world, environment) == {"Theo.New@example.com"}
    assert environment.members.get(person=people[1]).email == "theo.new@example.com"
    event = environment.events.get(kind=Activity.NAME_CHANGED)
    assert event.data == {"from": "theo@example.com", "to": "Theo.New@example.com"}
    assert not environment.events.filter(kind=Activity.CHANGED_BY_HAND).exists()


def test_the_directorys_spelling_counts_until_a_token_was_seen(environment, world, people):
    Member.objects.filter(person=people[1]).update(directory_email="")
    User.objects.filter(pk=people[1].pk).update(email="Theo@example.com")
    names.refresh()
    settle(environment)
    assert viewers(world, environment) == {"Theo@example.com"}


def test_nothing_happens_where_nothing_changed(environment):
    names.refresh()
    environment.refresh_from_db()
    assert environment.generation == environment.observed_generation
    assert not environment.events.filter(kind=Activity.NAME_CHANGED).exists()


def test_an_address_that_another_person_has_now_is_bound_no_more(environment, world, people, monkeypatch):
    theo = str(people[1].pk)
    real = LocalClient.read_person
    monkeypatch.setattr(
        LocalClient, "read_person", lambda self, key, email: None if key == theo else real(self, key, email)
    )
    monkeypatch.setattr(LocalClient, "find_person", lambda self, email: Person("999", email, "another"))
    names.refresh()
    names.refresh()
    settle(environment)
    assert viewers(world, environment) == set()
    event = environment.events.get(kind=Activity.NAME_CHANGED)
    assert "theo@example.com is another person's address now" in event.message


def test_who_is_not_shown_keeps_their_names(environment, world, people, monkeypatch):
    monkeypatch.setattr(LocalClient, "read_person", lambda self, key, email: None)
    monkeypatch.setattr(LocalClient, "find_person", lambda self, email: None)
    names.refresh()
    settle(environment)
    assert viewers(world, environment) == {"theo@example.com"}


def test_a_directory_that_does_not_answer_changes_nothing(environment, world, monkeypatch):
    def down(self, key, email):
        raise TemporaryError("The portal cannot reach the directory.")

    monkeypatch.setattr(LocalClient, "read_person", down)
    names.refresh()
    settle(environment)
    assert viewers(world, environment) == {"theo@example.com"}


def test_the_next_holder_of_an_address_is_not_put_into_the_group(environment, people):
    """Theo left; his address is given to somebody else. Whoever added Theo did not mean them."""
    User.objects.filter(pk=people[1].pk).update(is_active=False)
    Member.objects.filter(person=people[1]).update(in_group=False, person=None)
    User.objects.filter(pk=people[1].pk).update(email="old@example.com", email_trusted=False)
    other = User.objects.create(username="theo2", email="theo@example.com")
    environment.members.filter(email="theo@example.com").update(directory_id=str(people[1].pk))
    Environment.objects.owe()
    settle(environment)
    member = environment.members.get(email="theo@example.com")
    assert member.in_group is False
    assert "belongs to another person in the directory now" in member.message
    assert member.directory_id != str(other.pk)
