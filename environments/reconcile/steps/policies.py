"""What governs a namespace, as the template says: its quota, its default limits, its network policies."""

from dataclasses import replace

from environments.kube import manifests
from environments.kube.client import Manifest
from environments.reconcile.facts import Facts
from environments.reconcile.steps.applying import concluded, govern
from environments.reconcile.steps.base import Context, Outcome, Step, everyones, prune

#: The step is done, and policies that the portal did not make open what it closed.
OPENED = "OpenedByOthers"


def ensure_quota(context: Context) -> Outcome:
    """Apply the quotas; they are changed in place.

    That of critical pods stays where it is wanted no longer: the portal's account may delete no quota alone.
    """
    wanted = manifests.quotas(context.desired)
    facts, _ = _govern(context, "ResourceQuota", wanted)
    return concluded(f"{len(wanted[0]['spec']['hard'])} resources limited", facts)


def ensure_limits(context: Context) -> Outcome:
    """Apply the containers' defaults, so that pods without resources start; remove ours where there are none."""
    wanted = manifests.limit_range(context.desired)
    if wanted is None:
        prune(context, "LimitRange", set())
        return Outcome("This template sets no container defaults")
    facts, _ = _govern(context, "LimitRange", [wanted])
    return concluded("Containers without requests or limits get the template's defaults", facts)


def ensure_network(context: Context) -> Outcome:
    """Apply the wanted policies, then remove those of ours that are wanted no longer; name those of others."""
    wanted = manifests.network_policies(context.desired)
    facts, there = _govern(context, "NetworkPolicy", wanted)
    others = _others(context, {policy["metadata"]["name"] for policy in wanted}, there)
    outcome = concluded(_allowed(wanted), facts)
    if outcome.failed or not others:
        return outcome
    return replace(outcome, message=_opened(others), reason=OPENED)


def _govern(context: Context, kind: str, wanted: list[Manifest]) -> tuple[Facts, dict[str, Manifest]]:
    """Apply what is not as wanted; with all that there is of the kind, by name."""
    there = everyones(context, kind)
    facts = govern(context, wanted, there)
    return replace(facts, seen={kind: list(there.values())}), there


def _others(context: Context, keep: set[str], there: dict[str, Manifest]) -> list[str]:
    """Delete our other policies; the names of policies that are not ours and let traffic through."""
    namespace, domain, names = context.desired.namespace, context.desired.label_domain, []
    for name, live in there.items():
        spec = live.get("spec") or {}
        if name in keep:
            continue
        if manifests.is_ours(live, domain, context.desired.environment_id):
            context.cluster.delete("NetworkPolicy", name, namespace, uid=live["metadata"]["uid"])
        elif spec.get("ingress") or spec.get("egress"):  # without rules a policy only blocks
            names.append(name)
    return sorted(names)


def _opened(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    policies = "NetworkPolicy" if len(names) == 1 else "NetworkPolicies"
    return (
        f"The portal's policies are in place, but others in this namespace allow more traffic: {policies} {shown}. "
        "Policies add up, so the namespace is not isolated as the template says."
    )


def _allowed(wanted: list[Manifest]) -> str:
    allowed = [policy["metadata"]["name"].removeprefix("allow-") for policy in wanted[1:]]
    exceptions = ", ".join(allowed).replace("-", " ").replace("dns", "DNS")
    return f"All traffic is blocked, except: {exceptions}" if exceptions else "All traffic is blocked"


QUOTA = Step("Quota", "Quota", "", ensure_quota, needs=("Namespace",))
LIMITS = Step("Limits", "Default limits", "", ensure_limits, needs=("Namespace",))
NETWORK = Step("NetworkPolicy", "Network isolation", "", ensure_network, needs=("Namespace",))
