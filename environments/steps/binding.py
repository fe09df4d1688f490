"""The RoleBindings: only once the fences stand does anybody get in."""

from dataclasses import replace

from environments import manifests
from environments.facts import Facts, MemberFacts
from environments.manifests import Binding
from environments.steps.base import Context, Outcome, Step, prune


def ensure(context: Context) -> Outcome:
    """Bind each role to its group (and to its members by name, where the cluster is set so); drop the rest of ours."""
    desired = replace(context.desired, bindings=bindings(context))
    wanted = manifests.role_bindings(desired)
    for manifest in wanted:
        context.cluster.apply(manifest)
    prune(context, "RoleBinding", {manifest["metadata"]["name"] for manifest in wanted})
    facts = {member.pk: MemberFacts(bound=bool(member.in_group)) for member in context.wanted_members()}
    roles = " and ".join(binding.role.value for binding in desired.bindings)
    return Outcome(f"{roles} bound to the group", facts=Facts(members=facts))


def remove(context: Context) -> Outcome:
    """Delete our RoleBindings, so that access ends before the namespace does."""
    prune(context, "RoleBinding", set())
    return Outcome("Nobody has access any more.")


def bindings(context: Context) -> tuple[Binding, ...]:
    """Who is bound to what: people by name only once the directory has them in the group."""
    result = []
    for group in context.groups:
        members = [member for member in context.wanted_members(group.role) if member.in_group]
        if members:
            users = tuple(context.naming.user(member) for member in members) if context.naming.bind_members else ()
            result.append(Binding(group.role, context.naming.group(group.key.name), users))
    return tuple(result)


STEP = Step(
    "RoleBinding",
    "Role binding",
    "Access removed",
    ensure,
    remove,
    needs=("Quota", "Limits", "NetworkPolicy", "Group", "Members"),
)
