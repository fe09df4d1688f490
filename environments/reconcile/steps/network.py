"""Network isolation: the policies of the template, all of them and no other of ours."""

from environments.kube import manifests
from environments.reconcile.steps.base import Context, Outcome, Step, prune


def ensure(context: Context) -> Outcome:
    """Apply the wanted policies, then remove those of ours that are wanted no longer."""
    wanted = manifests.network_policies(context.desired)
    for policy in wanted:
        context.cluster.apply(policy)
    prune(context, "NetworkPolicy", {policy["metadata"]["name"] for policy in wanted})
    allowed = [policy["metadata"]["name"].removeprefix("allow-") for policy in wanted[1:]]
    exceptions = ", ".join(allowed).replace("-", " ").replace("dns", "DNS")
    return Outcome(f"All traffic is blocked, except: {exceptions}" if exceptions else "All traffic is blocked")


STEP = Step("NetworkPolicy", "Network isolation", "", ensure, needs=("Namespace",))
