"""Kubernetes' reasons and messages in sentences that say what to do. Pure; what is not known stays in its own words.

Reasons: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go and container/sync_result.go,
exit codes above 128: a signal, https://tldp.org/LDP/abs/html/exitcodes.html
"""

import re

from environments.kube.client import Manifest
from environments.lib import quantities
from environments.web.workloads.fields import number, text

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "InvalidImageName"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})

_CODES = {
    0: "without an error: what is to keep running must not end",
    1: "with exit code 1, an error of the program: its logs say more",
    126: "with exit code 126: its command may not be executed",
    127: "with exit code 127: its command was not found in the image",
    134: "with exit code 134: it aborted itself",
    137: "with exit code 137: it was killed, often because it did not end when asked to",
    139: "with exit code 139: it read memory that is not its own (segmentation fault)",
    143: "with exit code 143: it was asked to end",
}

_FAILURES = {
    "Evicted": "Its node was short of memory or disk and put it out.",
    "DeadlineExceeded": "It ran longer than it may (activeDeadlineSeconds).",
    "NodeLost": "Its node is gone.",
    "Preempting": "It had to make room for something more important.",
    "Preempted": "It had to make room for something more important.",
    "OutOfcpu": "Its node had no CPU left for it after all.",
    "OutOfmemory": "Its node had no memory left for it after all.",
    "Shutdown": "Its node was shut down.",
    "Terminated": "Its node was shut down.",
}

_LACKS = re.compile(r"Insufficient ([\w./-]*\w)")
_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
_MUST = re.compile(r"failed quota: \S+ must specify (.+)")
_LIMITS = re.compile(r"(maximum|minimum) ([\w-]+) usage per (\w+) is ([\w.]+)")


def ended(container: str, state: Manifest) -> str:
    """How a container ended, from a `terminated` state."""
    return f"Its container {container} ended {_how(state)}."


def waiting(container: str, reason: str, *, image: str, restarts: int, last: Manifest) -> str:
    """Why a container does not run, from a `waiting` state; `last` is how it ended before, if it did."""
    if reason == "CrashLoopBackOff":
        times = f"ended {restarts} times, last" if restarts > 1 else "ended"
        how = f" {_how(last)}" if last else ""
        return f"Its container {container} {times}{how or ' unexpectedly'}. It is started again after a pause."
    if reason in _IMAGE:
        return f"The image {image} cannot be pulled. Is its name right, does it exist, and may the namespace read it?"
    if reason in _CONFIG:
        needs = "ConfigMap, Secret, volume or command"
        return f"Its container {container} cannot be started: a {needs} that it needs is missing."
    if reason in ("", "ContainerCreating"):
        return "It is being started: its image is pulled and its volumes are mounted."
    return f"Its container {container} waits: {_words(reason)}."


def unscheduled(reason: str, message: str) -> str:
    """Why no node takes a pod."""
    if reason == "SchedulingGated":
        return "It waits for somebody to lift its scheduling gates."
    lacks = sorted({_resource(name) for name in _LACKS.findall(message)})
    if lacks:
        return f"No node has enough {_and(lacks)} left for it. The quota would allow it: the cluster is full."
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message:
        return "It waits for its volume: the PersistentVolumeClaim is missing or not bound."
    if "taint" in message or "affinity" in message or "selector" in message:
        return "No node fits what it asks for (node selector, affinity or tolerations)."
    return "No node of the cluster can take it."


def failure(reason: str) -> str:
    """Why a pod as a whole failed."""
    return _FAILURES.get(reason, f"It failed: {_words(reason)}.")


def warning(reason: str, message: str) -> str:
    """A Warning event. Empty where the message says it best itself."""
    if reason == "Failed" and "pull image" in message:
        return "An image cannot be pulled. Is its name right, does it exist, and may the namespace read it?"
    return _refusal(message) or _EVENTS.get(reason, "") or _scheduling(reason, message)


def _refusal(message: str) -> str:
    """What the API server refused to create, and which limit stood in the way."""
    if found := _QUOTA.search(message):
        return _over_quota(*found.groups()[1:])
    if found := _MUST.search(message):
        return f"It does not say how much it wants of: {_and(_missing(found[1]))}. The quota counts that, so it has to."
    if found := _LIMITS.search(message):
        which, resource, kind, amount = found.groups()
        least_or_most = "at most" if which == "maximum" else "at least"
        return f"A {kind.lower()} here may have {least_or_most} {_amount(resource, amount)} of {_resource(resource)}."
    if "violates PodSecurity" in message:
        return "It asks for rights that the namespace's Pod Security level does not give."
    if "serviceaccount" in message.lower() and "not found" in message:
        return "Its ServiceAccount does not exist."
    return ""


def _over_quota(requested: str, used: str, limited: str) -> str:
    """From the quota's own figures. They are comma-separated `resource=amount`, the same resources in each."""
    wanted, now, most = (dict(_pairs(text)) for text in (requested, used, limited))
    said = []
    for resource, amount in wanted.items():
        in_use = _used_of(resource, now.get(resource, ""), most.get(resource, ""))
        said.append(f"{quantities.name(resource)}: {in_use} in use, {_amount(resource, amount)} asked for")
    return f"The quota has no room for it. {'; '.join(said)}."


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
    return _CODES.get(code, f"with exit code {code}: its logs say more")


def _resource(name: str) -> str:
    return {"cpu": "CPU", "memory": "memory", "ephemeral-storage": "disk"}.get(name, name)


def _and(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _words(reason: str) -> str:
    """`NetworkNotReady` as “network not ready”."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason).lower() or "no reason given"


_EVENTS = {
    "BackOff": "It could not be started several times in a row, so the next try waits a while.",
    "Unhealthy": "A probe fails: the container does not answer as its pod says it should.",
    "FailedMount": "A volume cannot be mounted: its claim, ConfigMap or Secret may be missing.",
    "FailedAttachVolume": "A volume cannot be attached: it may still be in use on another node.",
    "FailedBinding": "No volume fits the claim: the cluster has no storage class for it.",
    "ProvisioningFailed": "The storage could not make a volume for the claim.",
    "Evicted": "Its node was short of memory or disk and put it out.",
    "OOMKilling": "A process used more memory than there is.",
    "BackoffLimitExceeded": "The Job failed as often as it may (backoffLimit).",
    "DeadlineExceeded": "The Job ran longer than it may (activeDeadlineSeconds).",
    "FailedCreatePodSandBox": "The pod got no network on its node. This is for the platform team.",
    "NetworkNotReady": "The node's network is not ready. This is for the platform team.",
    "FailedGetResourceMetric": "The autoscaler gets no figures, so it changes nothing.",
    "InspectFailed": "The image's name cannot be read.",
}
