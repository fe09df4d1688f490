"""Trying out a directory: every step told, nothing left behind, whatever goes wrong."""

from typing import Any

import pytest

from environments.actions import directories as directory_actions
from environments.actions.directories import try_out
from environments.models import Directory, LocalGroup, User
from tests.environments.directory.fakes.base import SECRET, FakeDirectory
from tests.environments.directory.fakes.entra import FakeEntra
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.environments.directory.fakes.okta import FakeOkta
from tests.environments.directory.fakes.scim import FakeScim

STEPS = [
    "Find the person",
    "Make a group with the person in it",
    "Find the group again",
    "Add the person",
    "Read the members",
    "Remove the person",
    "Delete the group",
]


class Trial:
    """A fake behind `connect`, and what the test of it says. `waited` has the pauses."""

    def __init__(self, fake: FakeDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        client = fake.client()
        monkeypatch.setattr(directory_actions.directory, "connect", lambda row: client)
        self.fake = fake
        self.waited: list[float] = []

    def run(self, email: str = "dana@example.com") -> list[directory_actions.Line]:
        return try_out(Directory(name="x"), email, pause=self.waited.append)

    def failed(self) -> list[str]:
        return [line.step for line in self.run() if not line.worked]


@pytest.fixture(params=[FakeScim, FakeKeycloak, FakeOkta, FakeEntra], ids=lambda kind: kind.kind)
def trial(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trial:
    fake: FakeDirectory = request.param()
    fake.person("dana")
    fake.person("gone", active=False)
    return Trial(fake, monkeypatch)


def groups_of(fake: Any) -> list[str]:
    return [*fake.groups, *(fake.server.groups if isinstance(fake, FakeScim) else [])]


def test_every_step_works_and_nothing_is_left(trial: Trial) -> None:
    lines = trial.run()
    assert [line.step for line in lines] == STEPS
    assert all(line.worked for line in lines)
    assert groups_of(trial.fake) == []
    assert trial.waited == []


@pytest.mark.django_db
def test_the_portals_own_groups_can_be_tried_too() -> None:
    row = Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)
    User.objects.create(username="dana", email="dana@example.com")
    lines = try_out(row, "dana@example.com")
    assert [(line.step, line.worked) for line in lines] == [(step, True) for step in STEPS]
    assert not LocalGroup.objects.exists()


@pytest.mark.django_db
def test_the_group_bears_the_portals_name(settings: Any, trial: Trial) -> None:
    settings.PORTAL_NAME = "Acme Plots"
    assert "acme-plots-self-test-" in trial.run()[1].said


@pytest.mark.parametrize(
    ("email", "said"), [("nobody@example.com", "was not found"), ("gone@example.com", "is deactivated")]
)
def test_somebody_who_cannot_be_put_in_ends_it_before_anything_is_made(trial: Trial, email: str, said: str) -> None:
    lines = trial.run(email)
    assert [(line.step, line.worked) for line in lines] == [("Find the person", False)]
    assert said in lines[0].said
    assert trial.fake.sent("POST") == trial.fake.sent("PATCH") == []


def test_a_directory_that_is_down_is_one_line(trial: Trial) -> None:
    trial.fake.fail(503)
    lines = trial.run()
    assert [(line.step, line.said) for line in lines] == [("Find the person", "The directory reported an error (503).")]


def test_what_is_forbidden_is_told_and_the_rest_is_done(trial: Trial) -> None:
    def removes(request: Any) -> bool:
        is_member = request.method == "DELETE" and ("/users/" in request.url.path or "/members/" in request.url.path)
        return is_member or b'"remove"' in request.content

    trial.fake.fail(403, matches=removes)
    assert trial.failed() == ["Remove the person"]
    assert groups_of(trial.fake) == []


def test_a_group_whose_making_failed_half_way_is_deleted(trial: Trial) -> None:
    """It is there, and the answer did not come."""

    def lose(request: Any, response: Any) -> Any:
        made = (
            request.method == "POST" and request.url.path.casefold().endswith("/groups")
        ) or request.method == "PATCH"
        if made and response.status_code in (200, 201):
            response.status_code = 500
        return response

    trial.fake.tamper = lose
    failed = trial.failed()
    assert "Delete the group" not in failed
    assert groups_of(trial.fake) == []


def test_a_group_that_cannot_be_deleted_is_named(trial: Trial) -> None:
    trial.fake.fail(403, detail=f"because of {SECRET}", matches=lambda request: request.method == "DELETE")
    lines = trial.run()
    assert [line.step for line in lines if not line.worked][-2:] == ["Delete the group", "Clean up"]
    assert "allotment-self-test-" in lines[-1].said
    assert not any(SECRET in line.said for line in lines)


class TestPatience:
    def test_copies_that_agree_after_a_while_are_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = FakeEntra(lag=5)
        fake.person("dana")
        trial = Trial(fake, monkeypatch)
        assert trial.failed() == []
        assert 1 <= len(trial.waited) <= 5
        assert fake.groups == {}

    def test_a_search_that_is_behind_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = FakeOkta(lag=2)
        fake.person("dana")
        trial = Trial(fake, monkeypatch)
        assert trial.failed() == []
        assert trial.waited == [2.0, 2.0]

    def test_patience_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = FakeOkta(lag=1000)
        fake.person("dana")
        trial = Trial(fake, monkeypatch)
        assert trial.failed() == ["Find the group again"]
        assert sum(trial.waited) <= 16
        assert fake.groups == {}
