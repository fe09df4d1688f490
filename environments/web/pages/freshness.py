"""Whether an environment's usage is out of date, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from environments.lib.phases import Phase
from environments.models import Cluster, Environment

_LATE = timedelta(minutes=30)  # figures come every few minutes
_SAME_LOOK = timedelta(seconds=10)  # between the two times that one look at a cluster writes


@dataclass(frozen=True)
class StaleUsage:
    """Usage that is older than it should be, and why. `at` is None if there was none yet."""

    at: datetime | None
    title: str
    text: str


def stale_usage(environment: Environment) -> StaleUsage | None:
    """Why an environment's usage is out of date; None if it is current or no longer changes."""
    if environment.phase not in (Phase.READY, Phase.DEGRADED):
        return None
    if is_silent(environment.cluster):
        text = f"{environment.cluster} did not answer the last check. {environment.cluster.check_error}"
        return StaleUsage(environment.usage_at, "Cluster not responding", text)
    if environment.usage_at and timezone.now() - environment.usage_at > _LATE:
        return StaleUsage(environment.usage_at, "Usage is out of date", "New figures usually arrive every few minutes.")
    return None


def is_silent(cluster: Cluster) -> bool:
    """Whether the last check of a cluster got no complete answer. A part that it refuses does not count."""
    if not cluster.check_error or cluster.checked_at is None:
        return False
    return cluster.observed_at is None or cluster.checked_at - cluster.observed_at > _SAME_LOOK
