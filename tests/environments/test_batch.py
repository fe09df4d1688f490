"""Environments that one worker reconciles side by side."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import actions, tasks
from environments.kube.client import ClusterClient
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Status
from environments.models import Condition, Environment, Group, Member
from environments.models.writing import update_each
from environments.reconcile import engine
from environments.reconcile import lease as lifecycle
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(ask) -> list[Environment]:
    return [ask(f"shop {number}") for number in range(4)]


def phases() -> list[str]:
    return list(Environment.objects.order_by("created_at").values_list("phase", flat=True))


def test_one_message_reconciles_what_else_is_owed(asked):
    delays = engine.reconcile_some(asked[2].pk, most=3)
    assert set(delays) == {asked[0].pk, asked[1].pk, asked[2].pk}  # the one that was named, and the oldest
    for environment in asked[:3]:
        assert settle(environment).phase == Phase.READY
    assert phases() == [Phase.READY] * 3 + [Phase.PROVISIONING]


def test_what_is_too_much_for_one_is_told_to_the_next(asked):
    told = []
    engine.reconcile_some(asked[0].pk, most=2, following=told.append)
    assert told == [asked[2].pk]
    engine.reconcile_some(asked[2].pk, most=2, following=told.append)
    assert len(told) == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_sends_no_message_while_an_earlier_one_waits_for_a_worker(ask, enqueued, monkeypatch):
    """Whoever takes the first takes the others along, or sends a message for what is left."""
    monkeypatch.setattr("environments.models.environments._ANYWAY", 0.0)
    first, second = ask("a"), ask("b")
    assert enqueued.environments == [str(first.pk)]
    assert set(engine.reconcile_some(first.pk, most=8)) == {first.pk, second.pk}
    third = ask("c")
    assert enqueued.environments == [str(first.pk), str(third.pk)]
    lifecycle.take_lease(third.pk)
    fourth = ask("d")
    assert enqueued.environments[2:] == [str(fourth.pk)]
    Environment.objects.filter(pk=fourth.pk).update(created_at=timezone.now() - timedelta(seconds=6))
    fifth = ask("e")  # the fourth's message must be lost
    assert enqueued.environments[3:] == [str(fifth.pk)]


def test_two_requests_of_one_moment_do_not_rely_on_each_other(asked):
    at = timezone.now()
    Environment.objects.update(created_at=at)
    assert not Environment.objects.is_crowded(at)


def test_a_sweep_over_many_sends_a_message_for_each_batch(make_environment, enqueued, monkeypatch):
    monkeypatch.setattr(tasks, "_BUSY", 3)
    made = [make_environment(name=f"shop {number}", phase=Phase.PROVISIONING) for number in range(4)]
    tasks.sweep()
    assert enqueued.environments == [str(made[0].pk)]
    Environment.objects.filter(pk=made[0].pk).update(lease_until=timezone.now() + timedelta(seconds=14))
    tasks.sweep()
    assert enqueued.environments[1:] == [str(each.pk) for each in made[1:]]


def test_a_message_for_what_needs_nothing_takes_nothing_along(asked):
    settle(asked[0])
    assert engine.reconcile_some(asked[0].pk, most=8) == {}
    assert phases()[1:] == [Phase.PROVISIONING] * 3


def test_what_another_worker_holds_is_left_to_it(asked):
    held = lifecycle.take_lease(asked[1].pk)
    assert set(engine.reconcile_some(asked[0].pk, most=8)) == {asked[0].pk, asked[2].pk, asked[3].pk}
    assert Environment.objects.get(pk=asked[1].pk).lease == held.token


def test_many_cost_hardly_more_statements_than_one(ask):
    def statements(*names: str) -> int:
        first, *_ = [ask(name) for name in names]
        with CaptureQueriesContext(connection) as seen:
            engine.reconcile_some(first.pk, most=len(names))
        said = [query["sql"] for query in seen.captured_queries]
        of_directory = [sql for sql in said if "localgroup" in sql or 'FROM "environments_user"' in sql]
        return len([sql for sql in said if sql not in of_directory and "SAVEPOINT" not in sql])

    settle(ask("warm"))
    alone = statements("a")
    assert 10 < alone < 30
    assert statements("b", "c", "d", "e", "f", "g") < 2 * alone


def test_one_that_fails_holds_up_no_other(asked, simulated):
    simulated.faults.add(method="POST", path_regex="/namespaces$", status=403, times=1)
    engine.reconcile_some(asked[0].pk, most=4)
    found = [settle(environment).phase for environment in asked]
    assert sorted(found) == [Phase.FAILED] + [Phase.READY] * 3


def test_one_that_breaks_holds_up_no_other_and_comes_again(asked, monkeypatch):
    begin = engine._Work.begin

    def broken(self):
        if self.lease.environment_id == asked[1].pk:
            raise ZeroDivisionError
        return begin(self)

    monkeypatch.setattr(engine._Work, "begin", broken)
    delays = engine.reconcile_some(asked[0].pk, most=4)
    assert delays[asked[1].pk] is None
    row = Environment.objects.get(pk=asked[1].pk)
    assert row.lease is None
    assert timedelta(seconds=30) < row.next_reconcile_at - timezone.now() <= timedelta(seconds=60)
    monkeypatch.undo()
    assert [settle(environment).phase for environment in (asked[0], asked[2], asked[3])] == [Phase.READY] * 3
    assert Environment.objects.get(pk=asked[1].pk).phase == Phase.PROVISIONING


def test_what_is_ready_is_so_while_another_still_waits_for_its_cluster(asked, monkeypatch):
    """The slow one ends only once the others are done, or the patience of the test is over."""
    create, others, seen = ClusterClient.create, threading.Event(), []

    def slow(self, manifest, **options):
        if manifest["metadata"]["name"] == asked[0].namespace:
            assert others.wait(30)
        return create(self, manifest, **options)

    write = lifecycle.write

    def watched(results):
        answers = write(results)
        seen.append({result.lease.environment_id for result in results if result.settlement})
        if set.union(*seen) >= {environment.pk for environment in asked[1:]}:
            others.set()
        return answers

    monkeypatch.setattr(ClusterClient, "create", slow)
    monkeypatch.setattr(lifecycle, "write", watched)
    engine.reconcile_some(asked[0].pk, most=4)
    assert others.is_set()
    assert settle(asked[0]).phase == Phase.READY


def test_many_calls_that_do_not_answer_do_not_keep_the_threads_from_others(asked, monkeypatch):
    create, others = ClusterClient.create, threading.Event()
    stuck = {environment.namespace for environment in asked[:3]}

    def slow(self, manifest, **options):
        if manifest["metadata"]["name"] in stuck:
            assert others.wait(30)
        else:
            others.set()
        return create(self, manifest, **options)

    monkeypatch.setattr(ClusterClient, "create", slow)
    monkeypatch.setattr("environments.reconcile.runner._BESIDE", 2)
    engine.reconcile_some(asked[0].pk, most=4)
    assert [settle(environment).phase for environment in asked] == [Phase.READY] * 4


def test_an_end_that_is_asked_for_meanwhile_stops_only_its_own(asked, monkeypatch):
    write = lifecycle.write

    def overtaken(results):
        monkeypatch.setattr(lifecycle, "write", write)
        actions.delete_environment(asked[1], asked[1].owner, typed_name=asked[1].name)
        return write(results)

    monkeypatch.setattr(lifecycle, "write", overtaken)
    delays = engine.reconcile_some(asked[0].pk, most=4)
    assert delays[asked[1].pk] == 0.0
    assert [settle(environment).phase for environment in asked] == [
        Phase.READY, Phase.DELETED, Phase.READY, Phase.READY
    ]  # fmt: skip
    assert not asked[1].events.filter(kind=Activity.READY).exists()


def test_a_lease_that_is_lost_meanwhile_stops_only_its_own(asked, monkeypatch):
    write = lifecycle.write

    def robbed(results):
        monkeypatch.setattr(lifecycle, "write", write)
        Environment.objects.filter(pk=asked[1].pk).update(lease=asked[1].pk)
        return write(results)

    monkeypatch.setattr(lifecycle, "write", robbed)
    delays = engine.reconcile_some(asked[0].pk, most=4)
    assert delays[asked[1].pk] == 0.0
    row = Environment.objects.get(pk=asked[1].pk)
    assert (row.lease, row.generation) == (asked[1].pk, asked[1].generation + 1)  # checked again once it is free
    assert {one.status for one in row.conditions.all()} == {Status.PENDING}
    assert [settle(environment).phase for environment in (asked[0], asked[2], asked[3])] == [Phase.READY] * 3


def test_a_result_that_the_database_refuses_is_not_the_others_end(asked, monkeypatch):
    after = lifecycle.condition_after

    def spoilt(condition, attempt, next_try_at):
        made = after(condition, attempt, next_try_at)
        if made.environment_id == asked[1].pk:
            made.duration_ms = "no number"
        return made

    monkeypatch.setattr(lifecycle, "condition_after", spoilt)
    engine.reconcile_some(asked[0].pk, most=4)
    monkeypatch.undo()
    assert Environment.objects.get(pk=asked[1].pk).phase == Phase.PROVISIONING
    assert [settle(environment).phase for environment in (asked[0], asked[2], asked[3])] == [Phase.READY] * 3


def test_leases_are_renewed_while_a_call_takes_its_time(ask, monkeypatch, settings):
    settings.LEASE_SECONDS = 1
    environment, create, ends = ask(), ClusterClient.create, []

    def slow(self, manifest, **options):
        deadline = threading.Event()
        deadline.wait(1.5)
        return create(self, manifest, **options)

    renew = lifecycle.renew

    def watched(leases):
        refused = renew(leases)
        ends.append(Environment.objects.get(pk=environment.pk).lease_until)
        return refused

    monkeypatch.setattr(ClusterClient, "create", slow)
    monkeypatch.setattr(lifecycle, "renew", watched)
    engine.reconcile(environment.pk)
    assert len(ends) >= 3
    assert ends == sorted(set(ends))
    assert settle(environment).phase == Phase.READY


def test_a_worker_that_finds_its_lease_gone_starts_nothing_more(ask, admin, monkeypatch, settings):
    """As after it was frozen: what was under way ends, and no other step begins."""
    settings.LEASE_SECONDS = 0
    environment, create = ask(), ClusterClient.create

    def frozen(self, manifest, **options):
        made = create(self, manifest, **options)
        stolen.wait(30)
        return made

    stolen, renew = threading.Event(), lifecycle.renew

    def robbed(leases):
        Environment.objects.filter(pk=environment.pk).update(lease=environment.pk)
        refused = renew(leases)
        stolen.set()
        return refused

    monkeypatch.setattr(ClusterClient, "create", frozen)
    monkeypatch.setattr(lifecycle, "renew", robbed)
    assert engine.reconcile(environment.pk) == 0.0
    assert list(admin.list_objects("ResourceQuota", environment.namespace)) == []


class TestUpdateEach:
    def test_rows_get_their_own_values(self, make_environment):
        rows = [make_environment(name=name) for name in "abc"]
        times = [timezone.now() + timedelta(hours=number) for number in range(3)]
        changes = {
            (row.pk,): {"lease_until": at, "drift": [{"n": n}], "lease": None}
            for n, (row, at) in enumerate(zip(rows, times, strict=True))
        }
        update_each(Environment, ("id",), changes | {(rows[2].pk,): {"purpose": "only this"}})
        found = [Environment.objects.get(pk=row.pk) for row in rows]
        assert [(row.lease_until, row.drift, row.purpose) for row in found] == [
            (times[0], [{"n": 0}], rows[0].purpose),
            (times[1], [{"n": 1}], rows[1].purpose),
            (None, [], "only this"),
        ]

    def test_by_several_columns(self, make_environment):
        rows = [make_environment(name=name) for name in "ab"]
        Group.objects.all().delete()
        for row in rows:
            Group.objects.create(environment=row, role="viewer", name=f"{row.namespace}-viewer")
        update_each(Group, ("environment_id", "role"), {(row.pk, "viewer"): {"directory_id": row.name} for row in rows})
        assert {group.name: group.directory_id for group in Group.objects.all()} == {
            f"{row.namespace}-viewer": row.name for row in rows
        }

    def test_nothing_to_set_is_no_statement(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            update_each(Member, ("id",), {(1,): {}})
            update_each(Condition, ("id",), {})


@pytest.mark.parametrize(("left", "is_late"), [(-1, False), (1, True), (6, True), (8, False), (14, False)])
def test_the_sweep_has_a_dead_workers_environment_taken_over_when_its_lease_ends(
    ask, enqueued, settings, left, is_late
):
    settings.LEASE_SECONDS = 15
    environment = ask()
    enqueued.messages.clear()
    Environment.objects.update(lease=environment.pk, lease_until=timezone.now() + timedelta(seconds=left))
    tasks.sweep()
    delays = [message.options["countdown"] for message in enqueued.messages if message.task == tasks.reconcile.name]
    assert len(delays) == (is_late or left < 0)
    assert all(max(0, left) <= delay < max(0, left) + 0.5 for delay in delays)
