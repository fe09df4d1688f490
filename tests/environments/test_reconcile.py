"""From a row to a world, through every failure, to the same world."""

import itertools
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from environments import actions, kube
from environments.kube import manifests, others
from environments.lib.activity import Activity
from environments.lib.errors import TemporaryError
from environments.lib.phases import Phase, Role, Status
from environments.models import Environment, Event, LocalGroup, User
from environments.reconcile import desired
from environments.reconcile import engine as reconcile
from environments.reconcile import lease as lifecycle
from environments.reconcile.engine import backoff, phase_after
from environments.reconcile.lease import LeaseLostError
from environments.reconcile.runner import Attempt
from environments.reconcile.steps import STEPS
from environments.reconcile.steps.namespace import STEP as NAMESPACE
from tests.arranging import names, settle
from tests.contract.arrange import PATIENCE

COMPLETE = {
    "ResourceQuota": ["environment-critical-pods", "environment-quota"],
    "LimitRange": ["environment-limits"],
    "NetworkPolicy": ["allow-dns", "deny-all"],
    "RoleBinding": ["environment-admin"],
}

pytestmark = pytest.mark.django_db


def test_a_request_becomes_a_governed_namespace(ask, world):
    environment = settle(ask())
    assert environment.phase == Phase.READY
    assert environment.ready_at is not None
    found = world(environment)
    assert names(found) == COMPLETE
    namespace = found["Namespace", environment.namespace]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert namespace["metadata"]["uid"] == environment.namespace_uid
    assert found["ResourceQuota", "environment-quota"]["spec"]["hard"]["requests.cpu"] in ("1", "1000m")
    subjects = found["RoleBinding", "environment-admin"]["subjects"]
    assert {subject["name"] for subject in subjects} == {f"{environment.namespace}-admin", "dana@example.com"}


def test_ready_means_that_the_cluster_said_yes_to_every_member(ask):
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    members = {member.email: member for member in environment.members.all()}
    assert set(members) == {"dana@example.com", "theo@example.com"}
    for member in members.values():
        assert (member.in_group, member.bound, member.allowed) == (True, True, True)
        assert member.checked_at is not None
    assert {group.name for group in LocalGroup.objects.all()} == {
        f"{environment.namespace}-admin",
        f"{environment.namespace}-viewer",
    }


def test_somebody_whom_the_directory_does_not_know_holds_up_nobody_else(ask):
    nils = User.objects.create(username="nils", email="nils@example.com")
    environment = ask(collaborators={"nils@example.com": Role.DEVELOPER, "theo@example.com": Role.VIEWER})
    environment.members.filter(person=nils).update(person=None)  # as the version before wrote it
    nils.delete()  # known when they were added, and not any more
    settle(environment)
    assert environment.phase == Phase.READY
    nils = environment.members.get(email="nils@example.com")
    assert nils.in_group is False
    assert "nils@example.com was not found in the directory" in nils.message
    assert environment.members.get(email="theo@example.com").allowed is True
    assert environment.next_reconcile_at is not None  # they may be known later


def test_a_second_run_changes_nothing(ask, world):
    environment = settle(ask())
    before = {key: item["metadata"]["resourceVersion"] for key, item in world(environment).items()}
    actions.try_again(environment, environment.owner)
    settle(environment)
    assert {key: item["metadata"]["resourceVersion"] for key, item in world(environment).items()} == before


