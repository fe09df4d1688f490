"""The RoleBindings: only once the fences stand does anybody get in."""

from dataclasses import replace

from environments import manifests
from environments.facts import Facts, MemberFacts
from environments.manifests import Binding
from environments.steps.base import Context, GroupState, MemberState, Naming, Outcome, Step, prune


def ensure(context: Context) -> Outcome:
    """Bind each role to its group (and to its members by name, where the cluster is set so); drop the rest of ours."""
    desired = replace(context.desired, bindings=bindings(context.groups, context.members, context.naming))
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


def bindings(groups: tuple[GroupState, ...], members: tuple[MemberState, ...], naming: Naming) -> tuple[Binding, ...]:
    """Who is bound to what: people by name only once the directory has them in the group."""
    result = []
    for group in groups:
        inside = [member for member in members if member.wanted and member.in_group and member.role == group.role]
        if inside:
            users = tuple(naming.user(member) for member in inside) if naming.bind_members else ()
            result.append(Binding(group.role, naming.group(group.key.name), users))
    return tuple(result)


STEP = Step(
    "RoleBinding",
    "Role binding",
    "Access removed",
    ensure,
    remove,
    needs=("Quota", "Limits", "NetworkPolicy", "Group", "Members"),
)
