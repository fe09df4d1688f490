"""What a developer is told of their pods: the same from both clusters, read with the portal's few rights."""

from dataclasses import dataclass

import pytest

from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError
from environments.models import Cluster, Environment
from environments.web import workloads
from tests.contract.arrange import eventually, limit_range, pod, quota, start, wait_until_enforced, wait_until_furnished

STATUS = "application/merge-patch+json"
CRASHING = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "main",
            "image": "registry.example.com/app:1",
            "imageID": "",
            "ready": False,
            "restartCount": 5,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ],
}
PULLING = {
    "phase": "Pending",
    "containerStatuses": [
        {
            "name": "main",
            "image": "registry.example.com/app:1",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
        }
    ],
}


@dataclass
class Namespace:
    """A namespace on either cluster, and how to change what kubelets would."""

    name: str
    admin: ClusterClient
    raw_admin: object

    def become(self, name: str, status: dict) -> None:
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/status"
        code, answer = self.raw_admin("PATCH", path, {"status": status}, STATUS)
        assert code == 200, answer

    def warn(self, reason: str, message: str, about: tuple[str, str]) -> None:
        kind, name = about
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{reason.lower()}", "namespace": self.name},
            "involvedObject": {"kind": kind, "namespace": self.name, "name": name},
            "reason": reason,
            "message": message,
            "type": "Warning",
            "firstTimestamp": "2999-01-01T00:00:00Z",
            "lastTimestamp": "2999-01-01T00:00:00Z",
            "count": 3,
        }
        self.admin.create(event)


@pytest.fixture
def namespace(admin, raw_admin, home) -> Namespace:
    wait_until_furnished(admin, home)
    return Namespace(home, admin, raw_admin)


@pytest.fixture
def environment(cluster_endpoint, admin, home) -> Environment:
    """A row that was never saved: reading needs a cluster, a name and a uid."""
    way = cluster_endpoint.portal
    row = Cluster(
        pk=id(way), slug="c", name="C", server=way.server, credential=way.credential,
        certificate_authority=way.certificate_authority,
    )  # fmt: skip
    uid = admin.get("Namespace", home)["metadata"]["uid"]
    return Environment(cluster=row, namespace=home, namespace_uid=uid)


def test_an_empty_namespace_is_quiet(environment):
    found = workloads.read(environment)
    assert (found.pods, found.running, found.problems, found.warnings) == (0, 0, [], [])


def test_pods_that_do_not_run_are_named_with_their_reason(environment, namespace):
    for name, status in (("crash", CRASHING), ("pull", PULLING), ("fine", {"phase": "Running"})):
        start(namespace.admin, pod(namespace.name, name))
        namespace.become(name, status)
    found = workloads.read(environment)
    assert (found.pods, found.running) == (3, 2)
    assert [(problem.pod, problem.reason) for problem in found.problems] == [
        ("crash", "CrashLoopBackOff"),
        ("pull", "ImagePullBackOff"),
    ]
    crash, pull = found.problems
    assert crash.sentence == (
        "Container main exited 5 times, last because it used more memory than its limit. "
        "Kubernetes restarts it after a pause."
    )
    assert crash.message == "back-off 40s restarting failed container"
    assert pull.sentence.startswith("The image registry.example.com/app:1 can't be pulled.")


def test_what_is_done_is_no_trouble(environment, namespace):
    start(namespace.admin, pod(namespace.name, "done"))
    namespace.become("done", {"phase": "Succeeded"})
    found = workloads.read(environment)
    assert (found.pods, found.problems) == (0, [])


def test_warnings_are_read_and_nothing_else(environment, namespace):
    namespace.warn("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", ("Pod", "api"))
    (warning,) = [each for each in workloads.read(environment).warnings if each.about == "Pod api"]
    assert (warning.reason, warning.count) == ("Unhealthy", 3)
    assert warning.sentence.startswith("A probe failed")


def test_a_quota_that_refuses_pods_is_told_in_figures(environment, namespace, portal, cluster_endpoint):
    """The message is the API server's own; on the real control plane its ReplicaSet controller wrote the event."""
    portal.apply(quota(namespace.name, {"requests.cpu": "1"}))
    wait_until_enforced(namespace.admin, namespace.name)
    labels = {"app": "api"}
    template = {"metadata": {"labels": labels}, "spec": pod("", "", {"cpu": "1500m"})["spec"]}
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "api", "namespace": namespace.name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    code, answer = namespace.raw_admin("POST", f"/apis/apps/v1/namespaces/{namespace.name}/replicasets", replica_set)
    assert code == 201, answer
    if cluster_endpoint.name == "simulated":  # it has no controllers; its workloads say what theirs would
        with pytest.raises(PermanentError) as refusal:
            namespace.admin.create(pod(namespace.name, "api-x", {"cpu": "1500m"}))
        message = refusal.value.message.partition(": ")[2]
        namespace.warn("FailedCreate", f"Error creating: {message}", ("ReplicaSet", "api"))
    said = eventually(
        lambda: [each for each in workloads.read(environment).warnings if "quota" in each.sentence],
        "the refusal is told",
    )
    assert (said[0].about, said[0].reason) == ("ReplicaSet api", "FailedCreate")
    assert said[0].sentence == (
        "The quota quota is too small for it. CPU requests: 0 of 1 core used, 1.5 cores requested."
    )


def test_a_refusal_names_every_limit_that_was_broken(environment, namespace, admin, home):
    admin.apply(limit_range(home, max={"cpu": "1", "memory": "1Gi"}, min={"cpu": "100m"}))
    big = pod(home, "big", {"cpu": "50m", "memory": "2Gi"}, cpu="3", memory="3Gi")

    def refusal() -> str:
        try:
            admin.create(big, dry_run=True)
        except PermanentError as error:
            return error.message
        return ""

    message = eventually(refusal, "the limits are known")
    namespace.warn("FailedCreate", f"Error creating: {message}", ("ReplicaSet", "big"))
    (said,) = [each for each in workloads.read(environment).warnings if each.about == "ReplicaSet big"]
    assert said.sentence == (
        "A container here can have at least 100m of CPU, at most 1 core of CPU and at most 1 GiB of memory."
    )


def test_no_more_than_a_page_is_read(environment, namespace, monkeypatch):
    monkeypatch.setattr("environments.web.workloads.reading.MOST_PODS", 2)
    for number in range(3):
        start(namespace.admin, pod(namespace.name, f"pod-{number}"))
    found = workloads.read(environment)
    assert (found.pods, found.is_partial) == (2, True)


def test_a_namespace_of_somebody_else_is_not_looked_into(environment):
    environment.namespace_uid = "another"
    with pytest.raises(PermanentError, match="does not belong to this environment"):
        workloads.read(environment)


def test_a_namespace_that_is_gone_is_said_to_be(environment, new_name):
    environment.namespace = f"{new_name}-gone"
    with pytest.raises(PermanentError, match="does not exist"):
        workloads.read(environment)


def test_pods_of_one_owner_with_one_reason_are_one_line(environment, namespace):
    # Any owner that is there: of one that is not, the garbage collector would take the pods.
    uid = namespace.admin.get("ConfigMap", "kube-root-ca.crt", namespace.name)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "uid": uid, "controller": True}
    for number in range(3):
        manifest = pod(namespace.name, f"api-{number}")
        manifest["metadata"]["ownerReferences"] = [owner]
        start(namespace.admin, manifest)
        namespace.become(f"api-{number}", PULLING)
    (problem,) = workloads.read(environment).problems
    assert (problem.owner, problem.more) == ("kube-root-ca.crt", 2)
