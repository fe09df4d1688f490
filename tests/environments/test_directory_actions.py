"""Testing a directory: every step has its line, nothing is left behind, whatever goes wrong."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from environments import tasks
from environments.actions import directories as directory_actions
from environments.actions.directories import Trial as State
from environments.directory import GroupKey, Person
from environments.lib import queue
from environments.lib.errors import TemporaryError
from environments.models import Directory, LocalGroup, User
from tests.environments.directory.fakes.base import SECRET, FakeDirectory
from tests.environments.directory.fakes.entra import FakeEntra
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.environments.directory.fakes.okta import FakeOkta
from tests.environments.directory.fakes.scim import FakeScim
from tests.environments.directory.odd import odd
from tests.environments.directory.trials import steps

STEPS = [
    "Find the account",
    "Create a group with the account in it",
    "Find the group",
    "Add the account again",
    "Read the members",
    "Remove the account",
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
        return list(steps(Directory(name="x"), email, self.waited).lines)

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
    scim = isinstance(trial.fake, FakeScim)  # whose servers differ
    explored = ["Find out what the server can do"] if scim else []
    assert [line.step for line in lines] == [*STEPS[:-1], *explored, STEPS[-1]]
    assert not scim or "Filters user names, email addresses, group names and external IDs." in lines[-2].said
    assert all(line.worked for line in lines)
    assert groups_of(trial.fake) == []
    assert trial.waited == []


@pytest.mark.django_db
def test_the_portals_own_groups_can_be_tried_too() -> None:
    row = Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)
    User.objects.create(username="dana", email="dana@example.com")
    lines = steps(row, "dana@example.com").lines
    assert [(line.step, line.worked) for line in lines] == [(step, True) for step in STEPS]
    assert not LocalGroup.objects.exists()


@pytest.mark.django_db
def test_the_group_bears_the_portals_name(settings: Any, trial: Trial) -> None:
    settings.PORTAL_NAME = "Acme Plots"
    assert "acme-plots-self-test-" in trial.run()[1].said


@pytest.mark.parametrize(
    ("email", "said"),
    [("nobody@example.com", "was not found"), ("gone@example.com", "is deactivated")],
)
def test_somebody_who_cannot_be_put_in_ends_it_before_anything_is_made(trial: Trial, email: str, said: str) -> None:
    lines = trial.run(email)
    assert [(line.step, line.worked) for line in lines] == [("Find the account", False)]
    assert said in lines[0].said
    assert trial.fake.sent("POST") == trial.fake.sent("PATCH") == []


def test_a_directory_that_is_down_is_one_line(trial: Trial) -> None:
    trial.fake.fail(503)
    lines = trial.run()
    assert [(line.step, line.said) for line in lines] == [
        ("Find the account", "The directory reported an error (503).")
    ]


def test_what_is_forbidden_is_told_and_the_rest_is_done(trial: Trial) -> None:
    def removes(request: Any) -> bool:
        is_member = request.method == "DELETE" and ("/users/" in request.url.path or "/members/" in request.url.path)
        return is_member or b'"remove"' in request.content

    trial.fake.fail(403, matches=removes)
    assert trial.failed() == ["Remove the account"]
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
        assert trial.failed() == ["Find the group"]
        assert sum(trial.waited) <= 16
        assert fake.groups == {}


class Broker(list[tuple[Any, ...]]):
    """The messages that wait, each a task's name, its arguments and its delay; `takes` False: it is down."""

    takes = True

    def send(self, task: str, *arguments: Any, delay: float = 0.0) -> bool:
        if self.takes:
            self.append((task, arguments, delay))
        return self.takes

    def run(self) -> float:
        """Have a worker read the oldest message; its delay."""
        task, arguments, delay = self.pop(0)
        assert task == "environments.try_directory"
        tasks.try_directory(*json.loads(json.dumps(arguments)))
        return float(delay)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(queue, "send", broker.send)
    return broker


@pytest.fixture
def row(db: None) -> Directory:
    return Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)


