"""What the fault suite (tests/faults) found, each as a small test: late calls, wrong clocks, untrue answers."""

import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from environments import actions
from environments.actions import access_tokens, memberships
from environments.directory.local import LocalClient
from environments.kube import answers as cluster_answers
from environments.kube import manifests
from environments.kube.client import ClusterClient
from environments.kube.differing import Difference
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.phases import Phase, Role, Status
from environments.models import Environment, Event, Group, LocalGroup, User
from environments.reconcile import engine as reconcile
from environments.reconcile import lease as lifecycle
from environments.reconcile.desired import desired
from environments.reconcile.lease import Lease, SupersededError
from environments.reconcile.steps import group
from environments.reconcile.steps.base import GroupState
from environments.routine.observe import passes
from tests.arranging import Account, settle
from tests.environments.directory.fake import DANA, KEY, server, with_group
from tests.faults.proxy import Answer, FaultProxy, Rule

pytestmark = pytest.mark.django_db


def due(environment: Environment) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    return settle(environment)


def kinds(environment: Environment) -> list[str]:
    return [event.kind for event in environment.events.order_by("id")]


def test_a_run_that_an_end_overtakes_writes_nothing_more(ask, monkeypatch):
    environment, write = ask(), lifecycle.record

    def overtaken(lease, *attempts):
        actions.delete_environment(environment, environment.owner, typed_name=environment.name)
        monkeypatch.setattr(lifecycle, "record", write)
        return write(lease, *attempts)

    monkeypatch.setattr(lifecycle, "record", overtaken)
    assert reconcile.reconcile(environment.pk) == 0.0  # to be done at once, not when the lease has run out
    environment.refresh_from_db()
    assert (environment.phase, environment.lease) == (Phase.DELETING, None)
    assert {one.status for one in environment.conditions.all()} == {Status.PENDING}
    assert settle(environment).phase == Phase.DELETED
    assert kinds(environment) == [Activity.REQUESTED, Activity.DELETION_REQUESTED, Activity.DELETED]


def test_an_end_asked_for_just_before_the_result_is_not_overwritten_by_it(ask, monkeypatch):
    environment, judge = ask(), reconcile.phase_after

    def overtaken(*arguments, **more):
        actions.delete_environment(environment, environment.owner, typed_name=environment.name)
        return judge(*arguments, **more)

    monkeypatch.setattr(reconcile, "phase_after", overtaken)
    assert reconcile.reconcile(environment.pk) == 0.0
    environment.refresh_from_db()
    assert environment.phase == Phase.DELETING
    assert Activity.READY not in kinds(environment)


def test_a_result_is_refused_once_the_end_was_asked_for(ask):
    environment = ask()
    lease = lifecycle.take_lease(environment.pk)
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    with pytest.raises(SupersededError):
        lifecycle.settle(lease, phase=Phase.READY, next_reconcile_at=None)
    environment.refresh_from_db()
    assert environment.phase == Phase.DELETING


def test_a_failure_is_looked_at_again_without_being_asked(ask):
    environment = ask()
    User.objects.update(is_active=False)  # or a directory that said so once, and was wrong
    assert settle(environment).phase == Phase.FAILED
    assert environment.conditions.get(type="Group").reason == "OwnerUnknown"
    wait = environment.next_reconcile_at - timezone.now()
    assert timedelta(minutes=10) < wait < timedelta(minutes=20)
    User.objects.update(is_active=True)
    assert due(environment).phase == Phase.READY
    assert kinds(environment) == [Activity.REQUESTED, Activity.FAILED, Activity.READY]


def test_what_comes_after_the_end_is_removed_at_the_second_look(ask, admin):
    environment = settle(ask())
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    assert settle(environment).phase == Phase.DELETED
    ended = environment.deleted_at
    admin.create(manifests.namespace(desired(environment)))  # a call that was under way all the time
    assert due(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) is None
    assert environment.deleted_at == ended
    assert environment.next_reconcile_at is None
    assert kinds(environment) == [
        Activity.REQUESTED,
        Activity.READY,
        Activity.DELETION_REQUESTED,
        Activity.DELETED,
        Activity.CLEANED_UP,
    ]
    assert not environment.events.filter(kind=Activity.CLEANED_UP, notice_owed=True).exists()


def test_the_second_look_at_nothing_says_nothing(ask):
    environment = settle(ask())
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    settle(environment)
    assert due(environment).next_reconcile_at is None
    assert kinds(environment)[-1] == Activity.DELETED


