"""The hourly look at the admission policies: what is kept, who is told, and what silence means.

tests/contract/test_admission_standing.py looks at the real control plane as well.
"""

import logging
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from environments import tasks
from environments.kube import admission
from environments.kube.admission import State
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Cluster, Environment
from environments.routine import observe, policy_looks
from portal import figures
from portal.demo.ports import free_port
from portal.demo.simulated import SimulatedCluster
from tests.arranging import settle

pytestmark = pytest.mark.django_db
BINDING = "ValidatingAdmissionPolicyBinding"
APPLY, REPLACE = (f"manage.py print_admission | kubectl {verb} -f -" for verb in ("apply", "replace"))
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def fresh():
    """No figures of another test."""
    figures.forget()
    yield
    figures.forget()


@pytest.fixture
def install(admin):
    """Puts the policies there, with these options."""

    def put(**options) -> None:
        for document in admission.documents(**options):
            admin.apply(document)

    return put


def look(place: Cluster) -> Cluster:
    policy_looks.look(place.pk)
    figures.forget()
    return Cluster.objects.get(pk=place.pk)


def soup(response) -> BeautifulSoup:
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def degraded(client) -> list[str]:
    return client.get("/readyz").json()["degraded"]


def gauge(client, settings) -> dict[str, float]:
    """What /metrics says of Amsterdam's policies, by state."""
    settings.METRICS_TOKEN = "only-for-tests-0123456789"
    text = client.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()
    start = 'portal_cluster_policies{cluster="amsterdam",state="'
    found = (line.removeprefix(start).split('"} ') for line in text.splitlines() if line.startswith(start))
    return {state: float(value) for state, value in found}


# What is found is kept


def test_what_is_installed_is_seen(place, install):
    install(break_glass=["night shift"])
    before = timezone.now()
    row = look(place)
    assert (row.admission_state, row.admission_names, row.admission_command) == (State.INSTALLED, [], "")
    assert row.admission_exempt == ["night shift"]
    assert before <= row.admission_looked_at == row.admission_installed_at <= timezone.now()
    assert not row.is_unguarded
    assert policy_looks.kept(row) == admission.Standing(State.INSTALLED, exempt=("night shift",))


def test_a_binding_deleted_by_hand_is_seen_at_the_next_look_and_seen_to_be_back(place, install, admin):
    install()
    first = look(place)
    admin.delete(BINDING, "allotment-objects")
    row = look(place)
    assert (row.admission_state, row.admission_names) == (State.MISSING, ["binding allotment-objects"])
    assert row.admission_command == APPLY
    assert row.admission_installed_at == first.admission_installed_at < row.admission_looked_at
    assert row.is_unguarded
    assert list(Cluster.objects.unguarded()) == [row]
    install()
    row = look(place)
    assert (row.admission_state, row.admission_names, row.is_unguarded) == (State.INSTALLED, [], False)


def test_one_that_was_edited_by_hand_is_seen(place, install, admin):
    install()
    look(place)
    weak = admin.get(BINDING, "allotment-isolation")
    weak["spec"]["validationActions"] = ["Warn"]
    admin.overwrite(
        {key: weak[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": weak["metadata"]["name"]}}
    )
    row = look(place)
    assert (row.admission_state, row.admission_names) == (State.OLDER, ["binding allotment-isolation"])
    assert row.admission_command == REPLACE
    assert row.is_unguarded


def forbid(admin) -> None:
    """Take the right to look away from the portal's account."""
    role = admin.get("ClusterRole", "allotment-portal")
    rules = [rule for rule in role["rules"] if "admissionregistration.k8s.io" not in rule["apiGroups"]]
    metadata = {"name": "allotment-portal"}
    admin.apply({key: role[key] for key in ("apiVersion", "kind")} | {"metadata": metadata, "rules": rules})


def test_who_may_not_look_cannot_tell_and_that_is_no_error(place, install, admin):
    install()
    forbid(admin)
    row = look(place)
    assert (row.admission_state, row.admission_names) == (State.UNKNOWN, [])
    assert row.admission_command == "manage.py print_rbac | kubectl apply -f -"
    assert row.admission_looked_at is not None
    assert (row.admission_installed_at, row.is_unguarded, row.check_error) == (None, False, "")


def test_who_may_not_look_any_more_is_told_of(place, install, admin):
    install()
    look(place)
    forbid(admin)
    row = look(place)
    assert (row.admission_state, row.is_unguarded) == (State.UNKNOWN, True)


def test_a_cluster_that_is_down_keeps_its_last_finding_with_its_time(db):
    with SimulatedCluster() as gone:
        place = Cluster.objects.create(slug="oslo", name="Oslo", server=gone.url, credential=gone.portal_token)
        row = look(place)
    found = (State.MISSING, row.admission_names, row.admission_looked_at)
    row = look(place)
    assert (row.admission_state, row.admission_names, row.admission_looked_at) == found
    assert (row.admission_state, len(row.admission_names), row.check_error) == (State.MISSING, 18, "")


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"drop_connection": True}, {"truncate": True}])
def test_an_answer_that_is_none_changes_nothing(place, install, simulated, fault):
    install()
    row = look(place)
    simulated.faults.add(path_regex="/allotment-objects$", times=9, **fault)
    again = look(place)
    assert (again.admission_state, again.admission_looked_at) == (State.INSTALLED, row.admission_looked_at)


