"""The ResourceQuota, changed in place."""

from environments.kube import manifests
from environments.reconcile.steps.base import Context, Outcome, Step


def ensure(context: Context) -> Outcome:
    """Apply the quota."""
    wanted = manifests.resource_quota(context.desired)
    context.cluster.apply(wanted)
    return Outcome(f"{len(wanted['spec']['hard'])} resources limited")


STEP = Step("Quota", "Quota", "", ensure, needs=("Namespace",))
