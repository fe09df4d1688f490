"""Reads a namespace's pods, warnings and limits in a few short calls, so that a page never waits for long."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.utils import timezone

from environments import kube
from environments.kube import others
from environments.kube.answers import NotFoundError
from environments.kube.client import ClusterClient, Manifest
from environments.kube.others import OtherLimit
from environments.lib.errors import PermanentError
from environments.models import Environment
from environments.web.workloads.pods import PodProblem, problems
from environments.web.workloads.warnings import ClusterWarning, warnings

TIMEOUT = (1.5, 2.5)  # seconds: to connect, to answer
MOST_PODS, _MOST_EVENTS, _MOST_LIMITS = 250, 250, 50  # that are read
_MOST_LINES = 20  # that are shown of each


@dataclass(frozen=True)
class Workloads:
    """The state of a namespace's pods. `is_partial`: not everything was read or is shown."""

    read_at: datetime
    pods: int
    running: int
    problems: list[PodProblem]
    warnings: list[ClusterWarning]
    is_partial: bool = False
    others: list[OtherLimit] = field(default_factory=list)  # what limits the namespace besides the template


def read(environment: Environment) -> Workloads:
    """Read the pods and warnings of an environment's namespace now.

    Raises TemporaryError if the cluster does not answer in time, PermanentError if it refuses, or if the namespace
    does not belong to the environment.
    """
    client = kube.connect(environment.cluster, timeout=TIMEOUT)
    _check_ours(client, environment)
    pods = list(_some(client, "Pod", environment.namespace, "status.phase!=Succeeded", MOST_PODS))
    events = list(_some(client, "Event", environment.namespace, "type=Warning", _MOST_EVENTS))
    limits = [each for kind in others.KINDS for each in _of_others(client, kind, environment)]
    now = timezone.now()
    found, warned = problems(pods, now), warnings(events, now)
    return Workloads(
        read_at=now,
        pods=len(pods),
        running=sum(1 for pod in pods if (pod.get("status") or {}).get("phase") == "Running"),
        problems=found[:_MOST_LINES],
        warnings=warned[:_MOST_LINES],
        is_partial=len(pods) == MOST_PODS or max(len(found), len(warned)) > _MOST_LINES,
        others=limits[:_MOST_LINES],
    )


def _of_others(client: ClusterClient, kind: str, environment: Environment) -> list[OtherLimit]:
    """What others limit by this kind; nothing where the portal may not read it, which must not hide the pods."""
    own = {"label_domain": settings.LABEL_DOMAIN, "environment_id": str(environment.pk)}
    with suppress(PermanentError):
        found = _some(client, kind, environment.namespace, "", _MOST_LIMITS)
        return others.limits_of_others(found, kind, **own)
    return []


def _some(client: ClusterClient, kind: str, namespace: str, fields: str, most: int) -> Iterator[Manifest]:
    """The first page only, however many there are."""
    return islice(client.list_objects(kind, namespace, fields=fields, limit=most), most)


def _check_ours(client: ClusterClient, environment: Environment) -> None:
    """Raise if the namespace was replaced by another one of the same name."""
    found = client.get("Namespace", environment.namespace)
    if found is None:
        raise NotFoundError("The namespace does not exist.", reason="NotFound")
    if found["metadata"].get("uid") != environment.namespace_uid:
        raise PermanentError(
            "A namespace with this name exists, but it does not belong to this environment.", reason="NotOurs"
        )
