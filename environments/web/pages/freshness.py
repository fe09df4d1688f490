"""How old an environment's figures are, where that is worth a sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from environments.lib.phases import Phase
from environments.models import Cluster, Environment

_LATE = timedelta(minutes=30)  # figures come every few minutes
_SAME_LOOK = timedelta(seconds=10)  # between the two times that one look at a cluster writes


@dataclass(frozen=True)
class Stale:
    """Figures that are not as new as they should be, and why. `at` is None where there never were any."""

    at: datetime | None
    title: str
    text: str


def stale(environment: Environment) -> Stale | None:
    """What to say of an environment's figures; None where they are as new as can be, or do not change any more."""
    if environment.phase not in (Phase.READY, Phase.DEGRADED):
        return None
    if is_silent(environment.cluster):
        text = f"{environment.cluster} was last asked in vain. {environment.cluster.check_error}"
        return Stale(environment.usage_at, "cluster not answering", text)
    if environment.usage_at and timezone.now() - environment.usage_at > _LATE:
        return Stale(environment.usage_at, "nothing newer", "Figures usually come every few minutes.")
    return None


def is_silent(cluster: Cluster) -> bool:
    """Whether the last look at a cluster got no complete answer. A part that it refuses is another matter."""
    if not cluster.check_error or cluster.checked_at is None:
        return False
    return cluster.observed_at is None or cluster.checked_at - cluster.observed_at > _SAME_LOOK
