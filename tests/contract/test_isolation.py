"""Whether a network isolates, found out with pods. Their results come from the policies in the API (tests/kubelet.py).

Clusters of their own: the kubelet would run what other tests of this folder leave pending.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.utils import timezone

from environments import tasks
from environments.actions import isolation as isolation_actions
from environments.actions import workbenches
from environments.kube import admission, manifests
from environments.kube.client import FIELD_MANAGER, ClusterClient
from environments.lib.isolation import Isolation
from environments.models import Cluster, IsolationTest
from environments.reconcile import isolation, workbench
from tests.contract.arrange import ClusterEndpoint, eventually, namespace
from tests.kubelet import Kubelet, Network
from tests.texts import REFUSED

pytestmark = pytest.mark.django_db

NAME = "allotment-workbench"
REAL = pytest.param("real", marks=pytest.mark.real_cluster)
State = IsolationTest.State


@pytest.fixture(scope="module", params=["simulated", REAL])
def cluster_endpoint(request) -> ClusterEndpoint:
    return request.getfixturevalue(f"own_{request.param}")


@pytest.fixture
def row(cluster_endpoint, admin) -> Cluster:
    way = cluster_endpoint.portal
    place = {"server": way.server, "credential": way.credential, "certificate_authority": way.certificate_authority}
    yield Cluster.objects.create(slug="c", name="Amsterdam", **place)
    admin.delete("Namespace", NAME)
    eventually(lambda: admin.get("Namespace", NAME) is None, "the workbench is gone")


@pytest.fixture
def kubelet(cluster_endpoint, raw_admin, tmp_path_factory) -> Kubelet:
    is_real = cluster_endpoint.denials is None
    return Kubelet(raw_admin, NAME, tmp_path_factory.mktemp("tools"), binds=is_real)


@pytest.fixture
def begin(row, ada, enqueued, django_capture_on_commit_callbacks):
    """Press the button."""

    def start() -> IsolationTest:
        with django_capture_on_commit_callbacks(execute=True):
            return isolation_actions.start(row, ada)

    return start


@pytest.fixture
def worked(enqueued):
    """Read messages as workers would, and let the kubelet work in between, until none is left."""

    def work(kubelet: Kubelet | None) -> IsolationTest:
        end = time.monotonic() + 120
        while mine := [each for each in enqueued.messages if each.task == tasks.test_isolation.name]:
            assert time.monotonic() < end, "the test does not end"
            enqueued.messages.remove(mine[0])
            delay = mine[0].options["countdown"]
            time.sleep(delay if delay >= 2 else 0.05)
            tasks.test_isolation(*mine[0].arguments)
            if kubelet:
                kubelet.step()
        return IsolationTest.objects.get()

    return work


def left(admin: ClusterClient) -> tuple:
    """What is in the workbench: its pods, its policies, its quota."""
    pods = sorted(each["metadata"]["name"] for each in admin.list_objects("Pod", NAME))
    policies = sorted(each["metadata"]["name"] for each in admin.list_objects("NetworkPolicy", NAME))
    quota = admin.get("ResourceQuota", manifests.QUOTA, NAME)
    return pods, policies, quota["spec"]["hard"] if quota else None


AT_REST = ([], ["deny-all"], {"pods": "0"})

NETWORKS = [
    (Network(), Isolation.ENFORCED),
    (Network(lag=4), Isolation.ENFORCED),
    (Network(ingress=False, egress=False), Isolation.NONE),
    (Network(egress=False), Isolation.INGRESS_ONLY),
    (Network(ingress=False), Isolation.EGRESS_ONLY),
    (Network(dns_namespace="dns-elsewhere"), Isolation.DNS_CLOSED),
    (Network(dns_on_node=True), Isolation.DNS_OPEN),
]


@pytest.mark.parametrize(("network", "result"), NETWORKS, ids=lambda each: getattr(each, "value", ""))
def test_what_a_network_does_is_found_and_nothing_is_left(row, admin, begin, worked, kubelet, network, result):
    kubelet.network = network
    begin()
    test = worked(kubelet)
    row.refresh_from_db()
    assert (test.state, test.result, test.message) == (State.OVER, result, isolation.SENTENCES[result])
    assert (row.isolation, row.isolation_tested_at) == (result, test.ended_at)
    assert (row.workbench_lease, row.workbench_until) == (None, None)
    assert left(admin) == AT_REST
    log = LogEntry.objects.get()
    assert log.get_change_message() == f"Network isolation tested: {result.label}. {test.message}"


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (Network(works=False), "One pod could not reach another although no policy was in force."),
        (Network(lag=50), "One pod could not reach another although no policy was in force."),
        (Network(dns_works=False), "Pods could not reach DNS although no policy was in force."),
    ],
    ids=["pods", "slow", "dns"],
)
def test_a_network_that_does_not_work_is_not_called_isolating(row, admin, begin, worked, kubelet, network, sentence):
    kubelet.network = network
    begin()
    test = worked(kubelet)
    assert test.result == Isolation.INCONCLUSIVE
    assert test.message.startswith(sentence)
    assert left(admin) == AT_REST


def test_pods_that_no_node_runs_are_said_after_two_minutes_and_removed(row, admin, begin, worked, enqueued):
    begin()
    until_there_is_a_pod(admin, enqueued)
    IsolationTest.objects.update(since=timezone.now() - timedelta(seconds=121))
    test = worked(None)
    assert test.message.startswith("No node ran the test's pods within two minutes.")
    assert (test.state, test.result) == (State.OVER, Isolation.INCONCLUSIVE)
    assert left(admin) == AT_REST


def advance(enqueued) -> None:
    """Read one message, as a worker would."""
    time.sleep(0.2)
    tasks.test_isolation(*enqueued.messages.pop().arguments)


def until_there_is_a_pod(admin, enqueued) -> None:
    """Read messages until the pod that listens is on the cluster."""
    for _ in range(100):
        if admin.get("Pod", "isolation-listener", NAME):
            return
        advance(enqueued)
    raise AssertionError("there is no pod")


def test_an_image_that_cannot_be_pulled_is_named(row, admin, begin, worked, enqueued, kubelet, settings):
    settings.ISOLATION_TEST_IMAGE = "registry.example.com/nothing:1"
    kubelet.pulls = False
    begin()
    until_there_is_a_pod(admin, enqueued)
    kubelet.step()
    IsolationTest.objects.update(since=timezone.now() - timedelta(seconds=121))
    test = worked(kubelet)
    assert "Their image is registry.example.com/nothing:1." in test.message or "No node ran" in test.message
    assert "ErrImagePull: registry.example.com/nothing:1: not found." in test.message
    assert left(admin) == AT_REST


def test_an_inconclusive_test_leaves_the_result_of_the_one_before(row, begin, worked, kubelet):
    kubelet.network = Network(ingress=False, egress=False)
    begin()
    worked(kubelet)
    kubelet.network = Network(works=False)
    begin()
    test = worked(kubelet)
    row.refresh_from_db()
    assert (test.result, row.isolation) == (Isolation.INCONCLUSIVE, Isolation.NONE)
    assert row.isolation_tested_at < test.ended_at


def test_with_the_admission_policies_the_pods_are_taken(row, admin, portal, begin, worked, kubelet, settings):
    documents = admission.documents(label_domain=settings.LABEL_DOMAIN)
    for each in documents:
        admin.apply(each)
    try:
        eventually(lambda: not admission.not_refused(portal), "the policies are in force")
        begin()
        assert worked(kubelet).result == Isolation.ENFORCED
        assert left(admin) == AT_REST
    finally:
        for each in reversed(documents):
            admin.delete(each["kind"], each["metadata"]["name"])
        eventually(lambda: admission.not_refused(portal), "the policies are gone")


def test_policies_that_others_put_there_make_it_inconclusive_and_stay(row, admin, begin, worked, kubelet):
    workbench.claim(workbenches.of(row, "template"))
    metadata = {"name": "allow-monitoring", "namespace": NAME}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    admin.create(policy | {"spec": {"podSelector": {}, "ingress": [{}]}})
    begin()
    test = worked(kubelet)
    assert test.result == Isolation.INCONCLUSIVE
    assert "Others have NetworkPolicies in the workbench namespace: allow-monitoring." in test.message
    assert left(admin)[1] == ["allow-monitoring", "deny-all"]


def test_a_namespace_of_somebody_else_is_not_touched(row, admin, begin, worked, kubelet):
    admin.create(namespace(NAME, labels={"mine": "yes"}))
    before = admin.get("Namespace", NAME)
    begin()
    test = worked(kubelet)
    assert "it is not the portal's workbench" in test.message
    assert admin.get("Namespace", NAME) == before
    assert left(admin) == ([], [], None)


def test_a_pod_meets_restricted_pod_security_and_holds_no_token(row, admin, begin, worked, enqueued):
    begin()
    until_there_is_a_pod(admin, enqueued)
    pod = admin.get("Pod", "isolation-listener", NAME)
    labels = admin.get("Namespace", NAME)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (pod["spec"]["automountServiceAccountToken"], pod["spec"].get("volumes", [])) == (False, [])
    assert pod["spec"]["activeDeadlineSeconds"] <= 1800


def test_a_simulated_or_lost_cluster_is_not_tested(row, ada):
    for change, sentence in (({"is_simulated": True}, "simulated"), ({"lost_at": timezone.now()}, "lost")):
        Cluster.objects.filter(pk=row.pk).update(**change)
        with pytest.raises(ValidationError, match=sentence):
            isolation_actions.start(Cluster.objects.get(pk=row.pk), ada)
    assert not IsolationTest.objects.exists()


def test_a_second_press_while_it_runs_begins_no_other(row, begin, enqueued):
    first, second = begin(), begin()
    assert first.run == second.run
    assert len(enqueued.messages) == 1


def test_a_workbench_that_another_check_had_in_the_meantime_begins_the_test_again(
    row, admin, begin, worked, kubelet, enqueued
):
    begin()
    until_there_is_a_pod(admin, enqueued)
    kubelet.step()
    other = uuid.uuid4()
    Cluster.objects.update(workbench_until=timezone.now() - timedelta(seconds=1))
    assert workbenches.take(row.pk, other)
    for _ in range(3):
        advance(enqueued)
    test = IsolationTest.objects.get()
    assert (test.state, test.losses) == (State.RUNNING, 0), "it waits for its turn"
    workbenches.leave(other)
    test = worked(kubelet)
    assert (test.state, test.result, test.losses) == (State.OVER, Isolation.ENFORCED, 1)
    assert left(admin) == AT_REST


def test_a_check_of_a_template_after_a_test_that_died_finds_no_pod_in_its_quota(row, admin, begin, enqueued, kubelet):
    begin()
    until_there_is_a_pod(admin, enqueued)
    kubelet.step()
    bench, spec = workbenches.of(row, "template"), isolation.TESTING
    workbench.attempt(bench, spec, workbench.samples(spec)[0], 0)
    kubelet.step()
    assert left(admin)[0] == []


def test_a_worker_that_dies_every_time_ends_the_test_and_still_removes_its_pods(
    row, admin, begin, worked, kubelet, enqueued, sweep
):
    begin()
    for _ in range(4):
        until_there_is_a_pod(admin, enqueued)
        enqueued.messages.clear()
        sweep()
    test = worked(kubelet)
    assert (test.state, test.result) == (State.OVER, Isolation.INCONCLUSIVE)
    assert test.message == "The workers that ran the test stopped several times."
    assert left(admin) == AT_REST


def test_a_removal_that_the_cluster_does_not_answer_stays_owed(row, admin, begin, worked, kubelet, enqueued, sweep):
    begin()
    until_there_is_a_pod(admin, enqueued)
    server = Cluster.objects.get().server
    Cluster.objects.update(server="http://127.0.0.1:1", updated_at=timezone.now())
    IsolationTest.objects.update(patience=0)
    test = worked(None)
    assert (test.state, test.result) == (State.REMOVING, Isolation.INCONCLUSIVE)
    assert test.message == REFUSED
    assert left(admin)[0] == ["isolation-listener"]
    Cluster.objects.update(server=server, updated_at=timezone.now())
    sweep()
    assert worked(kubelet).state == State.OVER
    assert left(admin) == AT_REST


def test_a_second_test_waits_until_the_pods_of_the_first_are_removed(row, ada, begin, admin, enqueued):
    begin()
    until_there_is_a_pod(admin, enqueued)
    IsolationTest.objects.update(state=State.REMOVING)
    with pytest.raises(ValidationError, match="still being removed"):
        isolation_actions.start(row, ada)


class KilledError(BaseException):
    """The worker is gone: nothing after it runs."""


CALLS = ("get", "apply", "create", "delete", "list_objects", "may_i")


@dataclass
class Death:
    """Of a worker, at its n-th call to the cluster: before the cluster hears of it, or after it has answered."""

    at: int
    is_before: bool
    calls: int = 0

    def strike(self, *, is_before: bool) -> None:
        if self.calls == self.at and self.is_before == is_before:
            raise KilledError


@pytest.fixture
def killing(monkeypatch, portal):
    """Kill the worker at one of its calls to the cluster, once."""

    def arm(at: int, *, is_before: bool) -> Death:
        death = Death(at, is_before)
        for name in CALLS:
            monkeypatch.setattr(ClusterClient, name, _mortal(getattr(ClusterClient, name), death))
        return death

    return arm


def _mortal(method, death):
    def call(self, *arguments, **options):
        if self._field_manager != FIELD_MANAGER:
            return method(self, *arguments, **options)
        death.calls += 1
        death.strike(is_before=True)
        answer = method(self, *arguments, **options)
        death.strike(is_before=False)
        return answer

    return call


@pytest.fixture
def sweep(enqueued, django_capture_on_commit_callbacks):
    """A minute later, the sweep finds what has lost its worker."""

    def do() -> None:
        IsolationTest.objects.update(at=timezone.now() - timedelta(seconds=61))
        tasks.sweep()

    return do


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_a_worker_that_dies_anywhere_leaves_nothing_after_the_next_run(
    row, admin, begin, worked, kubelet, enqueued, killing, sweep, is_before
):
    """Each run dies at a later call of the test than the one before, until no call is left to die at."""
    at, deaths = 1, 0
    while True:
        death = killing(at, is_before=is_before)
        begin()
        try:
            worked(kubelet)
        except KilledError:
            enqueued.messages.clear()
            kubelet.step()
            sweep()
            test = worked(kubelet)
            assert (test.state, test.result) == (State.OVER, Isolation.ENFORCED), at
            deaths += 1
        assert left(admin) == AT_REST, at
        row.refresh_from_db()
        assert row.workbench_lease is None, at
        if death.calls < at:
            break
        at += 25 if kubelet.binds else 7  # a real control plane takes its time
    assert deaths > 3
