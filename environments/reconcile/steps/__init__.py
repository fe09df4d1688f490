"""The steps of an environment, in the order of its timeline. One file for each concern."""

from environments.reconcile.steps import access, binding, counting, group, members, namespace, objects, policies
from environments.reconcile.steps.base import Step

STEPS: tuple[Step, ...] = (
    namespace.STEP,
    policies.QUOTA,
    policies.LIMITS,
    policies.NETWORK,
    objects.STEP,
    group.STEP,
    members.STEP,
    binding.STEP,
    access.STEP,
    counting.STEP,
)

#: What is left to do when an environment is removed: the rest goes with its namespace.
REMOVALS: tuple[Step, ...] = (binding.STEP, group.STEP, namespace.STEP)

BY_TYPE = {step.type: step for step in STEPS}
