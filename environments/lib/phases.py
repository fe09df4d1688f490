"""The phases of an environment, the statuses of its steps and the roles of its members.

The names follow Kubernetes: a phase sums up the whole environment, a condition describes one step.
"""

from django.db.models import TextChoices


class Phase(TextChoices):
    """The state of an environment as one word. Nothing is created before a request is approved."""

    AWAITING_APPROVAL = "Waiting for approval", "Waiting for approval"
    PROVISIONING = "Provisioning"
    READY = "Ready"
    DEGRADED = "Degraded"  # was Ready; something is being repaired
    FAILED = "Failed"  # a person has to act; retried every 15 minutes, or at once with "Try again now"
    DELETING = "Deleting"
    DELETED = "Deleted"
    REJECTED = "Rejected"  # never created: an approver rejected the request
    WITHDRAWN = "Withdrawn"  # never created: the requester withdrew the request


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

#: Requests that never became an environment. Excluded from reports.
NEVER_GRANTED = frozenset({Phase.AWAITING_APPROVAL, Phase.REJECTED, Phase.WITHDRAWN})

#: Ended environments and requests. Their record is kept.
OVER = frozenset({Phase.DELETED, Phase.REJECTED, Phase.WITHDRAWN})

#: No work is in progress.
SETTLED = frozenset({Phase.READY, Phase.FAILED, Phase.AWAITING_APPROVAL}) | OVER

#: Counts against limits and appears in lists by default, including requests that wait for approval.
LIVE = frozenset(Phase) - OVER


class Status(TextChoices):
    """A condition's status: Kubernetes' True, False and Unknown, in words for the timeline."""

    DONE = "Done"
    WAITING = "Waiting"  # retried automatically, within minutes
    FAILED = "Failed"  # a person has to act; retried every 15 minutes
    PENDING = "Pending"  # not started yet


class Role(TextChoices):
    """What a member may do in the namespace; each is a ClusterRole `environment-<role>`."""

    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


#: The shipped ClusterRole behind each role (deploy/rbac/roles.yaml).
CLUSTER_ROLES = {role: f"environment-{role.value}" for role in Role}


class AdmissionState(TextChoices):
    """Whether a cluster has the admission policies that this portal would install."""

    INSTALLED = "installed", "installed"
    MISSING = "missing", "missing"
    OLDER = "older", "different from this portal's"
    UNKNOWN = "unknown", "unknown"


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