CALLS = [
    ("POST", "/namespaces$"),
    ("PATCH", "/resourcequotas/"),
    ("PATCH", "/limitranges/"),
    ("PATCH", "/networkpolicies/deny-all"),
    ("PATCH", "/networkpolicies/allow-dns"),
    ("PATCH", "/rolebindings/"),
    ("POST", "/subjectaccessreviews$"),
    ("GET", "/resourcequotas$"),
    ("GET", "/clusterroles/environment-admin$"),
]
#: What is asked only of a namespace that is not new: whether anything is left over.
LATER_CALLS = [
    ("GET", "/namespaces/[^/]+$"),
    ("GET", "/networkpolicies$"),
    ("GET", "/rolebindings$"),
    ("GET", "/serviceaccounts$"),
    ("GET", "/limitranges$"),
    ("GET", "/resourcequotas$"),
]
#: What is applied again, if it is not as wanted.
APPLIED = [
    ("Namespace", "/namespaces/[^/]+$"),
    ("ResourceQuota", "/resourcequotas/"),
    ("LimitRange", "/limitranges/"),
    ("NetworkPolicy", "/networkpolicies/"),
    ("RoleBinding", "/rolebindings/"),
]
FAULTS = [
    {"status": 503},
    {"status": 503, "before": False},
    {"status": 429, "retry_after": 1},
    {"drop_connection": True},
    {"drop_connection": True, "before": False},
    {"truncate": True, "before": False},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.items())))
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_call_that_fails_before_or_after_its_work_leads_to_the_same_world(ask, world, simulated, method, path, fault):
    planted = simulated.faults.add(method=method, path_regex=path, **fault)
    environment = settle(ask())
    assert planted.seen == 1
    assert environment.phase == Phase.READY
    assert names(world(environment)) == COMPLETE
    assert environment.conditions.exclude(status=Status.DONE).count() == 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.items())))
@pytest.mark.parametrize(("kind", "path"), APPLIED)
def test_a_repair_survives_the_same(ask, world, admin, simulated, kind, path, fault):
    environment = settle(ask())
    wanted = {key: item["metadata"]["labels"] for key, item in world(environment).items()}
    (_, name), live = next((key, item) for key, item in world(environment).items() if key[0] == kind)
    gone = live["metadata"]["labels"] | {"allotment.internal/template": None, "allotment.internal/x": "added"}
    place = {"name": name} | ({} if kind == "Namespace" else {"namespace": environment.namespace})
    admin.overwrite({"kind": kind, "metadata": place | {"labels": gone}})
    planted = simulated.faults.add(method="PATCH", path_regex=path, **fault)
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert planted.seen == 1
    assert {key: item["metadata"]["labels"] for key, item in world(environment).items()} == wanted


def test_what_is_as_wanted_is_not_applied_again(ask, world, simulated):
    environment = settle(ask())
    writes = [simulated.faults.add(method=method, delay=0.0001, times=99) for method in ("PATCH", "PUT", "DELETE")]
    reads = simulated.faults.add(method="GET", delay=0.0001, times=99)
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert ([each.seen for each in writes], reads.seen) == ([0, 0, 0], 7)


def test_a_label_that_the_template_dropped_goes_although_nothing_else_differs(ask, admin, simulated):
    """Only an apply takes away what an apply has set."""
    environment = settle(ask())
    wanted = desired.desired(Environment.objects.get(pk=environment.pk))
    manifest = manifests.namespace(wanted)
    manifest["metadata"]["labels"]["cost-centre"] = "1040"
    kube.connect(environment.cluster).apply(manifest)
    assert "cost-centre" in admin.get("Namespace", environment.namespace)["metadata"]["labels"]
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert "cost-centre" not in admin.get("Namespace", environment.namespace)["metadata"]["labels"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.items())))
@pytest.mark.parametrize(("method", "path"), LATER_CALLS)
def test_a_later_look_survives_the_same(ask, world, simulated, method, path, fault):
    environment = settle(ask())
    planted = simulated.faults.add(method=method, path_regex=path, **fault)
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert planted.seen == 1
    assert names(world(environment)) == COMPLETE


def test_a_new_namespace_is_not_searched_for_what_cannot_be_there(ask, admin, simulated):
    lists = simulated.faults.add(
        method="GET", path_regex="/(networkpolicies|rolebindings|serviceaccounts)$", status=500
    )
    assert settle(ask()).phase == Phase.READY
    assert lists.seen == 0


def test_a_namespace_that_a_dead_run_left_behind_is_searched(ask, admin):
    """Its uid is not on record, so this looks like a first run; what that one made in it must not stay."""
    environment = settle(ask())
    left = {"name": "left-over", "namespace": environment.namespace}
    labels = admin.get("Namespace", environment.namespace)["metadata"]["labels"]
    kept = {name: value for name, value in labels.items() if "allotment" in name or "managed-by" in name}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": left | {"labels": kept}}
    admin.create(policy | {"spec": {"podSelector": {}}})
    Environment.objects.filter(pk=environment.pk).update(namespace_uid="")
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert admin.get("NetworkPolicy", "left-over", environment.namespace) is None