def test_a_cluster_that_is_gone_for_good_is_not_asked(place, simulated):
    counted = simulated.faults.add(delay=0.0001, times=100)
    Cluster.objects.update(lost_at=timezone.now())
    row = look(place)
    assert (row.admission_state, counted.seen) == ("", 0)
    policy_looks.look(0)  # nor is one that is not there any more


def test_a_look_asks_once_for_each_document_and_who_the_portal_is(place, install, simulated):
    install()
    counted = simulated.faults.add(delay=0.0001, times=100)
    look(place)
    assert counted.seen == 1 + len(admission.documents()) == 19


# What an environment has instead of the policy about pods


def quota_names(environment, admin) -> list[str]:
    return [each["metadata"]["name"] for each in admin.list_objects("ResourceQuota", environment.namespace)]


def test_without_the_policy_about_pods_a_quota_refuses_critical_ones(place, install, admin, ask):
    """And nobody is told that somebody deleted the quotas by hand, which were not there before."""
    install()
    look(place)
    environment = settle(ask())
    assert quota_names(environment, admin) == ["environment-quota"]
    admin.delete(BINDING, "allotment-pods")
    assert not look(place).guards_pods
    observe.observe(place.pk)
    environment = settle(Environment.objects.get())
    assert quota_names(environment, admin) == ["environment-critical-pods", "environment-quota"]
    assert not environment.events.filter(kind=Activity.CHANGED_BY_HAND).exists()
    admin.delete("ResourceQuota", "environment-critical-pods", environment.namespace)
    observe.observe(place.pk)
    environment = settle(Environment.objects.get())
    assert quota_names(environment, admin) == ["environment-critical-pods", "environment-quota"]
    assert environment.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 1


def test_with_the_policies_back_the_quota_stays_and_is_looked_after_no_more(place, install, admin, ask):
    environment = settle(ask())
    install()
    assert look(place).guards_pods
    observe.observe(place.pk)
    environment = settle(Environment.objects.get())
    assert (environment.phase, environment.drift) == (Phase.READY, [])
    assert quota_names(environment, admin) == ["environment-critical-pods", "environment-quota"]


@pytest.mark.parametrize(
    ("state", "names", "guards"),
    [
        (State.INSTALLED, [], True),
        (State.OLDER, ["policy allotment-objects"], True),
        (State.OLDER, ["policy allotment-pods"], False),
        (State.OLDER, ["binding allotment-pods"], False),
        (State.MISSING, ["policy allotment-labels"], False),  # what else differs is not known then
        (State.UNKNOWN, [], False),
        ("", [], False),
    ],
)
def test_when_the_policy_about_pods_is_relied_on(state, names, guards):
    assert Cluster(admission_state=state, admission_names=names).guards_pods is guards


# Two at once


def test_of_two_looks_at_once_the_one_that_began_later_is_right(place):
    now = timezone.now()
    later, earlier = (
        admission.Standing(State.MISSING, ("binding allotment-objects",)),
        admission.Standing(State.INSTALLED),
    )
    policy_looks.keep(place, later, now)
    policy_looks.keep(place, earlier, now - timedelta(seconds=2))
    place.refresh_from_db()
    assert (place.admission_state, place.admission_looked_at, place.admission_installed_at) == (
        State.MISSING,
        now,
        None,
    )


