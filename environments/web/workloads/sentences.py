"""Kubernetes' reasons and messages in sentences that say what to do. Pure; unknown reasons stay in their own words.

Reasons: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go and container/sync_result.go,
exit codes above 128: a signal, https://tldp.org/LDP/abs/html/exitcodes.html
"""

import re

from environments.kube.client import Manifest
from environments.kube.manifests import CRITICAL_QUOTA
from environments.lib import quantities
from environments.lib.wording import listed
from environments.web.workloads.fields import number, text

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "InvalidImageName"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})

_CODES = {
    0: "without an error, but a long-running container must not exit",
    1: "with exit code 1 (application error). Check its logs",
    126: "with exit code 126: its command is not executable",
    127: "with exit code 127: its command was not found in the image",
    134: "with exit code 134: it aborted",
    137: "with exit code 137: it was killed, often because it did not stop when asked",
    139: "with exit code 139: segmentation fault",
    143: "with exit code 143: it was asked to stop",
}

_FAILURES = {
    "Evicted": "The node ran short of memory or disk and evicted the pod.",
    "DeadlineExceeded": "The pod ran longer than activeDeadlineSeconds allows.",
    "NodeLost": "The pod's node no longer exists.",
    "Preempting": "The pod was stopped to make room for one with higher priority.",
    "Preempted": "The pod was stopped to make room for one with higher priority.",
    "OutOfcpu": "The node had not enough CPU left for the pod.",
    "OutOfmemory": "The node had not enough memory left for the pod.",
    "Shutdown": "The pod's node was shut down.",
    "Terminated": "The pod's node was shut down.",
}

_LACKS = re.compile(r"Insufficient ([\w./-]*\w)")
_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
_MUST = re.compile(r"failed quota: (\S+): must specify (.+)")
_LIMITS = re.compile(r"(maximum|minimum) ([\w./-]*\w) usage per (\w+) is ([\w.]*\w)")
_RATIO = re.compile(r"([\w./-]*\w) max limit to request ratio per (\w+) is ([\w.]*\w)")


def ended(container: str, state: Manifest) -> str:
    """How a container exited, from a `terminated` state."""
    return f"Container {container} exited {_how(state)}."


def waiting(container: str, reason: str, *, image: str, restarts: int, last: Manifest) -> str:
    """Why a container is not running, from a `waiting` state; `last` is how it exited before, if it did."""
    if reason == "CrashLoopBackOff":
        times = f"exited {restarts} times, last" if restarts > 1 else "exited"
        how = f" {_how(last)}" if last else ""
        return f"Container {container} {times}{how or ' unexpectedly'}. Kubernetes restarts it after a pause."
    if reason in _IMAGE:
        return f"The image {image} can't be pulled. Check its name and tag, and that the namespace may pull it."
    if reason in _CONFIG:
        needs = "ConfigMap, Secret, volume or command"
        return f"Container {container} can't start: a {needs} that it needs is missing."
    if reason in ("", "ContainerCreating"):
        return "The pod is starting: Kubernetes is pulling its images and mounting its volumes."
    return f"Container {container} is waiting: {_words(reason)}."


def unscheduled(reason: str, message: str) -> str:
    """Why a pod can't be scheduled on any node."""
    if reason == "SchedulingGated":
        return "The pod has scheduling gates. It starts when they are removed."
    lacks = sorted({_resource(name) for name in _LACKS.findall(message)})
    if lacks:
        return f"No node has enough {listed(lacks)} free. Your quota isn't the problem; the cluster is full."
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message:
        return "The pod is waiting for its volume: the PersistentVolumeClaim is missing or not bound."
    if "taint" in message or "affinity" in message or "selector" in message:
        return "No node matches the pod's node selector, affinity or tolerations."
    return "No node of the cluster can run the pod."


def failure(reason: str) -> str:
    """Why a pod as a whole failed."""
    return _FAILURES.get(reason, f"The pod failed: {_words(reason)}.")


def warning(reason: str, message: str) -> str:
    """What a Warning event means. Empty if its message is clear enough."""
    if reason == "Failed" and "pull image" in message:
        return "An image can't be pulled. Check its name and tag, and that the namespace may pull it."
    return _refusal(message) or _EVENTS.get(reason, "") or _scheduling(reason, message)


_CRITICAL = (
    "Pods in this environment cannot use the priority classes of Kubernetes' own components. Leave priorityClassName "
    "out, or choose another class."
)


