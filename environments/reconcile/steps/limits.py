"""The LimitRange: container defaults, so that pods without resources start under the quota."""

from environments.kube import manifests
from environments.reconcile.steps.base import Context, Outcome, Step, prune


def ensure(context: Context) -> Outcome:
    """Apply the defaults; remove ours where the template has none."""
    wanted = manifests.limit_range(context.desired)
    if wanted is None:
        prune(context, "LimitRange", set())
        return Outcome("This template sets no container defaults")
    context.cluster.apply(wanted)
    return Outcome("Containers without requests or limits get the template's defaults")


STEP = Step("Limits", "Default limits", "", ensure, needs=("Namespace",))
