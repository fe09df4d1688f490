"""Why a pod does not run and what a warning means, in sentences, from objects as the API server sends them."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.web.workloads import sentences
from environments.web.workloads.pods import problem_of, problems
from environments.web.workloads.warnings import warnings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(**length):
    return f"{NOW - timedelta(**length):%Y-%m-%dT%H:%M:%SZ}"


def pod(name="api", phase="Running", **more):
    metadata = {"name": name, "creationTimestamp": ago(minutes=5)} | more.pop("metadata", {})
    return {"metadata": metadata, "status": {"phase": phase} | more}


def container(state, last=None, restarts=0, name="main"):
    found = {"name": name, "image": "registry.example.com/app:1", "restartCount": restarts, "state": state}
    return found | ({"lastState": {"terminated": last}} if last else {})


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def condition(kind, status, **more):
    return {"type": kind, "status": status} | more


@pytest.mark.parametrize(
    ("found", "reason", "begins"),
    [
        (
            pod(containerStatuses=[container(waiting("CrashLoopBackOff"), {"exitCode": 1}, 4)]),
            "CrashLoopBackOff",
            "Container main exited 4 times, last with exit code 1 (application error)",
        ),
        (
            pod(containerStatuses=[container(waiting("CrashLoopBackOff"), {"exitCode": 0}, 1)]),
            "CrashLoopBackOff",
            "Container main exited without an error, but a long-running container must not exit",
        ),
        (
            pod("web", "Pending", containerStatuses=[container(waiting("ErrImagePull"))]),
            "ErrImagePull",
            "The image registry.example.com/app:1 can't be pulled.",
        ),
        (
            pod("web", "Pending", containerStatuses=[container(waiting("CreateContainerConfigError"))]),
            "CreateContainerConfigError",
            "Container main can't start",
        ),
        (
            pod("web", "Pending", containerStatuses=[container(waiting("ContainerCreating"))]),
            "ContainerCreating",
            "The pod is starting",
        ),
        (
            pod(
                "web",
                "Pending",
                conditions=[
                    condition(
                        "PodScheduled",
                        "False",
                        reason="Unschedulable",
                        message="0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.",
                    )
                ],
            ),
            "Unschedulable",
            "No node has enough CPU and memory free.",
        ),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "Evicted", "The node ran short of memory"),
        (
            pod(phase="Failed", containerStatuses=[container({"terminated": {"exitCode": 127, "reason": "Error"}})]),
            "Error",
            "Container main exited with exit code 127: its command was not found",
        ),
        (
            pod(containerStatuses=[container({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})]),
            "OOMKilled",
            "Container main exited because it used more memory than its limit.",
        ),
        (
            pod(
                conditions=[condition("Ready", "False", lastTransitionTime=ago(minutes=3), reason="ContainersNotReady")]
            ),
            "ContainersNotReady",
            "The pod is running but not ready",
        ),
        (pod(metadata={"deletionTimestamp": ago(minutes=3)}), "Terminating", "The pod should have stopped by now."),
        (pod(phase="Unknown"), "Unknown", "The pod's node is not responding."),
        (pod(phase="Pending"), "Pending", "The pod has not started yet."),
    ],
)
def test_a_pod_that_does_not_run_says_why(found, reason, begins):
    problem = problem_of(found, NOW)
    assert problem.reason == reason
    assert problem.sentence.startswith(begins)


@pytest.mark.parametrize(
    "found",
    [
        pod(containerStatuses=[container({"running": {}})], conditions=[condition("Ready", "True")]),
        pod(conditions=[condition("Ready", "False", lastTransitionTime=ago(seconds=20))]),  # just started
        pod(phase="Succeeded"),
        pod(metadata={"deletionTimestamp": ago(seconds=5)}),  # ending as it should
        pod(containerStatuses=[container({"terminated": {"exitCode": 0, "reason": "Completed"}})]),
    ],
)
def test_a_pod_that_does_as_it_should_is_not_named(found):
    assert problem_of(found, NOW) is None


def test_an_init_container_says_why_before_those_that_wait_for_it():
    found = pod(
        "web",
        "Pending",
        initContainerStatuses=[container(waiting("ImagePullBackOff"), name="migrate")],
        containerStatuses=[container(waiting("PodInitializing"))],
    )
    assert problem_of(found, NOW).reason == "ImagePullBackOff"


def test_pods_of_one_owner_with_one_reason_share_a_line_and_the_broken_come_first():
    owner = {"ownerReferences": [{"name": "api-7d9f", "controller": True}]}
    alike = [pod(f"api-{n}", containerStatuses=[container(waiting("ErrImagePull"))], metadata=owner) for n in range(3)]
    found = problems([pod("a-slow-one", phase="Pending"), *alike], NOW)
    assert [(each.pod, each.more, each.tone) for each in found] == [("api-0", 2, "bad"), ("a-slow-one", 0, "wait")]


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": {"containerStatuses": "no", "conditions": [7]}}])
def test_an_odd_pod_is_no_error(odd):
    assert problem_of({"metadata": {"name": "x"}} | odd, NOW).reason == "Pending"


QUOTA = (
    'Error creating: pods "api-x" is forbidden: exceeded quota: environment-quota, '
    "requested: requests.cpu=500m,requests.memory=512Mi, used: requests.cpu=1,requests.memory=2Gi, "
    "limited: requests.cpu=1,requests.memory=2Gi"
)


@pytest.mark.parametrize(
    ("reason", "message", "sentence"),
    [
        (
            "FailedCreate",
            QUOTA,
            "The quota environment-quota is too small for it. CPU requests: 1 of 1 core used, 500m requested; "
            "Memory requests: 2 GiB of 2 GiB used, 512 MiB requested.",
        ),
        (
            "FailedCreate",
            'pods "a" is forbidden: exceeded quota: environment-critical-pods, requested: pods=1, used: pods=0, '
            "limited: pods=0",
            "Pods in this environment cannot use the priority classes of Kubernetes' own components. Leave "
            "priorityClassName out, or choose another class.",
        ),
        (
            "FailedCreate",
            "failed quota: environment-quota: must specify limits.cpu for: main; limits.memory for: main",
            "The quota environment-quota requires a value for CPU limits and Memory limits. Set it for each container.",
        ),
        (
            "FailedCreate",
            'pods "a" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            "A container here can have at most 1 GiB of memory.",
        ),
        (
            "FailedCreate",
            'pods "a" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage '
            "per Container is 1, but limit is 3, maximum memory usage per Container is 1Gi, but limit is 3Gi, "
            "maximum cpu usage per Pod is 2, but limit is 3, memory max limit to request ratio per Container is 2, but "
            "provided ratio is 4.000000]",
            "A container here can have at least 100m of CPU, at most 1 core of CPU, at most 1 GiB of memory and a "
            "memory limit of at most 2 times its request. A pod here can have at most 2 cores of CPU.",
        ),
        (
            "FailedCreate",
            'persistentvolumeclaims "p" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but '
            "request is 10Gi",
            "A volume claim here can have at most 1 GiB of storage.",
        ),
        (
            "FailedCreate",
            'pods "a" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "The pod needs privileges that the namespace's Pod Security level does not allow.",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            "No node has enough nvidia.com/gpu free. Your quota isn't the problem; the cluster is full.",
        ),
        ("Unhealthy", "Liveness probe failed", sentences._EVENTS["Unhealthy"]),
        ("SomethingNew", "nobody knows", ""),
    ],
)
def test_a_warning_is_said_in_a_sentence(reason, message, sentence):
    assert sentences.warning(reason, message) == sentence


def event(reason="BackOff", message="m", at=None, **more):
    about = {"kind": "Pod", "name": "api"}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": at or ago(minutes=1)} | more


def test_warnings_come_newest_first_and_repeated_ones_once():
    events = [event(at=ago(minutes=9), count=2), event("Unhealthy", at=ago(minutes=5)), event(count=3)]
    found = warnings(events, NOW)
    assert [(each.reason, each.count) for each in found] == [("BackOff", 5), ("Unhealthy", 1)]


def test_equal_warnings_of_many_objects_are_one_line_and_hide_nothing():
    full = "0/3 nodes are available: 3 Insufficient memory."
    events = [
        event("FailedScheduling", full, at=ago(seconds=n), involvedObject={"kind": "Pod", "name": f"api-{n}"})
        for n in range(1, 41)
    ]
    events.append(event("FailedCreate", QUOTA, at=ago(minutes=9), involvedObject={"kind": "ReplicaSet", "name": "api"}))
    found = warnings(events, NOW)
    assert [(each.about, each.count, each.more) for each in found] == [("Pod api-1", 40, 39), ("ReplicaSet api", 1, 0)]
    assert "The quota environment-quota is too small for it." in found[1].sentence


def test_a_long_refusal_is_read_whole_although_the_page_shows_its_beginning():
    keys = [f"requests.example.com/a-device-with-a-long-name-{n:02}" for n in range(12)]
    amounts = [",".join(f"{key}={amount}" for key in keys) for amount in ("1", "4", "4")]
    message = "exceeded quota: q, requested: {}, used: {}, limited: {}".format(*amounts)
    (found,) = warnings([event("FailedCreate", message)], NOW)
    assert len(found.message) == 600 < len(message)
    assert found.sentence.count("4 of 4 used, 1 requested") == 12


def test_a_series_says_how_often_and_when_last():
    (found,) = warnings([event(series={"count": 40, "lastObservedTime": ago(seconds=5)})], NOW)
    assert (found.count, found.at) == (40, NOW - timedelta(seconds=5))


def test_old_warnings_and_odd_ones():
    assert warnings([event(at=ago(days=2))], NOW) == []
    (odd,) = warnings([{"reason": None, "message": "a\n b" * 400}], NOW)
    assert (odd.about, odd.at, len(odd.message)) == ("", None, 600)
