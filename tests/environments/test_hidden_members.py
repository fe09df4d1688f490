"""Members whom the directory does not remove, or does not show: the page says so, and named access ends at once."""

import pytest
from django.utils import timezone

from environments.actions import memberships
from environments.directory.answers import MembersHiddenError, NotRemovedError
from environments.directory.local import LocalClient
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, Event, LocalGroup, User
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(ask, place):
    """Dana's, with Theo as viewer, on a cluster whose role bindings name people too."""
    Cluster.objects.filter(pk=place.pk).update(bind_members=True)
    place.refresh_from_db()
    made = settle(ask(collaborators={"theo@example.com": Role.VIEWER, "vera@example.com": Role.VIEWER}))
    assert made.phase == Phase.READY
    return made


@pytest.fixture
def people(people):
    return [*people, User.objects.create(username="vera", email="vera@example.com")]


@pytest.fixture
def hidden(monkeypatch):
    """A directory that shows no members; the local one with its eyes shut."""

    def members(*_):
        raise MembersHiddenError

    monkeypatch.setattr(LocalClient, "members", members)


def in_groups(environment) -> dict[str, set[str]]:
    groups = LocalGroup.objects.filter(environment_id=environment.pk)
    return {group.name.rsplit("-", 1)[1]: {each.email for each in group.members.all()} for group in groups}


def named(world, environment) -> set[str]:
    bindings = [live for (kind, _), live in world(environment).items() if kind == "RoleBinding"]
    return {subject["name"] for live in bindings for subject in live["subjects"] if subject["kind"] == "User"}


def notes(environment) -> list[str]:
    return [event.message for event in Event.objects.filter(environment=environment) if "confirm" in event.message]


def test_who_leaves_a_group_that_shows_no_members_is_removed_and_it_is_said(environment, people, world, hidden):
    assert any("theo" in name for name in named(world, environment))
    memberships.remove_member(environment, people[0], "theo@example.com")
    settled = settle(environment)
    assert in_groups(environment)["viewer"] == {"vera@example.com"}
    assert not any("theo" in name for name in named(world, environment))
    assert [note.startswith("theo@example.com was removed from ") for note in notes(environment)] == [True]
    assert settled.phase == Phase.READY


def test_nobody_is_added_or_told_again_with_every_look(environment, people, hidden, monkeypatch):
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)

    def never(*_):
        raise AssertionError("nothing is to be changed")

    monkeypatch.setattr(LocalClient, "add_members", never)
    monkeypatch.setattr(LocalClient, "remove_members", never)
    again = settle(environment)
    assert (again.phase, len(notes(environment))) == (Phase.READY, 1)


def test_a_member_who_joins_a_group_that_shows_none_is_added(environment, people, hidden):
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.DEVELOPER)
    settle(environment)
    assert in_groups(environment) == {
        "admin": {"dana@example.com"},
        "developer": {"theo@example.com"},
        "viewer": {"vera@example.com"},
    }


def test_who_cannot_be_removed_is_said_and_loses_named_access_at_once(environment, people, world, monkeypatch):
    def refuse(client, group_id, ids):
        raise NotRemovedError(frozenset(ids), "The directory rejected the request (501): no.")

    monkeypatch.setattr(LocalClient, "remove_members", refuse)
    memberships.remove_member(environment, people[0], "theo@example.com")
    settled = settle(environment, tries=2)
    condition = settled.conditions.get(type="Members")
    assert condition.reason == "NotRemoved"
    assert condition.message.startswith("The directory did not remove theo@example.com from ")
    assert not any("theo" in name for name in named(world, environment))
    assert settled.members.get(email="theo@example.com").in_group is not False, "they are still in"

    monkeypatch.undo()
    Environment.objects.update(next_reconcile_at=timezone.now())
    assert settle(environment).phase == Phase.READY
    assert in_groups(environment)["viewer"] == {"vera@example.com"}
