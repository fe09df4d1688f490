"""The pass: page by page, one at a time, and nothing concluded from a part."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from environments import kube
from environments.kube import manifests
from environments.kube.client import ClusterClient
from environments.kube.kinds import RESOURCES
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, Event, Usage
from environments.reconcile import desired
from environments.routine import observe, usage
from environments.routine.observe import expectations, passes, reading
from tests.arranging import KINDS, drop_policy, pod, raise_quota, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_pages(monkeypatch):
    """Two objects a page, so that a handful of environments has several."""
    monkeypatch.setitem(ClusterClient.list_pages.__kwdefaults__, "limit", 2)


def looked(environment):
    environment.refresh_from_db()
    return environment.usage, environment.usage_at, environment.phase


def test_several_pages_are_one_list(ask, place, admin, small_pages):
    found = [settle(ask(f"n{number}")) for number in range(5)]
    for environment in found:
        admin.create(pod(environment.namespace, "250m"))
    drop_policy(admin, found[3])
    assert observe.observe(place.pk) == [str(found[3].pk)]
    for environment in found:
        environment.refresh_from_db()
        assert environment.usage["pods"] == ["1", "30"]


PLURALS = {RESOURCES[kind].plural: kind for kind in KINDS}


def looks_of(place):
    place.refresh_from_db()
    return {look.kind: look for look in place.looks}


@pytest.mark.parametrize("plural", PLURALS)
@pytest.mark.parametrize("fault", [{"status": 503}, {"truncate": True}, {"drop_connection": True}, {"status": 403}])
def test_a_list_that_breaks_off_says_nothing_of_its_kind(ask, place, simulated, small_pages, plural, fault):
    found = [settle(ask(f"n{number}")) for number in range(3)]
    simulated.faults.add(path_regex=f"/{plural}$", delay=0.0001, times=1)  # the first page is fine
    simulated.faults.add(path_regex=f"/{plural}$", **fault, times=9)
    assert observe.observe(place.pk) == []
    kind = PLURALS[plural]
    looks = looks_of(place)
    assert {each for each, look in looks.items() if look.at is None} == {kind}
    assert place.check_error == f"{kind}: {looks[kind].error}"
    assert (place.observed_at is None) == (kind == "ResourceQuota")
    assert not Event.objects.filter(kind=Activity.CHANGED_BY_HAND).exists()
    assert {looked(environment)[2] for environment in found} == {Phase.READY}
    assert all(looked(each)[1] for each in found) == (kind != "ResourceQuota")


@pytest.mark.parametrize("plural", PLURALS)
def test_a_kind_that_cannot_be_read_holds_up_no_other(ask, place, admin, simulated, plural):
    found = settle(ask())
    raise_quota(admin, found)
    drop_policy(admin, found)
    simulated.faults.add(path_regex=f"/{plural}$", status=503, times=9)
    assert observe.observe(place.pk) == [str(found.pk)]
    said = found.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert ("spec.hard.pods is 500" in said) == (plural != "resourcequotas")
    assert ("deny-all is missing" in said) == (plural != "networkpolicies")
    simulated.faults.clear()
    assert settle(found).phase == Phase.READY
    assert observe.observe(place.pk) == []
    assert (looks_of(place)[PLURALS[plural]].error, place.check_error) == ("", "")


def test_of_a_list_that_breaks_off_what_was_seen_counts_and_what_was_not_is_not_missing(
    ask, place, admin, simulated, small_pages
):
    Cluster.objects.update(admission_state=Cluster.AdmissionState.INSTALLED)  # one quota each: none of critical pods
    found = sorted((settle(ask(f"n{number}")) for number in range(3)), key=lambda each: each.namespace)
    raise_quota(admin, found[0])
    simulated.faults.add(path_regex="/resourcequotas$", delay=0.0001, times=1)  # two of three
    simulated.faults.add(path_regex="/resourcequotas$", status=503, times=1)
    assert observe.observe(place.pk) == [str(found[0].pk)]
    assert [bool(looked(each)[0]) for each in found] == [True, True, False]


@pytest.mark.parametrize(
    ("fault", "most"), [({"status": 401}, 1), ({"drop_connection": True}, 2), ({"status": 503}, 5)]
)
def test_of_a_cluster_that_does_not_answer_no_more_is_asked_than_tells(ask, place, simulated, fault, most):
    environment = settle(ask())
    observe.observe(place.pk)
    before, complete = looks_of(place), looked(environment)
    fails = simulated.faults.add(path_regex="/", **fault, times=99)
    assert observe.observe(place.pk) == []
    assert fails.seen == most
    after = looks_of(place)
    assert {kind: look.at for kind, look in after.items()} == {kind: look.at for kind, look in before.items()}
    assert all(look.error == place.check_error for look in after.values()) or most == 5
    assert looked(environment) == complete
    assert place.observed_at < place.checked_at


def test_each_kind_keeps_a_part_of_the_time_however_long_others_take(monkeypatch, cluster):
    row = passes._Reading(cluster, {})
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    row._end = 1240.0
    assert [row._deadline(left) - 1000 for left in (1, 5, 8)] == [240, 180, 135]
    assert row._deadline(24) - 1000 == 10
    row._end = 990.0
    assert row._deadline(3) == 990


def test_a_list_that_expires_half_way_is_begun_again(ask, place, simulated, small_pages):
    found = [settle(ask(f"n{number}")) for number in range(3)]
    for kind in ("networkpolicies", "resourcequotas"):
        simulated.faults.add(path_regex=f"/{kind}$", delay=0.0001, times=1)
        simulated.faults.add(path_regex=f"/{kind}$", status=410, times=1)
    assert observe.observe(place.pk) == []
    place.refresh_from_db()
    assert (place.check_error, place.observed_at is not None) == ("", True)
    assert all(looked(environment)[0] for environment in found)


def test_a_kind_whose_lists_always_expire_is_noted(ask, place, simulated, small_pages):
    environment = settle(ask())
    simulated.faults.add(path_regex="/networkpolicies$", status=410, times=9)
    assert observe.observe(place.pk) == []
    look = looks_of(place)["NetworkPolicy"]
    assert (look.at, "410" in look.error, "410" in place.check_error) == (None, True, True)
    assert looked(environment)[1] is not None


def test_observed_at_is_when_all_quotas_were_last_read(ask, place, simulated):
    environment = settle(ask())
    observe.observe(place.pk)
    place.refresh_from_db()
    complete = place.observed_at
    assert looked(environment)[1] == complete.replace(microsecond=0)
    simulated.faults.add(path_regex="/limitranges", status=503, times=1)
    observe.observe(place.pk)
    place.refresh_from_db()
    assert complete < place.observed_at == place.checked_at
    complete = place.observed_at
    simulated.faults.add(path_regex="/resourcequotas", status=503)
    observe.observe(place.pk)
    place.refresh_from_db()
    assert place.observed_at == complete < place.checked_at


def test_a_pass_that_takes_too_long_is_given_up(ask, place, monkeypatch):
    environment = settle(ask())
    monkeypatch.setattr(passes, "MOST_SECONDS", -1)
    assert observe.observe(place.pk) == []
    place.refresh_from_db()
    assert "in time" in place.check_error
    assert looked(environment)[1] is None


def test_two_passes_never_run_over_one_cluster(ask, place, simulated):
    settle(ask())
    counted = simulated.faults.add(method="GET", delay=0.0001, times=10_000)
    Cluster.objects.filter(pk=place.pk).update(observing_until=timezone.now() + timedelta(minutes=1))
    assert observe.observe(place.pk) == []
    assert counted.seen == 0
    Cluster.objects.filter(pk=place.pk).update(observing_until=timezone.now() - timedelta(seconds=1))
    observe.observe(place.pk)
    assert counted.seen == 5


def test_a_pass_gives_its_turn_back_whatever_happened(ask, place, monkeypatch):
    settle(ask())

    def killed(row):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(kube, "connect", killed)
        with pytest.raises(SystemExit):
            observe.observe(place.pk)
    place.refresh_from_db()
    assert place.observing_until is None


def test_what_is_wanted_otherwise_by_now_is_not_taken_for_drift(ask, place, admin, monkeypatch):
    environment = settle(ask())
    drop_policy(admin, environment)
    record = usage.record

    def changed_meanwhile(seen, now):
        Environment.objects.filter(pk=environment.pk).update(purpose="Something else.")
        return record(seen, now)

    monkeypatch.setattr(usage, "record", changed_meanwhile)  # the last that a pass does before it compares
    assert observe.observe(place.pk) == []
    assert environment.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 0


def test_what_somebody_is_working_on_is_left_to_them(ask, place, admin):
    environment = settle(ask())
    drop_policy(admin, environment)
    Environment.objects.filter(pk=environment.pk).update(lease="00000000-0000-0000-0000-000000000001")
    assert observe.observe(place.pk) == []
    assert environment.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 0


def test_a_quota_in_another_namespace_is_not_taken_for_the_environments(ask, place, admin):
    environment, other = settle(ask()), settle(ask("other"))
    copy = admin.get("ResourceQuota", manifests.QUOTA, environment.namespace)
    copy["metadata"] = {"name": "copied", "namespace": other.namespace, "labels": copy["metadata"]["labels"]}
    admin.create({key: copy[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    admin.delete("ResourceQuota", manifests.QUOTA, environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert "ResourceQuota environment-quota is missing" in environment.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert looked(environment)[1] is None


def test_a_quota_that_is_not_counted_yet_says_nothing():
    assert reading.usage({"metadata": {}}) == {}
    assert reading.usage({"status": {}}) == {}
    assert reading.usage({"status": {"hard": {"pods": "3"}}}) == {}
    assert reading.usage({"status": {"hard": {"pods": "3", "cpu": "1"}, "used": {"pods": "0"}}}) == {"pods": ["0", "3"]}
    assert reading.usage({"status": {"hard": {"pods": "many"}, "used": {"pods": "0"}}}) == {}


def test_what_two_passes_saw_is_in_the_hours_once_it_changed(ask, place, admin):
    environment = settle(ask())
    observe.observe(place.pk)
    ago = timezone.now() - timedelta(seconds=60)
    Environment.objects.filter(pk=environment.pk).update(usage_at=ago, counted_until=ago)
    admin.create(pod(environment.namespace, "250m"))
    observe.observe(place.pk)
    assert sum(row.seconds for row in Usage.objects.all()) in (59, 60, 61)


def test_the_facts_are_the_same_as_with_model_objects(make_environment, cluster, theo):
    plain = make_environment()
    make_environment(name="Two roles", members={theo.email: Role.DEVELOPER}, purpose="“Trying”", size="small")
    alone = make_environment(name="No team", team=None, parameters={})
    alone.members.update(in_group=True, has_account=True, username="dana")
    cluster.username_prefix, cluster.account_namespace, cluster.username_claim = "oidc:", "accounts", "username"
    cluster.save()
    rows = Environment.objects.select_related("cluster")
    assert expectations.load(cluster) == {str(row.pk): desired.desired_with_bindings(row) for row in rows}
    assert list(expectations.load(cluster, [str(plain.pk)])) == [str(plain.pk)]


def test_kind_by_kind_it_is_everything_that_an_environment_should_have(ask):
    settle(ask())
    facts = desired.desired_with_bindings(Environment.objects.get())
    wanted = expectations.Wanted()
    by_kind = [manifest for kind in expectations._GOVERNING for manifest in wanted.of(kind, facts)]
    everything = manifests.all_manifests(facts)
    assert sorted(by_kind, key=manifests.key) == sorted(everything, key=manifests.key)


NOW = timezone.now()


@pytest.mark.parametrize(
    ("failing_for", "tried_ago", "is_due"),
    [
        (timedelta(0), timedelta(0), True),
        (timedelta(minutes=2), timedelta(minutes=1), False),
        (timedelta(minutes=2), timedelta(minutes=2), True),
        (timedelta(minutes=8), timedelta(minutes=7), False),
        (timedelta(days=8), timedelta(minutes=9), False),
        (timedelta(days=8), timedelta(minutes=10), True),
        (timedelta(minutes=2), timedelta(days=-1), True),  # the clock went back
    ],
)
def test_a_cluster_that_keeps_failing_is_tried_ever_more_seldom(
    make_environment, cluster, failing_for, tried_ago, is_due
):
    make_environment()
    tried = NOW - tried_ago
    Cluster.objects.filter(pk=cluster.pk).update(
        updated_at=NOW - timedelta(days=100),
        observed_at=tried - failing_for,
        checked_at=tried,
        check_error="It does not answer." if failing_for else "",
    )
    assert observe.due(NOW) == ([cluster.pk] if is_due else [])


def test_a_cluster_whose_row_was_changed_is_tried_at_once(make_environment, cluster):
    make_environment()
    changed = NOW - timedelta(hours=1)
    Cluster.objects.filter(pk=cluster.pk).update(
        checked_at=NOW, check_error="Unauthorized", created_at=changed, updated_at=changed
    )
    assert observe.due(NOW + timedelta(seconds=1)) == []
    Cluster.objects.get(pk=cluster.pk).save()
    assert observe.due(NOW + timedelta(seconds=1)) == [cluster.pk]


def test_a_cluster_without_environments_is_not_read(cluster):
    assert observe.due() == []
