"""What does not run in an environment's namespace, as fresh as a few seconds ago, or as it last was."""

from dataclasses import dataclass

from django.core.cache import cache

from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase
from environments.models import Environment
from environments.web import workloads
from environments.web.workloads import Workloads

FRESH = 10  # seconds that one answer serves everybody who looks
_KEPT = 3600  # seconds that the last answer is shown while the cluster gives no other

#: How a broken answer shows itself. Whatever a cluster sends, the page is not an error page.
_ODD = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Running:
    """The newest answer, or the last one with what is in the way of a newer one."""

    workloads: Workloads | None
    error: str = ""


def has_workloads(environment: Environment) -> bool:
    """Whether there is a namespace of the environment's own to look into."""
    return environment.phase in (Phase.READY, Phase.DEGRADED) and bool(environment.namespace_uid)


def running(environment: Environment) -> Running:
    """Look into the namespace, unless somebody just did. No query; never raises for what a cluster does."""
    key = f"workloads:{environment.pk}"
    found: Running | None = cache.get(key)
    if found is None:
        found = _look(environment, f"{key}:last")
        cache.set(key, found, FRESH)
    return found


def _look(environment: Environment, last: str) -> Running:
    try:
        seen = workloads.read(environment)
    except ReconcileError as error:
        return Running(cache.get(last), error.message)
    except _ODD:
        return Running(cache.get(last), "The cluster's answer cannot be read.")
    cache.set(last, seen, _KEPT)
    return Running(seen)
