"""The RoleBindings. Created only after quota, limits and network policies are in place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from environments.kube import differing, manifests
from environments.kube.client import Manifest
from environments.kube.manifests import Binding
from environments.lib.identity import Naming
from environments.lib.phases import CLUSTER_ROLES, Role
from environments.reconcile.facts import Facts, MemberFacts
from environments.reconcile.steps import group_members
from environments.reconcile.steps.applying import apply, concluded, govern
from environments.reconcile.steps.base import (
    Context,
    GroupMemberState,
    GroupState,
    MemberState,
    Outcome,
    Step,
    ours,
    prune,
)

YOUNG = timedelta(minutes=10)  # longer than any run


def ensure(context: Context) -> Outcome:
    """Bind each role to its group (and to members by name if the cluster says so); delete our other RoleBindings."""
    desired = replace(context.desired, bindings=_wanted(context))
    accounts = {name for binding in desired.bindings for name in binding.accounts}
    existing = _ensure_accounts(context, accounts)
    wanted = manifests.role_bindings(desired)
    found = ours(context, "RoleBinding")
    before = {live["metadata"]["name"]: live for live in found}
    unseen = {member.pk for member in context.wanted_members() if not _is_subject(context, member, before)}
    governed = govern(context, wanted, before)
    names = {manifest["metadata"]["name"] for manifest in wanted}
    prune(context, "RoleBinding", names, spare=lambda live: manifests.is_extra(live, desired.label_domain), found=found)
    spared = _prune_accounts(context, accounts, existing)
    facts = {
        member.pk: MemberFacts(
            bound=bool(member.in_group), allowed=False if member.allowed and member.pk in unseen else None
        )
        for member in context.wanted_members()
    }
    result = replace(governed, members=facts, group_members=group_members.bound(context))
    roles = ", ".join(binding.role.value for binding in desired.bindings) or "none yet"
    look_again = YOUNG.total_seconds() if spared else None
    return concluded(f"Roles bound to their groups: {roles}", result, look_again=look_again)


def _is_subject(context: Context, member: MemberState, live: dict[str, Manifest]) -> bool:
    """Whether the role bindings name a member and their group already. If not, what is known of their access is old."""
    role, naming = CLUSTER_ROLES[member.role], context.naming
    binding = live.get(role) or {}
    if (binding.get("roleRef") or {}).get("name") != role:
        return False
    wanted = {("Group", group_name(group, naming)) for group in context.groups if group.role == member.role}
    wanted |= {("User", naming.user(member.facts))} if naming.bind_members else set()
    there = {(subject.get("kind"), subject.get("name")) for subject in binding.get("subjects") or []}
    return {subject for subject in wanted if subject[1]} <= there


def is_leaving(context: Context) -> bool:
    """Whether a RoleBinding may still name a person or a group that left or got another role."""
    members = [member for member in context.members if member.directory_id]
    if any(group.bound is False or not group.wanted for group in context.group_members):
        return True
    return any(not member.in_group if member.wanted else member.in_group is not False for member in members)


def withdraw(context: Context) -> Outcome:
    """Take those who leave, or get another role, out of the RoleBindings, and delete their accounts. Adds no one.

    The directory is not needed for it, so no one keeps access by name because it does not answer.
    """
    wanted = {CLUSTER_ROLES[each.role]: each for each in _wanted(context)}
    notes: list[str] = []
    for live in _of_members(context):
        name = live["metadata"]["name"]
        if name in wanted:
            _reduce(context, live, wanted[name], notes)
        else:
            context.cluster.delete("RoleBinding", name, context.desired.namespace, uid=live["metadata"]["uid"])
    _prune_accounts(context, {account for each in wanted.values() for account in each.accounts})
    facts = {member.pk: MemberFacts(bound=False) for member in context.members if not member.wanted}
    said = "The portal took leaving members out of the role bindings"
    gone = group_members.left(context)
    return Outcome(said, facts=Facts(members=facts, group_members=gone, notes=tuple(notes)))


def _of_members(context: Context) -> list[Manifest]:
    found = ours(context, "RoleBinding")
    return [live for live in found if not manifests.is_extra(live, context.desired.label_domain)]


def _reduce(context: Context, live: Manifest, wanted: Binding, notes: list[str]) -> None:
    """Apply a RoleBinding with those of the wanted subjects that it has."""
    subjects = [(subject["kind"], subject["name"]) for subject in live.get("subjects") or []]
    users = tuple(user for user in wanted.users if ("User", user) in subjects)
    accounts = tuple(account for account in wanted.accounts if ("ServiceAccount", account) in subjects)
    groups = tuple(group for group in wanted.groups if ("Group", group) in subjects)
    if len(subjects) > len(users) + len(accounts) + len(groups) + bool(wanted.group):
        reduced = replace(wanted, users=users, accounts=accounts, groups=groups)
        apply(context, manifests.role_binding(context.desired, reduced), notes)


def _ensure_accounts(context: Context, wanted: set[str]) -> list[Manifest]:
    """Apply the members' accounts that are not as wanted; all that there were."""
    found = ours(context, "ServiceAccount", context.desired.account_namespace)
    there = {live["metadata"]["name"]: live for live in found}
    for name in sorted(wanted):
        manifest, live = manifests.service_account(context.desired, name), there.get(name)
        if live is None or not differing.is_as_applied(manifest, live, context.desired.label_domain):
            context.cluster.apply(manifest)
    return found


