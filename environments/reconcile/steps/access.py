"""Verifies access: asks the cluster, for each member, what their role must allow and must not allow."""

from environments.kube.client import Answer, Question
from environments.lib.phases import Role
from environments.reconcile.facts import Facts, MemberFacts
from environments.reconcile.steps.base import Context, MemberState, Outcome, Step

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
_RETRY = 0.05  # seconds, then doubling: the cluster's authorizer needs a moment to see a new binding


def ensure(context: Context) -> Outcome:
    """Verify every member who is in a group. Done when the cluster confirms all of them."""
    members = [member for member in context.wanted_members() if member.in_group]
    facts = {member.pk: _verdict(context, member) for member in members}
    refused = [member.email for member in members if not facts[member.pk].allowed]
    found = Facts(members=facts)
    if refused:
        message = f"Waiting for the cluster to confirm the access of {', '.join(refused)}."
        return Outcome(message, "NotYet", found, wait=_RETRY)
    return Outcome(f"The cluster confirmed access for {len(members)} of {len(members)}", facts=found)


def _verdict(context: Context, member: MemberState) -> MemberFacts:
    for question in PROMISES[member.role]:
        if not _ask(context, member, question).allowed:
            return MemberFacts(allowed=False, message=f"The cluster does not allow them to {question} yet.")
    for question in FENCES:
        if _ask(context, member, question).allowed:
            text = f"Another role on the cluster allows them to {question}, so isolation is not guaranteed."
            return MemberFacts(allowed=True, message=text)
    later = "" if context.naming.bind_members else "Takes effect at their next sign-in, which adds the new group."
    return MemberFacts(allowed=True, message=later)


def _ask(context: Context, member: MemberState, question: Question) -> Answer:
    groups = [context.naming.group(group.key.name) for group in context.groups if group.role == member.role]
    placed = Question(question.verb, question.resource, question.group, context.desired.namespace)
    return context.cluster.may(placed, context.naming.user(member), [*groups, "system:authenticated"])


STEP = Step("Access", "Access verified", "", ensure, needs=("RoleBinding",))
