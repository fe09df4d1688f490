"""The words for where an environment stands, and for each step on its way.

Kubernetes' terms where it has them: a phase is one word for the whole, a condition is one line of the why.
"""

from django.db.models import TextChoices


class Phase(TextChoices):
    """Where an environment stands. Before it is approved it is a request: nothing of it is made anywhere."""

    AWAITING_APPROVAL = "Waiting for approval", "Waiting for approval"
    PROVISIONING = "Provisioning"
    READY = "Ready"
    DEGRADED = "Degraded"  # was Ready; something is being repaired
    FAILED = "Failed"  # a person has to act; looked at again now and then, or at once by "Try again"
    DELETING = "Deleting"
    DELETED = "Deleted"
    REJECTED = "Rejected"  # never made: somebody decided against it
    WITHDRAWN = "Withdrawn"  # never made: whoever asked no longer wants it


#: Every legal move. A reconcile may confirm the phase that it finds, so most phases include themselves. It checks a
#: deleted environment once more, because a late call may have created something again.
MOVES = {
    Phase.AWAITING_APPROVAL: frozenset({Phase.PROVISIONING, Phase.REJECTED, Phase.WITHDRAWN}),
    Phase.PROVISIONING: frozenset({Phase.PROVISIONING, Phase.READY, Phase.FAILED, Phase.DELETING}),
    Phase.READY: frozenset({Phase.READY, Phase.DEGRADED, Phase.FAILED, Phase.DELETING}),
    Phase.DEGRADED: frozenset({Phase.READY, Phase.DEGRADED, Phase.FAILED, Phase.DELETING}),
    Phase.FAILED: frozenset(
        {Phase.PROVISIONING, Phase.READY, Phase.DEGRADED, Phase.FAILED, Phase.DELETING, Phase.DELETED}
    ),
    Phase.DELETING: frozenset({Phase.FAILED, Phase.DELETING, Phase.DELETED}),
    Phase.DELETED: frozenset({Phase.FAILED, Phase.DELETING, Phase.DELETED}),
    Phase.REJECTED: frozenset[Phase](),
    Phase.WITHDRAWN: frozenset[Phase](),
}

#: What was asked for and is not, or never was, an environment. Reports count none of these.
NEVER_GRANTED = frozenset({Phase.AWAITING_APPROVAL, Phase.REJECTED, Phase.WITHDRAWN})

#: It has ended, and stays as a record.
OVER = frozenset({Phase.DELETED, Phase.REJECTED, Phase.WITHDRAWN})

#: Nothing is under way.
SETTLED = frozenset({Phase.READY, Phase.FAILED, Phase.AWAITING_APPROVAL}) | OVER

#: Counts against limits and appears in lists by default: what waits for approval, too.
LIVE = frozenset(Phase) - OVER


class Status(TextChoices):
    """A condition's status: Kubernetes' True, False and Unknown, in words for the timeline."""

    DONE = "Done"
    WAITING = "Waiting"  # will be tried again by itself
    FAILED = "Failed"  # will not
    PENDING = "Pending"  # its turn has not come


class Role(TextChoices):
    """What a member may do in the namespace; each is a ClusterRole `environment-<role>`."""

    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


#: The shipped ClusterRole behind each role (deploy/rbac/roles.yaml).
CLUSTER_ROLES = {role: f"environment-{role.value}" for role in Role}


class AdmissionState(TextChoices):
    """What a cluster has of the admission policies, compared with what this portal would install."""

    INSTALLED = "installed", "installed"
    MISSING = "missing", "missing"
    OLDER = "older", "older than this portal's"
    UNKNOWN = "unknown", "cannot tell"


TONES = {
    Phase.AWAITING_APPROVAL: "wait",
    Phase.PROVISIONING: "wait",
    Phase.READY: "ok",
    Phase.DEGRADED: "warn",
    Phase.FAILED: "bad",
    Phase.DELETING: "wait",
    Phase.DELETED: "",
    Phase.REJECTED: "bad",
    Phase.WITHDRAWN: "",
    Status.DONE: "ok",
    Status.WAITING: "wait",
    Status.FAILED: "bad",
    Status.PENDING: "",
}