def last(row: Directory) -> State:
    row.refresh_from_db()
    found = State.stored(row)
    assert found
    return found


def silence(row: Directory, trial: State, **changes: Any) -> State:
    """Store a test that has made no progress for more than a minute."""
    at = (timezone.now() - timedelta(seconds=61)).isoformat()
    row.trial = directory_actions.asdict(directory_actions.replace(trial, at=at, **changes))
    row.save(update_fields=["trial"])
    return last(row)


class TestWorkers:
    """The row holds the test, messages move it on, and no worker sleeps."""

    def test_a_test_is_started_and_ends_in_a_worker(self, broker: Broker, row: Directory, ada: User) -> None:
        before = row.updated_at
        directory_actions.start(row, "ada@example.com", ada)
        assert last(row).is_running
        assert last(row).lines == ()
        assert broker.run() == 0.0
        assert (broker, last(row).is_over, last(row).failed) == ([], True, [])
        assert [line.step for line in last(row).lines] == STEPS
        assert row.updated_at == before
        assert "all steps passed" in str(LogEntry.objects.get(user=ada))

    def test_a_step_that_has_to_wait_is_a_delayed_message(
        self, broker: Broker, row: Directory, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = FakeOkta(lag=2)
        fake.person("dana")
        Trial(fake, monkeypatch)
        monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("a worker slept"))
        directory_actions.start(row, "dana@example.com", ada)
        delays = []
        while broker:
            delays.append(broker.run())
        assert delays == [0.0, 2.0, 2.0]
        assert (last(row).is_over, last(row).failed) == (True, [])

    def test_a_slow_directory_gets_a_message_for_the_rest(
        self, broker: Broker, row: Directory, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(directory_actions, "AT_ONCE", -1.0)
        directory_actions.start(row, "ada@example.com", ada)
        runs = 0
        while broker:
            broker.run()
            runs += 1
            assert len(last(row).lines) == runs
        assert runs == len(STEPS)

    def test_a_message_that_arrives_twice_does_nothing(self, broker: Broker, row: Directory, ada: User) -> None:
        directory_actions.start(row, "ada@example.com", ada)
        broker.append(broker[0])
        broker.run()
        after = last(row)
        broker.run()
        assert last(row) == after
        assert LogEntry.objects.count() == 1

    def test_one_test_at_a_time(self, broker: Broker, row: Directory, ada: User) -> None:
        first = directory_actions.start(row, "ada@example.com", ada)
        with pytest.raises(TemporaryError, match="already running"):
            directory_actions.start(last_row(row), "ada@example.com", ada)
        assert last(row).run == first.run

    def test_two_admins_at_once_start_one(self, broker: Broker, row: Directory, ada: User) -> None:
        stale = last_row(row)
        first = directory_actions.start(row, "ada@example.com", ada)
        with pytest.raises(TemporaryError, match="Another admin"):
            directory_actions.start(stale, "ada@example.com", ada)
        assert (last(row).run, len(broker)) == (first.run, 1)

    def test_without_a_broker_nothing_is_started(self, broker: Broker, row: Directory, ada: User) -> None:
        broker.takes = False
        with pytest.raises(TemporaryError, match="could not be started"):
            directory_actions.start(row, "ada@example.com", ada)
        assert last_row(row).trial is None
        assert not Directory.objects.filter(trial__isnull=False).exists()


def last_row(row: Directory) -> Directory:
    return Directory.objects.get(pk=row.pk)


class TestStopped:
    """A worker that was killed: the page says so after a minute, and the group is deleted."""

    @pytest.fixture
    def stopped(self, row: Directory, ada: User) -> State:
        """It made its group, and its worker was killed before it stored that."""
        trial = State.new("ada@example.com", ada.pk)
        person = Person(str(ada.pk), ada.email, ada.username)
        directory_actions.directory.connect(row).create_group(trial.keys[0], person)
        assert LocalGroup.objects.count() == 1
        return silence(row, trial, step="create", turn=1, person=person)

    def test_it_counts_as_stopped_after_a_minute(self, row: Directory, stopped: State) -> None:
        assert (stopped.is_stopped, stopped.is_running) == (True, False)

    def test_the_sweep_has_its_group_deleted(self, broker: Broker, row: Directory, stopped: State) -> None:
        tasks.sweep()
        assert [arguments for _, arguments, _ in broker] == [(row.pk, stopped.run, 2)]
        broker.run()
        assert not LocalGroup.objects.exists()
        assert last(row).failed == ["Create a group with the account in it"]
        assert last(row).lines[-1].worked

    def test_the_sweep_leaves_running_tests_and_ended_ones_alone(
        self, broker: Broker, row: Directory, ada: User
    ) -> None:
        directory_actions.start(row, "ada@example.com", ada)
        assert directory_actions.resume_stopped() == []
        broker.run()
        silence(row, last(row))
        assert directory_actions.resume_stopped() == []

    def test_one_that_no_worker_began_is_over(self, broker: Broker, row: Directory, ada: User) -> None:
        silence(row, State.new("ada@example.com", ada.pk))
        tasks.sweep()
        assert (broker, last(row).is_over, last(row).failed) == ([], True, ["Find the account"])

    def test_a_new_test_deletes_its_group_too(self, broker: Broker, row: Directory, ada: User, stopped: State) -> None:
        trial = directory_actions.start(last_row(row), "ada@example.com", ada)
        assert trial.keys[1:] == stopped.keys
        broker.run()
        assert not LocalGroup.objects.exists()
        assert (last(row).is_over, last(row).failed) == (True, [])
        assert stopped.keys[0].name in last(row).lines[-1].said

    def test_its_group_is_deleted_also_if_the_next_account_is_unknown(
        self, broker: Broker, row: Directory, ada: User, stopped: State
    ) -> None:
        directory_actions.start(last_row(row), "typo@example.com", ada)
        broker.run()
        assert not LocalGroup.objects.exists()
        assert last(row).failed == ["Find the account"]

    def test_a_worker_that_comes_back_late_changes_nothing(
        self, broker: Broker, row: Directory, ada: User, stopped: State
    ) -> None:
        trial = directory_actions.start(last_row(row), "ada@example.com", ada)
        assert directory_actions.go_on(row.pk, stopped.run, stopped.turn) is None
        assert last(row).run == trial.run


def test_what_is_stored_is_read_back_as_it_was(row: Directory) -> None:
    trial = State.new("dana@example.com", 7, leftovers=(GroupKey("old", "1", "x"),))
    trial = directory_actions.replace(
        trial, person=Person("1", "dana@example.com", "dana"), lines=(directory_actions.Line("a", "b", worked=True),)
    )
    row.trial = json.loads(json.dumps(directory_actions.asdict(trial)))
    assert State.stored(row) == trial


def test_a_directory_that_shows_no_members_passes_and_its_lines_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = odd(shows_members=False)
    client = fake.client()
    monkeypatch.setattr(directory_actions.directory, "connect", lambda row: client)
    lines = {line.step: line for line in steps(Directory(name="x"), "dana@example.com").lines}
    assert all(line.worked for line in lines.values())
    hidden = "The directory accepted it. It does not show members, so it could not confirm it."
    assert lines["Read the members"].said == lines["Remove the account"].said == hidden
    assert "Does not show the members of a group" in lines["Find out what the server can do"].said
    assert fake.groups == {}


def test_a_directory_that_does_not_remove_the_account_fails_after_some_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = odd(put_members=False, replace="refused", value_paths="refused")
    client = fake.client()
    monkeypatch.setattr(directory_actions.directory, "connect", lambda row: client)
    waited: list[float] = []
    lines = steps(Directory(name="x"), "dana@example.com", waited).lines
    assert [line.step for line in lines if not line.worked] == ["Remove the account"]
    assert "did not remove 1 person" in next(line.said for line in lines if not line.worked)
    assert sum(waited) == 16
    assert fake.groups == {}
