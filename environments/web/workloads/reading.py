"""One look at a namespace: a few small calls, none of which lets a page wait for long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.utils import timezone

from environments.kube import client as cluster
from environments.kube.answers import NotFoundError
from environments.kube.client import ClusterClient, Manifest
from environments.lib.errors import PermanentError
from environments.models import Environment
from environments.web.workloads.pods import Trouble, troubles
from environments.web.workloads.warnings import Warned, warnings

TIMEOUT = (1.5, 2.5)  # seconds: to connect, to answer
MOST_PODS, _MOST_EVENTS = 250, 250  # that are read
_MOST_LINES = 20  # that are shown of each


@dataclass(frozen=True)
class Workloads:
    """What a namespace's pods do. `is_partial`: there is more in it than was looked at or is shown."""

    read_at: datetime
    pods: int
    running: int
    troubles: list[Trouble]
    warnings: list[Warned]
    is_partial: bool = False


def read(environment: Environment) -> Workloads:
    """Look at an environment's namespace now.

    Raises TemporaryError where the cluster does not answer in time, PermanentError where it refuses, or the namespace
    is not the environment's.
    """
    client = cluster.connect(environment.cluster, timeout=TIMEOUT)
    _check_ours(client, environment)
    pods = list(_some(client, "Pod", environment.namespace, "status.phase!=Succeeded", MOST_PODS))
    events = list(_some(client, "Event", environment.namespace, "type=Warning", _MOST_EVENTS))
    now = timezone.now()
    found, warned = troubles(pods, now), warnings(events, now)
    return Workloads(
        read_at=now,
        pods=len(pods),
        running=sum(1 for pod in pods if (pod.get("status") or {}).get("phase") == "Running"),
        troubles=found[:_MOST_LINES],
        warnings=warned[:_MOST_LINES],
        is_partial=len(pods) == MOST_PODS or max(len(found), len(warned)) > _MOST_LINES,
    )


def _some(client: ClusterClient, kind: str, namespace: str, fields: str, most: int) -> Iterator[Manifest]:
    """The first page only, however many there are."""
    return islice(client.list_objects(kind, namespace, fields=fields, limit=most), most)


def _check_ours(client: ClusterClient, environment: Environment) -> None:
    """Nothing is read in a namespace of somebody else's that took the name."""
    found = client.get("Namespace", environment.namespace)
    if found is None:
        raise NotFoundError("The namespace is not there.", reason="NotFound")
    if found["metadata"].get("uid") != environment.namespace_uid:
        raise PermanentError("A namespace of this name is there that is not this environment's.", reason="NotOurs")
