"""What governs a namespace, as the template says: its quota, its default limits, its network policies."""

from environments.kube import manifests
from environments.kube.client import Manifest
from environments.reconcile.steps.applying import concluded, govern
from environments.reconcile.steps.base import Context, Outcome, Step, prune


def ensure_quota(context: Context) -> Outcome:
    """Apply the quota; it is changed in place."""
    wanted = manifests.resource_quota(context.desired)
    return concluded(f"{len(wanted['spec']['hard'])} resources limited", govern(context, [wanted]))


def ensure_limits(context: Context) -> Outcome:
    """Apply the containers' defaults, so that pods without resources start; remove ours where there are none."""
    wanted = manifests.limit_range(context.desired)
    if wanted is None:
        prune(context, "LimitRange", set())
        return Outcome("This template sets no container defaults")
    message = "Containers without requests or limits get the template's defaults"
    return concluded(message, govern(context, [wanted]))


def ensure_network(context: Context) -> Outcome:
    """Apply the wanted policies, then remove those of ours that are wanted no longer."""
    wanted = manifests.network_policies(context.desired)
    facts = govern(context, wanted)
    prune(context, "NetworkPolicy", {policy["metadata"]["name"] for policy in wanted})
    return concluded(_allowed(wanted), facts)


def _allowed(wanted: list[Manifest]) -> str:
    allowed = [policy["metadata"]["name"].removeprefix("allow-") for policy in wanted[1:]]
    exceptions = ", ".join(allowed).replace("-", " ").replace("dns", "DNS")
    return f"All traffic is blocked, except: {exceptions}" if exceptions else "All traffic is blocked"


QUOTA = Step("Quota", "Quota", "", ensure_quota, needs=("Namespace",))
LIMITS = Step("Limits", "Default limits", "", ensure_limits, needs=("Namespace",))
NETWORK = Step("NetworkPolicy", "Network isolation", "", ensure_network, needs=("Namespace",))