def test_a_look_by_a_clock_that_was_ahead_stops_no_other(place):
    Cluster.objects.update(admission_looked_at=timezone.now() + 9 * HOUR, admission_state=State.MISSING)
    policy_looks.keep(place, admission.Standing(State.INSTALLED), timezone.now())
    place.refresh_from_db()
    assert place.admission_state == State.INSTALLED


def test_a_look_leaves_the_rest_of_the_row_alone(place, install):
    install()
    before = Cluster.objects.filter(pk=place.pk).values().get()
    look(place)
    after = Cluster.objects.filter(pk=place.pk).values().get()
    assert {key for key in before if before[key] != after[key]} == {
        "admission_state",
        "admission_looked_at",
        "admission_installed_at",
    }


# Which are due, and how they are sent


@pytest.mark.parametrize(
    ("looked_ago", "changed_ago", "is_due"),
    [
        (None, HOUR, True),
        (timedelta(minutes=59), 2 * HOUR, False),
        (timedelta(minutes=61), 2 * HOUR, True),
        (timedelta(minutes=2), timedelta(minutes=1), True),
        (-HOUR, 2 * HOUR, True),
    ],
)
def test_each_is_looked_at_once_an_hour_and_after_it_was_changed(place, looked_ago, changed_ago, is_due):
    now = timezone.now()
    looked_at = None if looked_ago is None else now - looked_ago
    Cluster.objects.update(admission_looked_at=looked_at, updated_at=now - changed_ago)
    assert policy_looks.due(now) == ([place.pk] if is_due else [])
    Cluster.objects.update(lost_at=now)
    assert policy_looks.due(now) == []


def test_a_cluster_that_is_down_keeps_nobody_waiting(place, install, enqueued):
    install()
    down = Cluster.objects.create(
        slug="oslo", name="Oslo", server=f"http://127.0.0.1:{free_port()}", credential="only-for-tests"
    )
    Cluster.objects.filter(pk=down.pk).update(admission_looked_at=timezone.now() - 2 * HOUR)
    tasks.look_at_policies()
    assert len(enqueued.messages) == 2
    asked = enqueued.of(tasks.look_at_policies_of)
    assert sorted(asked) == sorted([place.pk, down.pk])
    for pk in asked:
        tasks.look_at_policies_of(pk)
    place.refresh_from_db()
    assert place.admission_state == State.INSTALLED
    assert policy_looks.due(timezone.now()) == [down.pk]


# Who is told


def test_that_they_are_gone_is_logged_once(place, install, admin, caplog):
    install()
    look(place)
    admin.delete(BINDING, "allotment-objects")
    with caplog.at_level(logging.WARNING, "environments.routine.policy_looks"):
        look(place)
        look(place)
    (record,) = caplog.records
    assert record.getMessage() == (
        "cluster amsterdam: admission policies are no longer as installed (binding allotment-objects)"
    )


def test_a_cluster_that_never_had_them_is_degraded_for_nobody(client, place, ada, settings, caplog):
    look(place)
    assert degraded(client) == []
    assert gauge(client, settings) == {"installed": 0, "missing": 1, "older": 0, "unknown": 0}
    client.force_login(ada)
    for name in ("index", "environments_cluster_changelist"):
        assert soup(client.get(reverse(f"admin:{name}"))).select_one(".says") is None
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_probes_and_metrics_say_where_they_were_taken_away(client, place, install, admin, settings):
    assert (degraded(client), gauge(client, settings)) == ([], {})
    install()
    look(place)
    assert (degraded(client), gauge(client, settings)["installed"]) == ([], 1)
    admin.delete(BINDING, "allotment-objects")
    look(place)
    assert degraded(client) == ["cluster amsterdam: admission policies no longer as installed (missing)"]
    assert gauge(client, settings) == {"installed": 0, "missing": 1, "older": 0, "unknown": 0}
    Cluster.objects.update(lost_at=timezone.now())
    figures.forget()
    assert (degraded(client), gauge(client, settings)) == ([], {})