@pytest.mark.parametrize(
    ("phase", "hours", "is_owed"),
    [(Phase.PROVISIONING, 1, False), (Phase.PROVISIONING, 3, True), (Phase.READY, 7, False), (Phase.READY, 30, True)],
)
def test_a_time_that_only_a_wrong_clock_can_have_written_has_come(make_environment, phase, hours, is_owed):
    ahead = timezone.now() + timedelta(hours=hours)
    make_environment(phase=phase, observed_generation=1, next_reconcile_at=ahead)
    assert Environment.objects.owed().exists() == is_owed


def test_a_lease_that_only_a_wrong_clock_can_have_written_is_over(make_environment, settings):
    """120 seconds are the lease of the version before, which may run beside this one."""
    environment = make_environment(phase=Phase.PROVISIONING)
    for seconds, is_owed in ((settings.LEASE_SECONDS, False), (120, False), (3 * 120, True)):
        Environment.objects.update(lease_until=timezone.now() + timedelta(seconds=seconds))
        assert Environment.objects.owed().filter(pk=environment.pk).exists() == is_owed


def test_times_are_written_by_the_databases_clock(ask):
    environment = ask()
    lease = lifecycle.take_lease(environment.pk)
    wrong = Lease(lease.environment_id, lease.token, lease.generation, lease.wanted, ahead=timedelta(hours=5))
    at = timezone.now() + timedelta(hours=5, seconds=30)
    lifecycle.settle(wrong, phase=Phase.PROVISIONING, next_reconcile_at=at)
    environment.refresh_from_db()
    assert environment.next_reconcile_at == at - timedelta(hours=5)


def test_a_pass_over_the_cluster_brings_no_deleted_environment_back(make_environment):
    gone = make_environment(name="gone", phase=Phase.DELETED)
    kept = make_environment(name="kept", observed_generation=1)
    keys = [str(gone.pk), str(kept.pk)]
    missing = [Difference("RoleBinding", "environment-admin")]
    assert passes._record(dict.fromkeys(keys, missing)) == [str(kept.pk)]
    assert Environment.objects.get(pk=gone.pk).phase == Phase.DELETED
    assert not Event.objects.filter(environment=gone, kind=Activity.CHANGED_BY_HAND).exists()


def test_no_answer_makes_anything_wait_for_a_day():
    assert cluster_answers.translate(429, {}, "86400").retry_after == 3600


def test_a_database_that_is_gone_is_what_is_said_of_a_run(ask, monkeypatch):
    def gone(*args, **more):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(lifecycle, "record", lambda *args, **more: 1 / 0)
    monkeypatch.setattr(lifecycle, "release", gone)
    with pytest.raises(ZeroDivisionError):
        reconcile.reconcile(ask().pk)


@pytest.fixture
def silent_directory(monkeypatch):
    """A directory that does not answer from now on."""

    def silence() -> None:
        def unavailable(*args, **more):
            raise TemporaryError("The portal cannot reach the directory.", reason="Unreachable")

        for name in ("find_person", "find_account", "find_group", "create_group", "members", "delete_group"):
            monkeypatch.setattr(LocalClient, name, unavailable)

    return silence


def bound_by_name(admin, environment: Environment) -> dict[str, set[str]]:
    """The people and accounts in each RoleBinding."""
    bindings = admin.list_objects("RoleBinding", environment.namespace)
    kinds = ("User", "ServiceAccount")
    return {
        one["metadata"]["name"]: {each["name"] for each in one["subjects"] if each["kind"] in kinds} for one in bindings
    }


def test_who_is_removed_is_bound_no_more_though_the_directory_is_down(ask, admin, people, silent_directory):
    User.objects.create(username="max", email="max@example.com")
    roles = {"theo@example.com": Role.DEVELOPER, "max@example.com": Role.DEVELOPER}
    environment = settle(ask(collaborators=roles))
    access_tokens.issue(environment, people[1], hours=1)
    settle(environment)
    account = naming.account(str(environment.pk), "theo@example.com")
    assert bound_by_name(admin, environment)["environment-developer"] == {*roles, account}
    silent_directory()
    memberships.remove_member(environment, people[0], "theo@example.com")
    reconcile.reconcile(environment.pk)
    assert bound_by_name(admin, environment) == {
        "environment-admin": {"dana@example.com"},
        "environment-developer": {"max@example.com"},
    }
    assert admin.get("ServiceAccount", account, "allotment") is None
    environment.refresh_from_db()
    assert environment.phase == Phase.DEGRADED  # their group is still to be told
    assert environment.members.get(email="theo@example.com").bound is False


def test_the_last_one_with_a_role_takes_its_binding_along_though_the_directory_is_down(
    ask, admin, people, silent_directory
):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    silent_directory()
    memberships.remove_member(environment, people[0], "theo@example.com")
    reconcile.reconcile(environment.pk)
    assert bound_by_name(admin, environment) == {"environment-admin": {"dana@example.com"}}


