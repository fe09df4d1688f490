"""Who lost a role may keep its rights until their token ends, if others have the role: the page says until when."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.actions import memberships
from environments.directory.local import LocalClient
from environments.lib import dates
from environments.lib.errors import TemporaryError
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Departure, Environment, TokenCheck, User
from tests.arranging import settle
from tests.pages.reading import read, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(ask, place):
    """Dana's, on a cluster that authenticates by OIDC; Theo and Vera are viewers."""
    Cluster.objects.filter(pk=place.pk).update(access="oidc", oidc_issuer="https://i.example.com", id_token_minutes=60)
    place.refresh_from_db()
    User.objects.create(username="vera", email="vera@example.com")
    made = settle(ask(collaborators={"theo@example.com": Role.VIEWER, "vera@example.com": Role.VIEWER}))
    assert made.phase == Phase.READY
    return made


@pytest.fixture
def leavers(client, environment, people):
    """What the page says about those who left, a line each."""

    def look(path: str = "") -> list[str]:
        client.force_login(people[0])
        page = read(client.get(f"/environments/{environment.namespace}/{path}"))
        return [words(line) for line in page.select("#leavers li")]

    return look


def remove(environment, people, address: str = "theo@example.com"):
    memberships.remove_member(environment, people[0], address)
    return settle(environment)


@pytest.mark.parametrize("path", ["", "members/"])
def test_a_removed_member_is_named_with_the_latest_moment(environment, people, leavers, path):
    remove(environment, people)
    out = Departure.objects.get().out_at
    (line,) = leavers(path)
    assert line.startswith("theo@example.com lost the role viewer just now")
    until = dates.upcoming(out + timedelta(hours=1), timezone.now())
    assert line.endswith(f"A token from before may still work until {until} at the latest, when it expires.")


def test_a_demoted_member_too(environment, people, leavers):
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.DEVELOPER)
    settle(environment)
    assert "theo@example.com lost the role viewer" in leavers()[0]


def test_and_a_former_owner(environment, people, leavers, client):
    memberships.hand_over(environment, people[0], "theo@example.com", keep=None)
    settle(environment)
    client.force_login(people[1])
    said = words(read(client.get(f"/environments/{environment.namespace}/")).select_one("#leavers"))
    assert "dana@example.com lost the role admin" in said


def test_the_time_runs_from_when_the_directory_confirmed_it(environment, people, leavers, monkeypatch):
    def busy(*_):
        raise TemporaryError("The directory is busy.")

    monkeypatch.setattr(LocalClient, "remove_members", busy)
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment, tries=2)
    assert Departure.objects.get().out_at is None
    assert "at the latest 1 hour after the directory confirms the removal" in leavers()[0]
    monkeypatch.undo()
    settle(environment)
    assert Departure.objects.get().out_at is not None
    assert "at the latest, when it expires" in leavers()[0]


def test_a_reconcile_that_did_not_know_of_it_confirms_nothing(environment, people, monkeypatch):
    real = LocalClient.members

    def meanwhile(self, group_id):
        monkeypatch.setattr(LocalClient, "members", real)
        found = real(self, group_id)
        memberships.remove_member(environment, people[0], "theo@example.com")
        return found

    Environment.objects.filter(pk=environment.pk).owe()
    monkeypatch.setattr(LocalClient, "members", meanwhile)
    settle(environment, tries=1)
    assert Departure.objects.get().out_at is None
    settle(environment)
    assert Departure.objects.get().out_at is not None


def test_the_longest_lifetime_seen_counts_without_a_setting(environment, people, leavers):
    Cluster.objects.update(id_token_minutes=None)
    remove(environment, people)
    assert "The portal does not know how long tokens on this cluster are valid." in leavers()[0]
    for person, seconds in zip(people, (600, 7200), strict=True):
        TokenCheck.objects.create(
            cluster=environment.cluster, user=person, kind="claims", content={}, lifetime_seconds=seconds
        )
    latest = Departure.objects.get().out_at + timedelta(hours=2)
    assert dates.upcoming(latest, timezone.now()) in leavers()[0]


@pytest.mark.parametrize(("minutes", "ago"), [(60, timedelta(minutes=61)), (None, timedelta(hours=25))])
def test_once_the_token_has_ended_nothing_is_said(environment, people, leavers, minutes, ago):
    Cluster.objects.update(id_token_minutes=minutes)
    remove(environment, people)
    assert leavers()
    Departure.objects.update(out_at=timezone.now() - ago)
    assert leavers() == []


@pytest.mark.parametrize("change", [{"bind_groups": False}, {"access": "token"}])
def test_where_no_group_is_bound_there_is_nothing_to_keep(environment, people, leavers, change):
    remove(environment, people)
    Cluster.objects.update(**change)
    assert leavers() == []


def test_where_no_one_else_has_the_role_its_group_and_binding_are_gone(environment, people, leavers):
    remove(environment, people)
    remove(environment, people, "vera@example.com")
    assert leavers() == []


def test_who_has_the_role_again_lost_nothing(environment, people, leavers):
    remove(environment, people)
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
    settle(environment)
    assert leavers() == []


def test_who_never_was_in_the_group_has_no_such_token(environment, people):
    environment.members.filter(email="theo@example.com").update(in_group=False)
    memberships.remove_member(environment, people[0], "theo@example.com")
    assert not Departure.objects.exists()


def test_what_ended_long_ago_is_forgotten(environment, people):
    remove(environment, people)
    Departure.objects.update(out_at=timezone.now() - timedelta(days=32))
    remove(environment, people, "vera@example.com")
    assert [each.email for each in Departure.objects.all()] == ["vera@example.com"]


def test_by_name_only_a_removed_member_is_out_of_the_binding_at_once(environment, people, world):
    Cluster.objects.update(bind_groups=False)
    environment.refresh_from_db()
    Environment.objects.filter(pk=environment.pk).owe()
    settle(environment)
    remove(environment, people)
    binding = world(environment)["RoleBinding", "environment-viewer"]
    assert [(each["kind"], each["name"]) for each in binding["subjects"]] == [("User", "vera@example.com")]