def test_what_failed_is_said_and_when_it_is_tried_again(ask, simulated):
    simulated.faults.add(method="PATCH", path_regex="/resourcequotas/", status=429, retry_after=7)
    environment = ask()
    delay = reconcile.reconcile(environment.pk)
    quota = environment.conditions.get(type="Quota")
    assert delay is not None
    assert 5 < delay < 10
    assert quota.status == Status.WAITING
    assert quota.reason == "TooManyRequests"
    assert "limiting requests" in quota.message
    assert quota.attempts == 1
    # Independent steps went on; those that need the quota did not.
    assert environment.conditions.get(type="NetworkPolicy").status == Status.DONE
    assert environment.conditions.get(type="RoleBinding").status == Status.PENDING
    environment.refresh_from_db()
    assert environment.phase == Phase.PROVISIONING


def test_nobody_gets_in_before_the_fences_stand(ask, world, simulated):
    simulated.faults.add(method="PATCH", path_regex="/networkpolicies/", status=500, times=100)
    environment = ask()
    reconcile.reconcile(environment.pk)
    assert not any(kind == "RoleBinding" for kind, _ in world(environment))


def test_a_refusal_fails_with_a_sentence_and_try_again_goes_on(ask, simulated):
    simulated.faults.add(method="PATCH", path_regex="/limitranges/", status=403)
    environment = settle(ask())
    assert environment.phase == Phase.FAILED
    limits = environment.conditions.get(type="Limits")
    assert limits.status == Status.FAILED
    assert "403" in limits.message
    assert environment.events.filter(kind=Activity.FAILED, notice_owed=True).count() == 1
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY


def test_a_namespace_that_somebody_else_made_is_neither_read_nor_touched(ask, admin, world):
    environment = ask()
    foreign = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": environment.namespace, "labels": {"team": "somebody-else"}},
    }
    made = admin.create(foreign)
    container = {"name": "c", "image": "registry.example.com/app:1"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs", "namespace": environment.namespace}}
    admin.create(pod | {"spec": {"containers": [container]}})
    settle(environment)
    assert environment.phase == Phase.FAILED
    condition = environment.conditions.get(type="Namespace")
    assert condition.reason == "NotOurs"
    assert "this environment did not create it" in condition.message
    assert world(environment) == {}
    after = admin.get("Namespace", environment.namespace)
    assert after["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert admin.get("Pod", "theirs", environment.namespace) is not None
    # Deleting the failed environment leaves it alone too.
    actions.delete_environment(environment, environment.owner, typed_name=environment.name)
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Pod", "theirs", environment.namespace) is not None


def test_a_namespace_deleted_by_hand_is_made_again(ask, admin, world):
    environment = settle(ask())
    admin.delete("Namespace", environment.namespace)
    actions.try_again(environment, environment.owner)
    old = environment.namespace_uid
    settle(environment)
    assert environment.phase == Phase.READY
    assert environment.namespace_uid != old
    assert names(world(environment)) == COMPLETE


def test_deleting_leaves_nothing_but_the_record(ask, admin, world):
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    actions.delete_environment(environment, environment.owner, typed_name="checkout")
    assert settle(environment).phase == Phase.DELETED
    assert environment.deleted_at is not None
    assert admin.get("Namespace", environment.namespace) is None
    assert not LocalGroup.objects.exists()
    assert [event.kind for event in environment.events.all()] == [
        Activity.DELETED,
        Activity.DELETION_REQUESTED,
        Activity.READY,
        Activity.REQUESTED,
    ]


@pytest.mark.parametrize("fault", FAULTS[:5], ids=lambda fault: "-".join(map(str, fault.items())))
@pytest.mark.parametrize("path", ["/rolebindings", "/namespaces/[^/]+$"])
def test_a_deletion_that_is_interrupted_goes_on(ask, admin, simulated, path, fault):
    environment = settle(ask())
    planted = simulated.faults.add(method="DELETE", path_regex=path, **fault)
    actions.delete_environment(environment, environment.owner, typed_name="checkout")
    assert settle(environment).phase == Phase.DELETED
    assert planted.seen == 1
    assert admin.get("Namespace", environment.namespace) is None


def test_a_namespace_that_cannot_end_says_why_in_the_clusters_words(ask, admin):
    environment = settle(ask())
    claim = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": environment.namespace, "finalizers": ["example.com/hold"]},
    }
    admin.create(claim)
    actions.delete_environment(environment, environment.owner, typed_name="checkout")
    deadline = time.monotonic() + PATIENCE
    while "example.com/hold" not in environment.conditions.get(type="Namespace").message:
        assert time.monotonic() < deadline
        settle(environment, tries=2)
    assert environment.phase == Phase.DELETING
    let_go(admin, admin.get("ConfigMap", "held", environment.namespace))
    assert settle(environment).phase == Phase.DELETED


def let_go(admin, live):
    """Take the finalizers away as their owner would, with an update."""
    live["metadata"]["finalizers"] = []
    path = f"/api/v1/namespaces/{live['metadata']['namespace']}/configmaps/{live['metadata']['name']}"
    admin._request("PUT", path, body=live)


def test_the_wrong_name_deletes_nothing(ask):
    environment = settle(ask())
    with pytest.raises(Exception, match="Type checkout"):
        actions.delete_environment(environment, environment.owner, typed_name="checkou")
    environment.refresh_from_db()
    assert environment.wanted


def test_a_worker_that_holds_the_lease_keeps_others_out_until_it_runs_out(ask):
    environment = ask()
    lease = lifecycle.take_lease(environment.pk)
    assert lease is not None
    assert lifecycle.take_lease(environment.pk) is None
    assert reconcile.reconcile(environment.pk) is None
    Environment.objects.filter(pk=environment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert lifecycle.take_lease(environment.pk) is not None


def test_a_worker_that_lost_its_lease_writes_nothing_more(ask):
    environment = ask()
    lease = lifecycle.take_lease(environment.pk)
    Environment.objects.filter(pk=environment.pk).update(lease=uuid.uuid4())
    late = Attempt(NAMESPACE, Status.DONE, "Done", "late", 1)
    with pytest.raises(LeaseLostError):
        lifecycle.record(lease, [late], [lifecycle.condition_after(environment.conditions.first(), late, None)])
    with pytest.raises(LeaseLostError):
        lifecycle.settle(lease, phase=Phase.READY, next_reconcile_at=None)
    environment.refresh_from_db()
    assert environment.phase == Phase.PROVISIONING
    assert environment.conditions.get(type="Namespace").status == Status.PENDING


@pytest.mark.parametrize("step", [step.type for step in STEPS])
def test_a_worker_killed_after_any_step_is_completed_by_the_next(ask, world, monkeypatch, step):
    environment = ask()
    record = lifecycle.record

    def dying(lease, attempts, conditions):
        if step in [attempt.step.type for attempt in attempts]:
            raise SystemExit  # the work is done, nothing of it is written down
        record(lease, attempts, conditions)

    monkeypatch.setattr(lifecycle, "record", dying)
    with pytest.raises(SystemExit):
        reconcile.reconcile(environment.pk)
    monkeypatch.undo()
    assert reconcile.reconcile(environment.pk) is None  # the dead worker's lease still holds
    Environment.objects.filter(pk=environment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert settle(environment).phase == Phase.READY
    assert names(world(environment)) == COMPLETE
    assert LocalGroup.objects.count() == 1


def test_what_is_asked_for_during_a_run_stays_owed(ask, monkeypatch):
    environment = ask()
    record = lifecycle.record

    def meddling(lease, attempts, conditions):
        record(lease, attempts, conditions)
        if "Access" in [attempt.step.type for attempt in attempts]:
            actions.try_again(environment, environment.owner)

    monkeypatch.setattr(lifecycle, "record", meddling)
    assert reconcile.reconcile(environment.pk) == 0.0  # at once: what was asked for found the lease taken
    assert Environment.objects.owed().filter(pk=environment.pk).exists()


def test_a_mistake_of_our_own_in_a_step_stops_neither_the_others_nor_the_next_try(ask, monkeypatch):
    def broken(desired):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(manifests, "resource_quota", broken)
    environment = ask()
    reconcile.reconcile(environment.pk)
    monkeypatch.undo()
    condition = environment.conditions.get(type="Quota")
    assert condition.status == Status.WAITING
    assert "secret detail" not in condition.message
    assert environment.conditions.get(type="NetworkPolicy").status == Status.DONE
    assert settle(environment).phase == Phase.READY


def test_a_directory_that_is_down_holds_up_only_what_needs_it(ask, monkeypatch):
    from environments.directory.local import LocalClient

    def down(self, key):
        raise TemporaryError("The portal cannot reach the directory.", reason="Unreachable")

    monkeypatch.setattr(LocalClient, "find_group", down)
    environment = ask()
    reconcile.reconcile(environment.pk)
    states = dict(environment.conditions.values_list("type", "status"))
    assert states["NetworkPolicy"] == states["Quota"] == states["Limits"] == Status.DONE
    assert states["Group"] == Status.WAITING
    assert states["Members"] == states["RoleBinding"] == states["Access"] == Status.PENDING
    monkeypatch.undo()
    assert settle(environment).phase == Phase.READY


def test_a_credential_that_cannot_be_used_is_said_at_the_first_step(ask, place):
    place.credential_kind, place.credential = "kubeconfig", "not: [a kubeconfig"
    place.save()
    environment = settle(ask())
    assert environment.phase == Phase.FAILED
    assert "platform admin must enter it again" in environment.conditions.get(type="Namespace").message


def test_an_environment_that_was_ready_is_degraded_while_it_is_repaired(ask, simulated):
    environment = settle(ask())
    simulated.faults.add(method="GET", path_regex="/resourcequotas$", status=503)
    actions.try_again(environment, environment.owner)
    reconcile.reconcile(environment.pk)
    environment.refresh_from_db()
    assert environment.phase == Phase.DEGRADED
    assert settle(environment).phase == Phase.READY
    assert Event.objects.filter(environment=environment, kind=Activity.REPAIRED).count() == 1


@pytest.mark.parametrize(
    ("attempts", "keywords", "seconds"),
    [
        (0, {}, 1),
        (3, {}, 8),
        (30, {}, 300),
        (0, {"floor": 60}, 60),
        (2, {"pace": 0.05}, 0.2),
        (9, {"pace": 0.5, "floor": 1}, 256),
    ],
)
def test_the_back_off_doubles_up_to_five_minutes_and_honours_what_was_asked(attempts, keywords, seconds):
    assert backoff(attempts, spread=0.5, **keywords) == pytest.approx(seconds)


def test_the_back_off_spreads_by_a_quarter_each_way():
    assert backoff(0, spread=0.0) == pytest.approx(0.75)
    assert backoff(0, spread=1.0) == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("statuses", "wanted", "was_ready", "phase"),
    [
        ("DD", True, False, Phase.READY),
        ("DD", False, True, Phase.DELETED),
        ("D", True, False, Phase.PROVISIONING),
        ("DW", True, False, Phase.PROVISIONING),
        ("DW", True, True, Phase.DEGRADED),
        ("DW", False, True, Phase.DELETING),
        ("FW", True, True, Phase.FAILED),
        ("F", False, True, Phase.FAILED),
        ("", True, False, Phase.PROVISIONING),
    ],
)
def test_the_phase_follows_from_the_steps(statuses, wanted, was_ready, phase):
    words = {"D": Status.DONE, "W": Status.WAITING, "F": Status.FAILED}
    attempts = [Attempt(NAMESPACE, words[letter], "", "", 0) for letter in statuses]
    assert phase_after(attempts, 2, wanted=wanted, was_ready=was_ready) == phase


@pytest.mark.parametrize(("slow", "told"), [(4, []), (24, [Activity.DEGRADED, Activity.REPAIRED])])
def test_that_the_cluster_counts_a_new_quota_in_its_own_time_is_no_news_unless_it_takes_long(
    ask, monkeypatch, slow, told
):
    environment = settle(ask())
    before, answers = environment.events.count(), itertools.repeat(False, slow)
    counted = others.counted
    monkeypatch.setattr(others, "counted", lambda quota: next(answers, True) and counted(quota))
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    assert settle(environment).phase == Phase.READY
    assert next(answers, True) is True, "the cluster took its time"
    assert [each.kind for each in environment.events.order_by("pk")[before:]] == told