def test_a_role_that_is_changed_is_lost_at_once_and_won_with_the_directory(ask, admin, people, silent_directory):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    silent_directory()
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
    reconcile.reconcile(environment.pk)
    assert bound_by_name(admin, environment) == {"environment-admin": {"dana@example.com"}}


def test_a_changed_role_is_no_repair(ask, people):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
    assert settle(environment).phase == Phase.READY
    assert Activity.REPAIRED not in kinds(environment)


def test_who_is_added_again_while_being_removed_is_in_and_it_is_no_repair(ask, admin, people, monkeypatch):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    memberships.remove_member(environment, people[0], "theo@example.com")
    write = lifecycle.record

    def again(lease, attempts, conditions):
        if "Members" in [attempt.step.type for attempt in attempts]:
            memberships.add_members(environment, people[0], ["theo@example.com"], Role.DEVELOPER)
            monkeypatch.setattr(lifecycle, "record", write)
        return write(lease, attempts, conditions)

    monkeypatch.setattr(lifecycle, "record", again)
    reconcile.reconcile(environment.pk)
    assert settle(environment).phase == Phase.READY
    assert bound_by_name(admin, environment)["environment-developer"] == {"theo@example.com"}
    assert Activity.REPAIRED not in kinds(environment)


def test_an_account_that_nobody_has_any_more_is_found_also_when_it_was_too_young_at_first(ask, admin, people):
    environment = settle(ask())
    admin.apply(manifests.service_account(desired(environment), "member-of-a-crash"))
    actions.try_again(environment, people[0])
    settle(environment)
    assert admin.get("ServiceAccount", "member-of-a-crash", "allotment") is not None
    assert environment.next_reconcile_at - timezone.now() < timedelta(minutes=11)


def test_a_group_whose_id_was_lost_goes_with_the_last_who_has_its_role(ask, people):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    Group.objects.update(directory_id="")  # the worker died between the directory's answer and the record
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    assert [group.name for group in LocalGroup.objects.all()] == [f"{environment.namespace}-admin"]


def test_a_group_of_somebody_elses_does_not_hold_up_the_end(ask, local_directory):
    environment = ask()
    name = environment.groups.get().name
    LocalGroup.objects.create(directory=local_directory, name=name, environment_id=uuid.uuid4())
    assert settle(environment).conditions.get(type="Group").reason == "NotOurs"
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    assert settle(environment).phase == Phase.DELETED
    assert LocalGroup.objects.get().name == name


def test_two_groups_of_ours_under_one_name_are_both_removed():
    fake = server()
    with_group(fake)
    fake.groups["g2"] = fake.groups["g1"] | {"id": "g2"}  # its creation was answered, but the answer was lost
    assert fake.client().find_group(KEY) == "g1"
    state = GroupState(Role.ADMIN, KEY, "g2")
    group.remove(SimpleNamespace(groups=(state,), directory=fake.client()))
    assert fake.groups == {}


DENIED = (
    b'{"kind": "Status", "code": 403, "reason": "Forbidden", '
    b'"message": "namespaces is forbidden: User \\"portal\\" cannot create resource"}'
)


@pytest.fixture
def starting(simulated):
    """An API server that refuses so many requests; whether it says that it is ready, and the way there."""

    class Proxy(FaultProxy):
        refused, ready = 1, True

        def take(self, line):
            if line == "GET /readyz":
                return None if self.ready else Rule("500", 0)
            self.refused -= 1
            return Rule("denied", 0) if self.refused >= 0 else None

        def trouble(self, kind):
            denied = Answer(403, [("Content-Type", "application/json")], DENIED)
            return denied if kind == "denied" else super().trouble(kind)

    with Proxy(simulated.url) as proxy:
        yield proxy, ClusterClient(Account(proxy.url, simulated.portal_token))


def test_a_refusal_by_a_server_that_is_just_starting_is_no_refusal(starting):
    proxy, client = starting
    proxy.ready = False
    with pytest.raises(TemporaryError) as error:
        client.get("Namespace", "default")
    assert error.value.reason == "Starting"
    proxy.ready, proxy.refused = True, 1
    assert client.get("Namespace", "default") is not None  # it became ready in between


def test_a_refusal_that_is_repeated_by_a_ready_server_counts(starting):
    proxy, client = starting
    proxy.refused = 2
    with pytest.raises(PermanentError) as error:
        client.get("Namespace", "default")
    assert error.value.reason == "Forbidden"


