"""Pods that are not running as they should, and why. Pure.

What is looked at, and in which order, follows kubectl's own column STATUS:
https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go (printPod)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from environments.kube.client import Manifest
from environments.web.workloads import sentences
from environments.web.workloads.fields import items, moment, number, section, text

_PATIENCE = timedelta(minutes=1)  # that a pod may take to end or to become ready before it is worth a word


@dataclass(frozen=True)
class Trouble:
    """One pod that does not run, or several for the same reason."""

    pod: str
    reason: str  # as Kubernetes has it: CrashLoopBackOff
    sentence: str  # as a person would say it
    message: str = ""  # in the cluster's own words
    since: datetime | None = None
    restarts: int = 0
    tone: str = "bad"  # wait: it may well start by itself
    owner: str = ""
    more: int = 0  # pods of the same owner with the same reason


def troubles(pods: Iterable[Manifest], now: datetime) -> list[Trouble]:
    """What is wrong with some pods, the broken before those that only wait; alike ones of one owner in one line."""
    found: dict[tuple[str, str, str], Trouble] = {}
    for pod in pods:
        trouble = trouble_of(pod, now)
        if trouble is None:
            continue
        key = (trouble.owner or trouble.pod, trouble.reason, trouble.sentence)
        found[key] = replace(found[key], more=found[key].more + 1) if key in found else trouble
    return sorted(found.values(), key=lambda each: (each.tone != "bad", each.pod))


def trouble_of(pod: Manifest, now: datetime) -> Trouble | None:
    """Why a pod is not running as it should; None for one that does, or has done what it was to do."""
    status, phase = section(pod, "status"), text(section(pod, "status"), "phase")
    if section(pod, "metadata").get("deletionTimestamp"):
        return _ending(pod, now)
    if phase == "Succeeded":
        return None
    if phase == "Failed":
        return _failed(pod)
    if phase == "Unknown":
        return _trouble(pod, "Unknown", "Its node has not been heard of for a while.", text(status, "message"))
    return _unscheduled(pod) or _waiting(pod) or _ended_container(pod) or _not_ready(pod, now) or _pending(pod)


def _ending(pod: Manifest, now: datetime) -> Trouble | None:
    due = moment(section(pod, "metadata"), "deletionTimestamp")
    if due is None or now - due < _PATIENCE:
        return None
    sentence = "It was to be gone by now. Its node does not answer, or a finalizer holds it."
    return replace(_trouble(pod, "Terminating", sentence, since=due), tone="wait")


def _failed(pod: Manifest) -> Trouble:
    status = section(pod, "status")
    reason, message = text(status, "reason"), text(status, "message")
    if reason:
        return _trouble(pod, reason, sentences.failure(reason), message)
    ended = _terminated(pod)
    if ended is None:
        return _trouble(pod, "Failed", "It ended with an error.", message)
    name, state = ended
    return _trouble(pod, text(state, "reason") or "Failed", sentences.ended(name, state), text(state, "message"))


def _unscheduled(pod: Manifest) -> Trouble | None:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") != "False":
        return None
    reason, message = text(condition, "reason") or "Unschedulable", text(condition, "message")
    return _trouble(
        pod, reason, sentences.unscheduled(reason, message), message, moment(condition, "lastTransitionTime")
    )


def _waiting(pod: Manifest) -> Trouble | None:
    """A container that is not started, with what became of it before."""
    for container in _containers(pod):
        waiting = section(container, "state", "waiting")
        reason = text(waiting, "reason")
        if not waiting or reason == "PodInitializing":  # an init container, which comes first, says why
            continue
        sentence = sentences.waiting(
            text(container, "name"),
            reason,
            image=text(container, "image"),
            restarts=number(container, "restartCount"),
            last=section(container, "lastState", "terminated"),
        )
        trouble = _trouble(pod, reason or "Waiting", sentence, text(waiting, "message"))
        return replace(trouble, tone="wait" if reason in ("", "ContainerCreating") else "bad")
    return None


def _ended_container(pod: Manifest) -> Trouble | None:
    """A container that ended with an error while others run."""
    ended = _terminated(pod)
    if ended is None:
        return None
    name, state = ended
    reason = text(state, "reason") or "Error"
    return _trouble(pod, reason, sentences.ended(name, state), text(state, "message"), moment(state, "finishedAt"))


def _not_ready(pod: Manifest, now: datetime) -> Trouble | None:
    condition = _condition(pod, "Ready")
    since = moment(condition, "lastTransitionTime")
    is_running = text(section(pod, "status"), "phase") == "Running"
    if not is_running or condition.get("status") != "False" or since is None or now - since < _PATIENCE:
        return None
    sentence = "It runs, but is not ready, so Services send it nothing. Its readiness probe fails, or takes long."
    trouble = _trouble(pod, text(condition, "reason") or "NotReady", sentence, text(condition, "message"), since)
    return replace(trouble, tone="wait")


def _pending(pod: Manifest) -> Trouble | None:
    if text(section(pod, "status"), "phase") == "Running":
        return None
    trouble = _trouble(pod, "Pending", "It has not started yet.", text(section(pod, "status"), "message"))
    return replace(trouble, tone="wait")


def _trouble(pod: Manifest, reason: str, sentence: str, message: str = "", since: datetime | None = None) -> Trouble:
    metadata, status = section(pod, "metadata"), section(pod, "status")
    owner = next((text(each, "name") for each in items(metadata, "ownerReferences") if each.get("controller")), "")
    return Trouble(
        pod=text(metadata, "name"),
        reason=reason,
        sentence=sentence,
        message=message,
        since=since or moment(status, "startTime") or moment(metadata, "creationTimestamp"),
        restarts=max((number(each, "restartCount") for each in _containers(pod)), default=0),
        owner=owner,
    )


def _containers(pod: Manifest) -> list[Manifest]:
    status = section(pod, "status")
    return [*items(status, "initContainerStatuses"), *items(status, "containerStatuses")]


def _terminated(pod: Manifest) -> tuple[str, Manifest] | None:
    """The first container that ended with an error: its name and how."""
    for container in _containers(pod):
        state = section(container, "state", "terminated")
        if state and (number(state, "exitCode") or text(state, "reason") not in ("", "Completed")):
            return text(container, "name"), state
    return None


def _condition(pod: Manifest, kind: str) -> Manifest:
    conditions = items(section(pod, "status"), "conditions")
    return next((each for each in conditions if each.get("type") == kind), {})
