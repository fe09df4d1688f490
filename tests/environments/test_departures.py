"""Owners who left are found, told to those who can act, and nothing is done behind anybody's back."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from environments import tasks
from environments.actions import memberships
from environments.directory import Person
from environments.directory.local import LocalClient
from environments.lib.activity import Activity
from environments.lib.errors import TemporaryError
from environments.lib.phases import Phase
from environments.models import Environment, Team, User
from environments.routine import departures
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(db):
    max_manager = User.objects.create(username="max", email="max@example.com", is_manager=True)
    team = Team.objects.create(name="Checkout", group="team-checkout")
    team.managers.add(max_manager)
    return max_manager


@pytest.fixture
def environment(ask, manager, people):
    team = Team.objects.get()
    team.members.add(*people)
    return settle(ask(team=team))


def leave(people) -> None:
    User.objects.filter(pk=people[0].pk).update(is_active=False)


def test_an_owner_who_is_there_is_not_disturbed(environment):
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_at is None
    assert not environment.events.filter(kind=Activity.ORPHANED).exists()


def test_an_owner_who_left_is_found_once_and_the_manager_and_admins_are_told(environment, people, client):
    ada = User.objects.create(username="ada", email="ada@example.com", is_superuser=True)
    leave(people)
    departures.find()
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_at is not None
    event = environment.events.get(kind=Activity.ORPHANED)
    tasks.deliver_notice(event.pk)
    (message,) = mail.outbox
    assert sorted(message.recipients()) == [ada.email, "max@example.com"]
    assert "has lost its owner" in message.subject
    assert environment.phase == Phase.READY  # and nothing else happened
    client.force_login(ada)
    assert "This environment has no owner." in client.get(f"/environments/{environment.namespace}/").content.decode()


def test_the_teams_manager_may_act_only_once_the_owner_is_gone(environment, people, manager, client):
    client.force_login(manager)
    address = f"/environments/{environment.namespace}/"
    assert client.get(f"{address}delete/").status_code == 403
    leave(people)
    departures.find()
    assert client.get(f"{address}delete/").status_code == 200
    answer = client.post(f"{address}members/hand-over/", {"address": "theo@example.com", "keep": "none"})
    assert answer.status_code == 302
    environment.refresh_from_db()
    assert environment.owner == people[1]
    assert environment.orphaned_at is None
    assert client.get(f"{address}delete/").status_code == 403


def test_orphans_are_a_filter_of_the_list(environment, people, manager, client):
    client.force_login(manager)
    assert environment.name not in client.get("/environments/?orphaned=on").content.decode()
    leave(people)
    departures.find()
    assert environment.namespace in client.get("/environments/?orphaned=on").content.decode()


def test_an_owner_who_comes_back_has_it_back(environment, people):
    leave(people)
    departures.find()
    User.objects.filter(pk=people[0].pk).update(is_active=True)
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_at is None
    assert environment.events.filter(kind=Activity.OWNER_RETURNED).count() == 1


def test_a_directory_that_does_not_answer_says_nothing_about_anybody(environment, monkeypatch):
    def down(self, email):
        raise TemporaryError("The portal cannot reach the directory.")

    monkeypatch.setattr(LocalClient, "find_account", down)
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_at is None


def test_an_owner_unknown_to_the_directory_is_gone(environment, monkeypatch):
    monkeypatch.setattr(LocalClient, "find_account", lambda self, key: None)
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_why == "dana@example.com was not found in the directory."


def test_an_owner_whose_address_is_another_persons_now_is_gone(environment, monkeypatch):
    another = Person("999999", "dana@example.com", "dana")
    monkeypatch.setattr(LocalClient, "find_account", lambda self, key: another)
    departures.find()
    environment.refresh_from_db()
    assert environment.orphaned_why == "dana@example.com belongs to another person in the directory now."


def test_an_owner_who_has_not_signed_in_for_long_is_gone_where_that_is_set(environment, people, settings):
    User.objects.filter(pk=people[0].pk).update(last_login=timezone.now() - timedelta(days=91))
    departures.find()
    assert not Environment.objects.filter(orphaned_at__isnull=False).exists()
    settings.DEPARTED_DAYS = 90
    departures.find()
    environment.refresh_from_db()
    assert "has not signed in for 90 days" in environment.orphaned_why


def test_handing_over_by_an_admin_settles_it(environment, people):
    leave(people)
    departures.find()
    environment.refresh_from_db()
    ada = User.objects.create(username="ada", email="ada@example.com", is_superuser=True)
    memberships.hand_over(environment, ada, "theo@example.com", keep=None)
    assert settle(environment).phase == Phase.READY
    assert [member.email for member in environment.members.filter(wanted=True)] == ["theo@example.com"]