def test_a_namespace_that_goes_while_it_is_filled_is_waited_for(ask, admin):
    environment = settle(ask())
    quota = manifests.resource_quota(desired(environment))
    quota["metadata"]["namespace"] = "gone"
    with pytest.raises(TemporaryError) as error:
        admin.apply(quota)
    assert error.value.reason == "NamespaceGone"


@pytest.mark.parametrize("keeps_external_id", [True, False])
def test_two_workers_that_make_a_group_at_the_same_moment_agree_on_one(keeps_external_id):
    fake = server(keeps_external_id=keeps_external_id)

    def beside(request, response):
        if request.method == "POST":
            mine = fake.groups[response.json()["id"]]
            fake.groups["g0"] = mine | {"id": "g0"}  # another worker's, made before this one's answer
        return response

    fake.tamper = beside
    assert fake.client().create_group(KEY, DANA) == "g0"
    assert list(fake.groups) == ["g0"]


def test_a_group_of_the_name_that_another_made_meanwhile_is_left_alone():
    fake = server()

    def beside(request, response):
        if request.method == "POST":
            fake.groups["g0"] = fake.groups["g1"] | {"id": "g0", "externalId": "another/theirs"}
        return response

    fake.tamper = beside
    with pytest.raises(PermanentError) as error:
        fake.client().create_group(KEY, DANA)
    assert error.value.reason == "NotOurs"
    assert list(fake.groups) == ["g0"]


def test_a_group_of_our_name_that_another_makes_later_is_said():
    fake = with_group(server())
    fake.groups["g2"] = fake.groups["g1"] | {"id": "g2", "externalId": "another/theirs"}
    state = GroupState(Role.ADMIN, KEY, "g1")
    member = SimpleNamespace(role=Role.ADMIN, wanted=True)
    context = SimpleNamespace(groups=(state,), directory=fake.client(), wanted_members=lambda role: [member])
    with pytest.raises(PermanentError) as error:
        group.ensure(context)
    assert error.value.reason == "NotOurs"


def test_who_lost_the_lease_while_working_has_it_all_checked_once_more(ask, monkeypatch):
    environment, write = settle(ask()), lifecycle.record
    other = uuid.uuid4()

    def frozen(lease, *attempts):
        until = timezone.now() + timedelta(seconds=100)
        Environment.objects.filter(pk=environment.pk).update(lease=other, lease_until=until)
        return write(lease, *attempts)

    monkeypatch.setattr(lifecycle, "record", frozen)
    Environment.objects.update(next_reconcile_at=timezone.now())
    assert reconcile.reconcile(environment.pk) == 0.0  # the other may have ended just before
    taken = Lease(environment.pk, other, generation=environment.generation, wanted=True)
    assert lifecycle.settle(taken, phase=Phase.READY, next_reconcile_at=None)
    assert Environment.objects.owed().filter(pk=environment.pk).exists()


def test_who_is_put_back_into_the_group_by_a_worker_thought_dead_is_taken_out_again(ask, people):
    User.objects.create(username="max", email="max@example.com")
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER, "max@example.com": Role.VIEWER}))
    due(environment)
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    viewers = LocalGroup.objects.get(name__endswith="-viewer")
    viewers.members.add(people[1])  # by a call that was under way all the time
    assert environment.next_reconcile_at - timezone.now() < timedelta(minutes=11)
    due(environment)
    assert {user.email for user in viewers.members.all()} == {"max@example.com"}


def test_who_left_is_forgotten_once_they_stayed_out(ask, people):
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    theo = environment.members.filter(email="theo@example.com")
    due(environment)
    assert theo.exists()
    theo.update(checked_at=timezone.now() - timedelta(minutes=10))
    due(environment)
    assert not theo.exists()


@pytest.mark.parametrize("keep", [Role.VIEWER, None])
def test_who_was_added_by_a_worker_that_died_then_is_taken_out_all_the_same(ask, people, keep):
    User.objects.create(username="max", email="max@example.com")
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER, "max@example.com": Role.DEVELOPER}))
    environment.members.filter(email="theo@example.com").update(directory_id="", in_group=None)  # not written down
    if keep:
        memberships.add_members(environment, people[0], ["theo@example.com"], keep)
    else:
        memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    developers = LocalGroup.objects.get(name__endswith="-developer")
    assert {user.email for user in developers.members.all()} == {"max@example.com"}


def test_ours_beside_anothers_goes_with_the_environment_though_its_id_was_lost():
    fake = with_group(server())
    fake.groups["g2"] = fake.groups["g1"] | {"id": "g2", "externalId": "another/theirs"}
    group.remove(SimpleNamespace(groups=(GroupState(Role.ADMIN, KEY, ""),), directory=fake.client()))
    assert list(fake.groups) == ["g2"]
