"""The state of the pods in an environment's namespace: from a few seconds ago, or the last known one."""

from dataclasses import dataclass

from django.core.cache import cache

from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase
from environments.models import Environment
from environments.web import workloads
from environments.web.workloads import Workloads

FRESH = 10  # seconds that one answer is used for all readers
_KEPT = 3600  # seconds that the last answer is shown while the cluster gives no other

#: What a malformed answer raises. Whatever a cluster sends, the page must not become an error page.
_ODD = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class WorkloadStatus:
    """The current state, or the last known one with the error that prevents a newer one."""

    workloads: Workloads | None
    error: str = ""


def has_workloads(environment: Environment) -> bool:
    """Whether the environment has a namespace whose pods can be read."""
    return environment.phase in (Phase.READY, Phase.DEGRADED) and bool(environment.namespace_uid)


def running(environment: Environment) -> WorkloadStatus:
    """The state of the pods, read at most every few seconds. No query; never raises for what a cluster does."""
    key = f"workload-status:{environment.pk}"
    found: WorkloadStatus | None = cache.get(key)
    if found is None:
        found = _look(environment, f"{key}:last")
        cache.set(key, found, FRESH)
    return found


def _look(environment: Environment, last: str) -> WorkloadStatus:
    try:
        seen = workloads.read(environment)
    except ReconcileError as error:
        return WorkloadStatus(cache.get(last), error.message)
    except _ODD:
        return WorkloadStatus(cache.get(last), "The cluster sent an answer that we can't read.")
    cache.set(last, seen, _KEPT)
    return WorkloadStatus(seen)
