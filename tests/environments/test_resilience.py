"""What the fault suite (tests/faults) found, each as a small test: late calls, wrong clocks, untrue answers."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from environments import actions, cluster_answers, lifecycle, manifests, reconcile
from environments.desired import desired
from environments.lifecycle import Lease
from environments.models import Environment, Event, User
from environments.observe import passes
from environments.phases import Phase, Status
from tests.environments.test_reconcile import settle

pytestmark = pytest.mark.django_db


def due(environment: Environment) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    return settle(environment)


def verbs(environment: Environment) -> list[str]:
    return [event.verb for event in environment.events.order_by("id")]


def test_a_run_that_an_end_overtakes_writes_nothing_more(ask, monkeypatch):
    environment, write = ask(), lifecycle.record_attempt

    def overtaken(lease, attempt, **more):
        actions.delete_environment(environment, environment.owner, typed_name=environment.name)
        monkeypatch.setattr(lifecycle, "record_attempt", write)
        return write(lease, attempt, **more)

    monkeypatch.setattr(lifecycle, "record_attempt", overtaken)
    assert reconcile.reconcile(environment.pk) == 0.0  # to be done at once, not when the lease has run out
    environment.refresh_from_db()
    assert (environment.phase, environment.lease) == (Phase.DELETING, None)
    assert {one.status for one in environment.conditions.all()} == {Status.PENDING}
    assert settle(environment).phase == Phase.DELETED
    assert verbs(environment) == ["Requested", "Delete", "Deleted"]


def test_an_end_asked_for_just_before_the_result_is_not_overwritten_by_it(ask, monkeypatch):
    environment, write = ask(), lifecycle.settle

    def overtaken(lease, **more):
        actions.delete_environment(environment, environment.owner, typed_name=environment.name)
        monkeypatch.setattr(lifecycle, "settle", write)
        return write(lease, **more)

    monkeypatch.setattr(lifecycle, "settle", overtaken)
    reconcile.reconcile(environment.pk)
    environment.refresh_from_db()
    assert environment.phase == Phase.DELETING
    assert "Ready" not in verbs(environment)


def test_a_failure_is_looked_at_again_without_being_asked(ask):
    environment = ask()
    User.objects.update(is_active=False)  # or a directory that said so once, and was wrong
    assert settle(environment).phase == Phase.FAILED
    assert environment.conditions.get(type="Group").reason == "OwnerUnknown"
    wait = environment.next_reconcile_at - timezone.now()
    assert timedelta(minutes=10) < wait < timedelta(minutes=20)
    User.objects.update(is_active=True)
    assert due(environment).phase == Phase.READY
    assert verbs(environment) == ["Requested", "Failed", "Ready"]


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
    assert verbs(environment) == ["Requested", "Ready", "Delete", "Deleted", "Cleaned"]
    assert not environment.events.filter(verb="Cleaned", notice_owed=True).exists()


def test_the_second_look_at_nothing_says_nothing(ask):
    environment = settle(ask())
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    settle(environment)
    assert due(environment).next_reconcile_at is None
    assert verbs(environment)[-1] == "Deleted"


@pytest.mark.parametrize(
    ("phase", "hours", "is_owed"),
    [(Phase.PROVISIONING, 1, False), (Phase.PROVISIONING, 3, True), (Phase.READY, 7, False), (Phase.READY, 30, True)],
)
def test_a_time_that_only_a_wrong_clock_can_have_written_has_come(make_environment, phase, hours, is_owed):
    ahead = timezone.now() + timedelta(hours=hours)
    make_environment(phase=phase, observed_generation=1, next_reconcile_at=ahead)
    assert Environment.objects.owed().exists() == is_owed


def test_a_lease_that_only_a_wrong_clock_can_have_written_is_over(make_environment, settings):
    environment = make_environment(phase=Phase.PROVISIONING)
    for seconds, is_owed in ((settings.LEASE_SECONDS, False), (3 * settings.LEASE_SECONDS, True)):
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
    assert passes._record(keys, {key: ["RoleBinding environment-admin is missing"] for key in keys}) == [str(kept.pk)]
    assert Environment.objects.get(pk=gone.pk).phase == Phase.DELETED
    assert not Event.objects.filter(environment=gone, verb="Drift").exists()


def test_no_answer_makes_anything_wait_for_a_day():
    assert cluster_answers.translate(429, {}, "86400").retry_after == 3600


def test_a_database_that_is_gone_is_what_is_said_of_a_run(ask, monkeypatch):
    def gone(*args, **more):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(lifecycle, "record_attempt", lambda *args, **more: 1 / 0)
    monkeypatch.setattr(lifecycle, "release", gone)
    with pytest.raises(ZeroDivisionError):
        reconcile.reconcile(ask().pk)
