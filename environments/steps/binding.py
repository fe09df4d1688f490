"""The RoleBindings: only once the fences stand does anybody get in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from environments import manifests
from environments.cluster import Manifest
from environments.facts import Facts, MemberFacts
from environments.manifests import Binding
from environments.steps.base import Context, GroupState, MemberState, Naming, Outcome, Step, prune

_YOUNG = timedelta(minutes=10)  # longer than any run


def ensure(context: Context) -> Outcome:
    """Bind each role to its group (and to its members by name, where the cluster is set so); drop the rest of ours."""
    desired = replace(context.desired, bindings=bindings(context.groups, context.members, context.naming))
    accounts = {name for binding in desired.bindings for name in binding.accounts}
    for name in sorted(accounts):
        context.cluster.apply(manifests.service_account(desired, name))
    wanted = manifests.role_bindings(desired)
    for manifest in wanted:
        context.cluster.apply(manifest)
    names = {manifest["metadata"]["name"] for manifest in wanted}
    prune(context, "RoleBinding", names, spare=lambda live: manifests.is_extra(live, desired.label_domain))
    prune(context, "ServiceAccount", accounts, namespace=desired.account_namespace, spare=_is_new)
    facts = {member.pk: MemberFacts(bound=bool(member.in_group)) for member in context.wanted_members()}
    roles = " and ".join(binding.role.value for binding in desired.bindings)
    return Outcome(f"{roles} bound to the group", facts=Facts(members=facts))


def remove(context: Context) -> Outcome:
    """Delete our RoleBindings, so that access ends before the namespace does."""
    prune(context, "RoleBinding", set())
    prune(context, "ServiceAccount", set(), namespace=context.desired.account_namespace)
    return Outcome("Nobody has access any more.")


def bindings(groups: tuple[GroupState, ...], members: tuple[MemberState, ...], naming: Naming) -> tuple[Binding, ...]:
    """Who is bound to what: people by name only once the directory has them in the group."""
    result = []
    for group in groups:
        inside = [member for member in members if member.wanted and member.in_group and member.role == group.role]
        if inside:
            users = tuple(naming.user(member) for member in inside) if naming.bind_members else ()
            accounts = tuple(member.account for member in inside if member.account)
            result.append(Binding(group.role, naming.group(group.key.name), users, accounts))
    return tuple(result)


def _is_new(account: Manifest) -> bool:
    """Whether a ServiceAccount may be younger than this run's view of the members: its first token is in use."""
    created = datetime.fromisoformat(account["metadata"]["creationTimestamp"])
    return datetime.now(UTC) - created < _YOUNG


STEP = Step(
    "RoleBinding",
    "Role binding",
    "Access removed",
    ensure,
    remove,
    needs=("Quota", "Limits", "NetworkPolicy", "Group", "Members"),
)