@pytest.mark.parametrize(
    ("state", "had", "words", "tone"),
    [
        ("", False, "not checked yet", ""),
        (State.INSTALLED, True, "installed", "ok"),
        (State.MISSING, False, "missing", "warn"),
        (State.MISSING, True, "missing", "bad"),
        (State.OLDER, True, "different from this portal's", "bad"),
        (State.UNKNOWN, False, "unknown", "warn"),
    ],
)
def test_the_list_has_a_pill(client, ada, place, state, had, words, tone):
    now = timezone.now()
    Cluster.objects.update(admission_state=state, admission_looked_at=now, admission_installed_at=now if had else None)
    client.force_login(ada)
    pill = soup(client.get(reverse("admin:environments_cluster_changelist"))).select_one(".field-policies .pill")
    assert (pill.get_text(), pill["class"]) == (words, ["pill", *([tone] if tone else [])])


def test_admins_meet_it_on_the_front_page_and_the_clusters_page_says_what_to_type(client, ada, place, install, admin):
    install(break_glass=["<b>night</b> shift"])
    look(place)
    admin.delete(BINDING, "allotment-objects")
    look(place)
    client.force_login(ada)
    its_page = reverse("admin:environments_cluster_change", args=[place.pk])
    for name in ("index", "environments_cluster_changelist"):
        (says,) = soup(client.get(reverse(f"admin:{name}"))).select(".says.bad")
        assert "The admission policies on Amsterdam are no longer as installed" in " ".join(says.get_text().split())
        assert says.find("a")["href"] == its_page
    page = soup(client.get(its_page))
    assert "install the policies" in page.select_one(".field-policies_found .says.warn").get_text()
    command = "manage.py print_admission '--break-glass-group=<b>night</b> shift' | kubectl apply -f -"
    assert page.select_one(".field-policies_found pre").get_text() == command
    assert "Affected: binding allotment-objects." in page.select_one(".field-policies_found").get_text()
    assert page.select_one(".field-admission_looked_at .readonly").get_text() != "-"
    assert "<b>night" not in str(page)


def test_who_means_to_do_without_them_says_so_and_is_not_told_again(client, ada, dana, place, install, admin):
    url = reverse("admin:environments_cluster_do_without", args=[place.pk])
    its_page = reverse("admin:environments_cluster_change", args=[place.pk])
    install()
    look(place)
    client.force_login(ada)
    assert soup(client.get(its_page)).select_one(f'form[action="{url}"]') is None, "there is nothing to do without"
    admin.delete(BINDING, "allotment-objects")
    look(place)
    assert soup(client.get(its_page)).select_one(f'form[action="{url}"][method=post] button') is not None
    assert client.get(url).status_code == 405
    client.force_login(dana)
    assert client.post(url).status_code == 302
    assert Cluster.objects.unguarded().exists(), "that was nobody's to say"
    client.force_login(ada)
    assert client.post(url)["Location"] == its_page
    assert LogEntry.objects.get().get_change_message() == "Marked as used without admission policies."
    assert (look(place).admission_state, degraded(client)) == (State.MISSING, [])
    install()
    assert look(place).admission_installed_at is not None
    admin.delete(BINDING, "allotment-objects")
    assert look(place).is_unguarded


def test_before_the_first_look_the_page_says_so(client, ada, place):
    client.force_login(ada)
    page = soup(client.get(reverse("admin:environments_cluster_change", args=[place.pk])))
    assert "Not checked yet." in page.select_one(".field-policies_found").get_text()
    added = soup(client.get(reverse("admin:environments_cluster_add")))
    assert added.select_one(".field-policies_found") is None


def test_the_admins_own_check_is_a_look_too(client, ada, place, install, admin):
    install()
    client.force_login(ada)
    check = reverse("admin:environments_cluster_check", args=[place.pk])
    assert client.post(check).status_code == 200
    place.refresh_from_db()
    assert place.admission_state == State.INSTALLED
    looked_at = place.admission_looked_at
    admin.delete(BINDING, "allotment-objects")
    client.post(check)
    place.refresh_from_db()
    assert (place.admission_names, place.is_unguarded) == (["binding allotment-objects"], True)
    assert place.admission_looked_at > looked_at
    Cluster.objects.update(server=f"http://127.0.0.1:{free_port()}", updated_at=timezone.now())
    found = Cluster.objects.values("admission_state", "admission_names", "admission_looked_at").get()
    client.post(check)
    assert Cluster.objects.values("admission_state", "admission_names", "admission_looked_at").get() == found


def test_the_front_page_asks_one_query_for_it(client, ada, place):
    client.force_login(ada)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(reverse("admin:index"))
    assert len([query for query in queries if "admission_installed_at" in query["sql"]]) == 1
