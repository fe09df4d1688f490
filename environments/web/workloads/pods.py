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

_PATIENCE = timedelta(minutes=1)  # for a pod to stop or become ready before it counts as a problem


@dataclass(frozen=True)
class PodProblem:
    """One pod that is not running, or several for the same reason."""

    pod: str
    reason: str  # as Kubernetes has it: CrashLoopBackOff
    sentence: str  # as a person would say it
    message: str = ""  # in the cluster's own words
    since: datetime | None = None
    restarts: int = 0
    tone: str = "bad"  # wait: it may start without help
    owner: str = ""
    more: int = 0  # pods of the same owner with the same reason


def problems(pods: Iterable[Manifest], now: datetime) -> list[PodProblem]:
    """The problems of some pods, failures before waiting ones; similar ones of one owner in one line."""
    found: dict[tuple[str, str, str], PodProblem] = {}
    for pod in pods:
        problem = problem_of(pod, now)
        if problem is None:
            continue
        key = (problem.owner or problem.pod, problem.reason, problem.sentence)
        found[key] = replace(found[key], more=found[key].more + 1) if key in found else problem
    return sorted(found.values(), key=lambda each: (each.tone != "bad", each.pod))


def problem_of(pod: Manifest, now: datetime) -> PodProblem | None:
    """Why a pod is not running as it should; None if it is, or has completed."""
    status, phase = section(pod, "status"), text(section(pod, "status"), "phase")
    if section(pod, "metadata").get("deletionTimestamp"):
        return _ending(pod, now)
    if phase == "Succeeded":
        return None
    if phase == "Failed":
        return _failed(pod)
    if phase == "Unknown":
        return _problem(pod, "Unknown", "The pod's node is not responding.", text(status, "message"))
    return _unscheduled(pod) or _waiting(pod) or _ended_container(pod) or _not_ready(pod, now) or _pending(pod)


def _ending(pod: Manifest, now: datetime) -> PodProblem | None:
    due = moment(section(pod, "metadata"), "deletionTimestamp")
    if due is None or now - due < _PATIENCE:
        return None
    sentence = "The pod should have stopped by now. Its node is not responding, or a finalizer blocks the deletion."
    return replace(_problem(pod, "Terminating", sentence, since=due), tone="wait")


def _failed(pod: Manifest) -> PodProblem:
    status = section(pod, "status")
    reason, message = text(status, "reason"), text(status, "message")
    if reason:
        return _problem(pod, reason, sentences.failure(reason), message)
    ended = _terminated(pod)
    if ended is None:
        return _problem(pod, "Failed", "The pod failed.", message)
    name, state = ended
    return _problem(pod, text(state, "reason") or "Failed", sentences.ended(name, state), text(state, "message"))


def _unscheduled(pod: Manifest) -> PodProblem | None:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") != "False":
        return None
    reason, message = text(condition, "reason") or "Unschedulable", text(condition, "message")
    return _problem(
        pod, reason, sentences.unscheduled(reason, message), message, moment(condition, "lastTransitionTime")
    )


def _waiting(pod: Manifest) -> PodProblem | None:
    """A container that has not started, with how it exited before."""
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
        problem = _problem(pod, reason or "Waiting", sentence, text(waiting, "message"))
        return replace(problem, tone="wait" if reason in ("", "ContainerCreating") else "bad")
    return None


def _ended_container(pod: Manifest) -> PodProblem | None:
    """A container that exited with an error while others run."""
    ended = _terminated(pod)
    if ended is None:
        return None
    name, state = ended
    reason = text(state, "reason") or "Error"
    return _problem(pod, reason, sentences.ended(name, state), text(state, "message"), moment(state, "finishedAt"))


def _not_ready(pod: Manifest, now: datetime) -> PodProblem | None:
    condition = _condition(pod, "Ready")
    since = moment(condition, "lastTransitionTime")
    is_running = text(section(pod, "status"), "phase") == "Running"
    if not is_running or condition.get("status") != "False" or since is None or now - since < _PATIENCE:
        return None
    sentence = "The pod is running but not ready, so Services send it no traffic. Check its readiness probe."
    problem = _problem(pod, text(condition, "reason") or "NotReady", sentence, text(condition, "message"), since)
    return replace(problem, tone="wait")


def _pending(pod: Manifest) -> PodProblem | None:
    if text(section(pod, "status"), "phase") == "Running":
        return None
    problem = _problem(pod, "Pending", "The pod has not started yet.", text(section(pod, "status"), "message"))
    return replace(problem, tone="wait")


def _problem(pod: Manifest, reason: str, sentence: str, message: str = "", since: datetime | None = None) -> PodProblem:
    metadata, status = section(pod, "metadata"), section(pod, "status")
    owner = next((text(each, "name") for each in items(metadata, "ownerReferences") if each.get("controller")), "")
    return PodProblem(
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
    """The first container that exited with an error: its name and its `terminated` state."""
    for container in _containers(pod):
        state = section(container, "state", "terminated")
        if state and (number(state, "exitCode") or text(state, "reason") not in ("", "Completed")):
            return text(container, "name"), state
    return None


def _condition(pod: Manifest, kind: str) -> Manifest:
    conditions = items(section(pod, "status"), "conditions")
    return next((each for each in conditions if each.get("type") == kind), {})