def _prune_accounts(context: Context, keep: set[str], found: list[Manifest] | None = None) -> list[str]:
    """Delete the accounts of people who no longer need one; the names of those that may be too young to be known."""
    leaving = {member.account for member in context.members if not member.wanted}
    spared: list[str] = []

    def spare(live: Manifest) -> bool:
        name = live["metadata"]["name"]
        if name in leaving or not _is_new(live):
            return False
        spared.append(name)
        return True

    home = context.desired.account_namespace
    prune(context, "ServiceAccount", keep, namespace=home, spare=spare, found=found)
    return spared


def remove(context: Context) -> Outcome:
    """Delete our RoleBindings, so that access ends before the namespace does."""
    prune(context, "RoleBinding", set())
    prune(context, "ServiceAccount", set(), namespace=context.desired.account_namespace)
    return Outcome("The portal removed all access.")


def bindings(
    groups: tuple[GroupState, ...],
    members: tuple[MemberState, ...],
    naming: Naming,
    others: tuple[GroupMemberState, ...] = (),
) -> tuple[Binding, ...]:
    """Who is bound to which role. People are named only once the directory has them in the group.

    A person whose name on the cluster is not known yet has access through the group alone. `others`: groups that are
    members; they are named once the directory was seen to have them.
    """
    made = (_binding(role, groups, members, naming, others) for role in Role)
    return tuple(each for each in made if each.group or each.users or each.accounts or each.groups)


def _binding(
    role: Role,
    groups: tuple[GroupState, ...],
    members: tuple[MemberState, ...],
    naming: Naming,
    others: tuple[GroupMemberState, ...],
) -> Binding:
    own = next((group for group in groups if group.role == role), None)
    inside = [member for member in members if own and member.wanted and member.in_group and member.role == role]
    named = [naming.user(member.facts) for member in inside] if naming.bind_members else []
    return Binding(
        role,
        group_name(own, naming) if own and inside else "",
        tuple(filter(None, named)),
        tuple(member.account for member in inside if member.account),
        group_members.names((each for each in others if each.role == role), naming),
    )


def _wanted(context: Context) -> tuple[Binding, ...]:
    return bindings(context.groups, context.members, context.naming, context.group_members)


def group_name(group: GroupState, naming: Naming) -> str:
    """The name by which a role binding names the group; empty if it does not, or if the group's ID is not known yet."""
    return naming.group(group.key.name, group.directory_id) if naming.bind_groups else ""


def _is_new(account: Manifest) -> bool:
    """Whether a ServiceAccount may be younger than this run's view of the members: its first token is in use."""
    created = datetime.fromisoformat(account["metadata"]["creationTimestamp"])
    return datetime.now(UTC) - created < YOUNG


STEP = Step(
    "RoleBinding",
    "Role binding",
    "Access removed",
    ensure,
    remove,
    needs=("Quota", "Limits", "NetworkPolicy", "Group", "Members"),
    guarded=True,
)
