"""One pass over a cluster: usage stored, drift found, nothing concluded from silence."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import tasks
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event
from environments.routine import observe
from tests.arranging import drop_policy, pod, raise_quota, settle

pytestmark = pytest.mark.django_db


def test_usage_is_what_the_quotas_status_says(ask, admin, place):
    environment = settle(ask())
    admin.create(pod(environment.namespace, "250m"))
    assert observe.observe(place.pk) == []
    environment.refresh_from_db()
    used, hard = environment.usage["requests.cpu"]
    assert (used, hard) in {("250m", "1"), ("250m", "1000m")}
    assert environment.usage["pods"] == ["1", "30"]
    assert environment.fullest == pytest.approx(0.25)
    assert environment.usage_at is not None


def test_one_whose_template_cannot_be_read_keeps_the_pass_from_no_other(ask, admin, place):
    broken, sound = settle(ask("broken")), settle(ask("sound"))
    Environment.objects.filter(pk=broken.pk).update(spec={"sizes": "none"})
    admin.delete("NetworkPolicy", "deny-all", sound.namespace)
    assert observe.observe(place.pk) == [str(sound.pk)]
    place.refresh_from_db()
    assert (place.check_error, place.observed_at is None) == ("", False)


def test_an_environment_in_order_is_not_reconciled(ask, place):
    environment = settle(ask())
    assert observe.observe(place.pk) == []
    assert not Environment.objects.owed().filter(pk=environment.pk).exists()


def drop_pod_security(admin, environment):
    live = admin.get("Namespace", environment.namespace)
    live["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    admin._request("PUT", f"/api/v1/namespaces/{environment.namespace}", body=live)


def drop_binding(admin, environment):
    admin.delete("RoleBinding", "environment-admin", environment.namespace)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop_policy, "NetworkPolicy deny-all is missing"),
        (raise_quota, "spec.hard.pods is 500, not 30"),
        (drop_pod_security, "enforce is privileged, not baseline"),
        (drop_binding, "RoleBinding environment-admin is missing"),
    ],
)
def test_what_was_changed_by_hand_is_found_recorded_and_put_back(ask, admin, place, change, words):
    environment, untouched = settle(ask()), settle(ask("other"))
    change(admin, environment)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert words in environment.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert untouched.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 0
    environment.refresh_from_db()
    assert environment.phase == Phase.DEGRADED
    assert settle(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []
    assert environment.events.filter(kind=Activity.REPAIRED).count() == 1


def test_the_same_change_again_and_again_is_told_three_times_a_day(ask, admin, place):
    environment = settle(ask())
    for _ in range(5):
        raise_quota(admin, environment)
        assert observe.observe(place.pk) == [str(environment.pk)]
        assert settle(environment).phase == Phase.READY
    told = environment.events.filter(kind=Activity.CHANGED_BY_HAND).order_by("pk")
    assert ["3 times within a day" in each.message for each in told] == [False, False, True]
    assert environment.events.filter(kind=Activity.REPAIRED).count() == 3
    drop_policy(admin, environment)  # something else
    observe.observe(place.pk)
    assert settle(environment).phase == Phase.READY
    assert (told.all().count(), environment.events.filter(kind=Activity.REPAIRED).count()) == (4, 4)
    told.update(at=timezone.now() - timedelta(days=2))
    raise_quota(admin, environment)
    observe.observe(place.pk)
    assert told.all().count() == 5


def test_a_cluster_that_does_not_answer_is_noted_and_nothing_is_concluded(ask, place, simulated):
    environment = settle(ask())
    observe.observe(place.pk)
    environment.refresh_from_db()
    before = (environment.usage, environment.usage_at)
    simulated.faults.add(path_regex="/", status=503, times=1000)
    assert observe.observe(place.pk) == []
    environment.refresh_from_db()
    assert (environment.usage, environment.usage_at) == before
    assert environment.phase == Phase.READY
    assert "503" in Cluster.objects.get(pk=place.pk).check_error


def test_the_number_of_calls_and_queries_does_not_grow_with_the_environments(ask, place, simulated):
    found = []
    for number in range(3):
        settle(ask(f"n{number}"))
        counted = simulated.faults.add(method="GET", delay=0.0001, times=10_000)
        with CaptureQueriesContext(connection) as queries:
            observe.observe(place.pk)
        found.append((counted.seen, len(queries)))
        simulated.faults.clear()
    assert [calls for calls, _ in found] == [5, 5, 5]
    assert len({queries for _, queries in found}) == 1
    assert found[0][1] <= 16


def test_the_sweep_enqueues_exactly_what_is_owed(ask, enqueued):
    fresh, ready = ask(), settle(ask("ready"))
    later = settle(ask("later"))
    Environment.objects.filter(pk=later.pk).update(next_reconcile_at=timezone.now() + timedelta(hours=1))
    tasks.sweep()
    assert enqueued.environments == [str(fresh.pk)]
    assert str(ready.pk) not in enqueued.environments


def test_while_many_messages_wait_the_sweep_leaves_what_is_new_to_its_own(ask, enqueued):
    fresh, old, ready = ask(), ask("old"), settle(ask("ready"))
    long_ago = timezone.now() - timedelta(minutes=6)
    Environment.objects.filter(pk=old.pk).update(created_at=long_ago)
    Environment.objects.filter(pk=ready.pk).update(next_reconcile_at=timezone.now())
    ready.events.filter(notice_owed=True).update(at=long_ago)
    letter = ready.events.get(notice_owed=True).pk
    Event.record(fresh, None, Activity.FAILED, "New.", notice_owed=True)
    enqueued.waiting = 50
    tasks.sweep()
    assert set(enqueued.environments) == {str(old.pk), str(ready.pk)}
    assert enqueued.of(tasks.deliver_notices) == [(letter,)]
    enqueued.messages.clear()
    enqueued.waiting = 49
    tasks.sweep()
    assert set(enqueued.environments) == {str(fresh.pk), str(old.pk), str(ready.pk)}
    ((*letters,),) = enqueued.of(tasks.deliver_notices)
    assert len(letters) == 2


def test_a_broker_that_is_down_loses_nothing(ask, enqueued, django_capture_on_commit_callbacks):
    enqueued.is_down = True
    with django_capture_on_commit_callbacks(execute=True):
        environment = ask()
    assert Environment.objects.owed().filter(pk=environment.pk).exists()


def test_a_request_is_enqueued_only_after_its_commit(ask, enqueued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        environment = ask()
        assert enqueued.environments == []
    assert enqueued.environments == [str(environment.pk)]
