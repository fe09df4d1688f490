"""Verifies access: asks the cluster, for each member, what their role must allow and must not allow.

What a role must allow is asked with the member's name and the environment's group alone: another group's rights would
hide a role binding that does not work. What no member may is asked with the other groups that they are known to be in,
too. RBAC only adds up, so these are asked about by themselves, once for each distinct set of groups.
"""

from collections.abc import Iterable
from functools import partial

from environments.kube.client import Question
from environments.lib.phases import Role
from environments.reconcile.facts import Facts, GroupMemberFacts, MemberFacts
from environments.reconcile.steps import group_members
from environments.reconcile.steps.base import Context, MemberState, Outcome, Step
from environments.reconcile.steps.binding import group_name

_WRITE = (Question("create", "deployments", "apps"), Question("create", "pods"))
PROMISES = {
    Role.ADMIN: (*_WRITE, Question("create", "secrets")),
    Role.DEVELOPER: _WRITE,
    Role.VIEWER: (Question("get", "pods"),),
}
FENCES = (
    Question("patch", "networkpolicies", "networking.k8s.io"),
    Question("patch", "resourcequotas"),
    Question("create", "rolebindings", "rbac.authorization.k8s.io"),
)
_ALLOWED = GroupMemberFacts(allowed=True)
_RETRY = 0.05  # seconds, then doubling: the cluster's authorizer needs a moment to see a new binding
#: Seconds until a member whose name on the cluster is not known is checked again.
LOOK_AGAIN = 600.0


def ensure(context: Context) -> Outcome:
    """Verify every member who is in a group. Done when the cluster confirms all of them.

    Members who could only be bound by a name that is not known yet hold up no one else, except the owner.
    """
    members = [member for member in context.wanted_members() if member.in_group]
    others = {member.pk: _others(context, member) for member in members}
    opened = _opened(context, set(others.values()))
    facts = {member.pk: _verdict(context, member, opened[others[member.pk]]) for member in members}
    refused = [member for member in members if not facts[member.pk].allowed]
    waiting = [each.email for each in refused if _is_bound(context, each) or context.is_owner(each)]
    named = _of_groups(context)
    waiting += [state.name for state in context.group_members if named.get(state.pk, _ALLOWED).allowed is False]
    found = Facts(members=facts, group_members=named)
    if waiting:
        message = f"Waiting for the cluster to confirm the access of {', '.join(waiting)}."
        return Outcome(message, "NotYet", found, wait=_RETRY)
    message = f"The cluster confirmed access for {len(members) - len(refused)} of {len(members)}"
    reason, look_again = ("SomeUnnamed", LOOK_AGAIN) if refused else ("Done", None)
    return Outcome(message, reason, found, look_again=look_again)


def _of_groups(context: Context) -> dict[int, GroupMemberFacts]:
    """The verdict on each group that a role binding names."""
    named = [each for each in context.group_members if group_members.names([each], context.naming)]
    return {each.pk: group_members.verdict(context, each, PROMISES[each.role], FENCES) for each in named}


def _verdict(context: Context, member: MemberState, opened: Question | None) -> MemberFacts:
    if not _is_bound(context, member):
        return MemberFacts(allowed=False, message=_unnamed(context))
    may = partial(_may, context, context.naming.user(member.facts), _groups(context, member))
    for question in PROMISES[member.role]:
        if not may(question):
            return MemberFacts(allowed=False, message=f"The cluster does not allow them to {question} yet.")
    opened = next(filter(may, FENCES), opened)
    if opened:
        text = f"Another role on the cluster allows them to {opened}, so isolation is not guaranteed."
        return MemberFacts(allowed=True, message=text)
    if not context.naming.bind_members:
        return MemberFacts(allowed=True, message="Takes effect at their next sign-in, which adds the new group.")
    return MemberFacts(allowed=True, message="" if context.naming.user(member.facts) else _unnamed(context))


def _is_bound(context: Context, member: MemberState) -> bool:
    """Whether a role binding can name the person or their group."""
    named = context.naming.bind_members and context.naming.user(member.facts)
    return bool(named or _groups(context, member))


def _unnamed(context: Context) -> str:
    claim = context.naming.username_claim
    return f"Their user name on the cluster (claim {claim}) is not known. It may be once they sign in to the portal."


def _groups(context: Context, member: MemberState) -> tuple[str, ...]:
    """The names of the environment's groups that a member is in."""
    names = (group_name(group, context.naming) for group in context.groups if group.role == member.role)
    return tuple(filter(None, names))


def _others(context: Context, member: MemberState) -> tuple[str, ...]:
    """The names of all other groups that a member is known to be in."""
    own = _groups(context, member)
    return tuple(name for name in context.naming.groups(member.facts) if name not in own)


def _opened(context: Context, sets: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Question | None]:
    """For each set of groups, the first thing that no member may and that these groups may; None if there is none."""
    return {names: next((each for each in FENCES if names and _may(context, "", names, each)), None) for names in sets}


def _may(context: Context, user: str, groups: tuple[str, ...], question: Question) -> bool:
    placed = Question(question.verb, question.resource, question.group, context.desired.namespace)
    return context.cluster.may(placed, user, [*groups, "system:authenticated"]).allowed


STEP = Step("Access", "Roles verified", "", ensure, needs=("RoleBinding",))
