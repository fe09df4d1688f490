"""Verifies access: asks the cluster, for each member, what their role must allow and must not allow.

What a role must allow is asked with the member's name and the environment's group alone: another group's rights would
hide a role binding that does not work. If the role is on the cluster as it ships (`kube/shipped_roles.py`), one thing
that it gives stands for all. What no member may is asked with the other groups that they are known to be in, too. RBAC
only adds up, so these are asked about by themselves, once for each distinct set of groups.

People with the same role and groups are asked about once, and by name where a role binding names them. After a change,
the people whom it concerns are asked about; a run in which nobody is new asks about everyone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from environments.kube.client import Question
from environments.kube.shipped_roles import is_as_shipped
from environments.lib.phases import CLUSTER_ROLES, Role
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
#: Seconds for which what is true of the whole cluster is known of a namespace that was made a moment ago.
_RECENT = 60.0
_OPENED = "Another role on the cluster allows them to {}, so isolation is not guaranteed."
_ALLOWED = GroupMemberFacts(allowed=True)
_RETRY = 0.05  # seconds, then doubling: the cluster's authorizer needs a moment to see a new binding
#: Seconds until a member whose name on the cluster is not known is checked again.
LOOK_AGAIN = 600.0


def ensure(context: Context) -> Outcome:
    """Verify every member who is in a group. Done when the cluster confirms all of them.

    Members who could only be bound by a name that is not known yet hold up no one else, except the owner.
    """
    members = [member for member in context.wanted_members() if member.in_group]
    new = [member for member in members if not member.allowed and _is_bound(context, member)]
    verdicts = _Verdicts(context)
    facts = {member.pk: verdicts.of(member) for member in new or members}
    facts |= {member.pk: verdicts.of(member) for member in members if not _is_bound(context, member)}
    refused = [member for member in members if member.pk in facts and not facts[member.pk].allowed]
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


_May = Callable[[Question], bool]


@dataclass(frozen=True)
class _Verdicts:
    """What the cluster says of members, asked once for all who are bound in the same way."""

    context: Context
    _known: dict[tuple[str, ...], MemberFacts] = field(default_factory=dict)
    _of_groups: dict[tuple[str, ...], Question | None] = field(default_factory=dict)
    _of_roles: dict[Role, tuple[Question, ...]] = field(default_factory=dict)

    def of(self, member: MemberState) -> MemberFacts:
        """What is to be recorded of a member."""
        context = self.context
        if not _is_bound(context, member):
            return MemberFacts(allowed=False, message=_unnamed(context))
        user = context.naming.user(member.facts) if context.naming.bind_members else ""
        groups, others = _groups(context, member), _others(context, member)
        key = (member.role, user, *groups)
        if key not in self._known:
            self._known[key] = self._about(member.role, user, groups)
        found = self._known[key]
        opened = self._opened_by(others) if found.allowed and others and not found.message else None
        text = _OPENED.format(opened) if opened else found.message or self._remark(user)
        return MemberFacts(allowed=found.allowed, message=text)

    def _about(self, role: Role, user: str, groups: tuple[str, ...]) -> MemberFacts:
        may = partial(_may, self.context, user, groups)
        # First what they may not: the cluster's authorizer needs a moment to see a new binding.
        opened = self._opened(may, ("user", user), least=FENCES[:1])
        for question in self._promises(role):
            if not may(question):
                return MemberFacts(allowed=False, message=f"The cluster does not allow them to {question} yet.")
        return MemberFacts(allowed=True, message=_OPENED.format(opened) if opened else "")

    def _promises(self, role: Role) -> tuple[Question, ...]:
        """What to ask of a role: all that it promises, or only what it alone gives, if it is as it ships."""
        if role not in self._of_roles:
            seconds = _RECENT if self.context.is_new else 0.0
            is_whole = is_as_shipped(self.context.cluster, CLUSTER_ROLES[role], seconds=seconds)
            self._of_roles[role] = PROMISES[role][-1:] if is_whole else PROMISES[role]
        return self._of_roles[role]

    def _opened_by(self, groups: tuple[str, ...]) -> Question | None:
        """The first thing that no member may and that these groups may."""
        if groups not in self._of_groups:
            self._of_groups[groups] = self._opened(partial(_may, self.context, "", groups), ("groups", *groups))
        return self._of_groups[groups]

    def _opened(self, may: _May, whom: tuple[str, ...], least: tuple[Question, ...] = ()) -> Question | None:
        """The first of the fences that is open.

        In a namespace that was made a moment ago, only roles that are bound all over the cluster can open one. So where
        the same people were refused everywhere a moment ago, too, only `least` is asked.
        """
        memory, key = self.context.cluster.memory, ("fenced", whom)
        is_known = self.context.is_new and memory.recall(key, _RECENT)
        found = next(filter(may, least if is_known else FENCES), None)
        if found is None and not is_known:
            memory.keep(key, True)
        return found

    def _remark(self, user: str) -> str:
        if not self.context.naming.bind_members:
            return "Takes effect at their next sign-in, which adds the new group."
        return "" if user else _unnamed(self.context)


def _of_groups(context: Context) -> dict[int, GroupMemberFacts]:
    """The verdict on each group that a role binding names."""
    named = [each for each in context.group_members if group_members.names([each], context.naming)]
    return {each.pk: group_members.verdict(context, each, PROMISES[each.role], FENCES) for each in named}


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


def _may(context: Context, user: str, groups: tuple[str, ...], question: Question) -> bool:
    placed = Question(question.verb, question.resource, question.group, context.desired.namespace)
    return context.cluster.may(placed, user, [*groups, "system:authenticated"]).allowed


STEP = Step("Access", "Roles verified", "", ensure, needs=("RoleBinding",))