def _refusal(message: str) -> str:
    """Why the API server rejected an object: the quota, a limit, Pod Security or a missing account."""
    if found := _QUOTA.search(message):
        return _CRITICAL if found[1] == CRITICAL_QUOTA else _over_quota(*found.groups())
    if found := _MUST.search(message):
        needs = f"a value for {listed(_missing(found[2]))}"
        return f"The quota {found[1]} requires {needs}. Set it for each container."
    if limits := _broken_limits(message):
        return limits
    if "violates PodSecurity" in message:
        return "The pod needs privileges that the namespace's Pod Security level does not allow."
    if "serviceaccount" in message.lower() and "not found" in message:
        return "The pod's ServiceAccount does not exist."
    return ""


def _broken_limits(message: str) -> str:
    """Every bound of the namespace's LimitRanges that was broken, a sentence for each kind of object.

    Sorted, because the API server names them in another order each time.
    """
    bounds: dict[str, list[str]] = {}
    for which, resource, kind, amount in sorted(_LIMITS.findall(message), key=_minimum_first):
        least_or_most = "at most" if which == "maximum" else "at least"
        bounds.setdefault(kind, []).append(f"{least_or_most} {_amount(resource, amount)} of {_resource(resource)}")
    for resource, kind, ratio in sorted(_RATIO.findall(message)):
        bounds.setdefault(kind, []).append(f"a {_resource(resource)} limit of at most {ratio} times its request")
    return " ".join(
        f"A {_KINDS.get(kind, kind)} here can have {listed(list(dict.fromkeys(each)))}."
        for kind, each in sorted(bounds.items())
    )


def _minimum_first(found: tuple[str, str, str, str]) -> tuple[bool, str]:
    which, resource, _, _ = found
    return which == "maximum", resource


_KINDS = {"Container": "container", "Pod": "pod", "PersistentVolumeClaim": "volume claim"}


def _over_quota(name: str, requested: str, used: str, limited: str) -> str:
    """From the quota's own figures. They are comma-separated `resource=amount`, the same resources in each."""
    wanted, now, most = (dict(_pairs(text)) for text in (requested, used, limited))
    said = []
    for resource, amount in wanted.items():
        in_use = _used_of(resource, now.get(resource, ""), most.get(resource, ""))
        said.append(f"{quantities.name(resource)}: {in_use} used, {_amount(resource, amount)} requested")
    return f"The quota {name} is too small for it. {'; '.join(said)}."


def _missing(text: str) -> list[str]:
    """`limits.cpu for: main; limits.memory for: main`, or `limits.cpu,limits.memory` as older clusters have it."""
    resources = [name.strip() for part in text.split(";") for name in part.partition(" for:")[0].split(",")]
    return [quantities.name(resource) for resource in resources]


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, amount) for name, _, amount in (pair.partition("=") for pair in text.split(","))]


def _used_of(resource: str, used: str, hard: str) -> str:
    try:
        return quantities.used_of(resource, quantities.parse(used), quantities.parse(hard))
    except ValueError:
        return f"{used or '?'} of {hard or '?'}"


def _amount(resource: str, amount: str) -> str:
    try:
        return quantities.human(resource, quantities.parse(amount))
    except ValueError:
        return amount or "?"


def _scheduling(reason: str, message: str) -> str:
    return unscheduled("", message) if reason == "FailedScheduling" else ""


def _how(state: Manifest) -> str:
    if text(state, "reason") == "OOMKilled":
        return "because it used more memory than its limit"
    code = number(state, "exitCode")
    return _CODES.get(code, f"with exit code {code}. Check its logs")


def _resource(name: str) -> str:
    return {"cpu": "CPU", "memory": "memory", "ephemeral-storage": "disk"}.get(name, name)


def _words(reason: str) -> str:
    """`NetworkNotReady` as “network not ready”."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason).lower() or "no reason given"


_EVENTS = {
    "BackOff": "The container failed to start several times, so Kubernetes waits before the next try.",
    "Unhealthy": "A probe failed: the container did not answer as expected.",
    "FailedMount": "A volume can't be mounted: its claim, ConfigMap or Secret may be missing.",
    "FailedAttachVolume": "A volume can't be attached: it may still be in use on another node.",
    "FailedBinding": "No volume matches the claim: the cluster has no storage class for it.",
    "ProvisioningFailed": "The storage could not create a volume for the claim.",
    "Evicted": "The node ran short of memory or disk and evicted the pod.",
    "OOMKilling": "A process used more memory than available.",
    "BackoffLimitExceeded": "The Job failed as often as backoffLimit allows.",
    "DeadlineExceeded": "The Job ran longer than activeDeadlineSeconds allows.",
    "FailedCreatePodSandBox": "The pod got no network on its node. Tell the platform team.",
    "NetworkNotReady": "The node's network is not ready. Tell the platform team.",
    "FailedGetResourceMetric": "The autoscaler gets no metrics, so it does not scale.",
    "InspectFailed": "The image name is not valid.",
}
