"""The rows that a request becomes, not stored yet: the verb stores them, the preview shows what they lead to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Lower
from django.utils import timezone

from environments.actions.drafts import Plan
from environments.lib import naming
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Group, Member, User


@dataclass(frozen=True)
class Rows:
    """An environment, who has access to it, and the groups that give it."""

    environment: Environment
    members: list[Member]
    groups: list[Group]


def build(plan: Plan, suffix: str) -> Rows:
    """The rows of a plan; `suffix` ends the namespace's name."""
    parts = naming.parts(
        owner_email=plan.user.email,
        name=plan.name or "name",
        team=str(plan.draft.team or ""),
        template=plan.template.slug,
        size=plan.draft.size,
    )
    environment = _environment(plan, naming.namespace(parts, suffix, plan.spec.naming.namespace))
    return Rows(environment, _members(plan, environment), _groups(plan, environment, parts))


def _environment(plan: Plan, namespace: str) -> Environment:
    """Without its directory and what is reserved: only what is stored needs those."""
    draft, now = plan.draft, timezone.now()
    environment = Environment(
        request_key=draft.key,
        name=plan.name,
        purpose=plan.purpose,
        namespace=namespace,
        owner=plan.user,
        team=draft.team,
        version=plan.version,
        spec=plan.version.spec,
        size=draft.size,
        parameters=plan.parameters,
        cluster=plan.cluster or Cluster(),
        created_at=now,
    )
    if plan.spec.needs_approval(draft.size):
        _have_it_wait(environment, now)
    elif plan.spec.lifetime_days:
        environment.ends_at = now + timedelta(days=plan.spec.lifetime_days)
    return environment


def _have_it_wait(environment: Environment, now: datetime) -> None:
    """Nothing is owed before the approval, also for a worker that knows no approvals."""
    environment.phase = Phase.AWAITING_APPROVAL
    environment.observed_generation = 1
    environment.requested_at = environment.deciders_told_at = now


def _members(plan: Plan, environment: Environment) -> list[Member]:
    return [
        Member(environment=environment, email=email, role=role, added_by=plan.user, person=_known(plan, email))
        for email, role in plan.roles.items()
    ]


def _known(plan: Plan, email: str) -> User | None:
    """The requester for their own address. `link_holders` asks for the others when the rows are stored."""
    return plan.user if email == plan.user.email else None


def link_holders(members: list[Member]) -> None:
    """Link members to the accounts that are known to hold their addresses. One query."""
    waiting = [member for member in members if member.person_id is None]
    if not waiting:
        return
    rows = User.objects.filter(email_trusted=True, is_active=True).alias(address=Lower("email"))
    holders = {user.email.lower(): user for user in rows.filter(address__in=[member.email for member in waiting])}
    for member in waiting:
        member.person = holders.get(member.email)


def _groups(plan: Plan, environment: Environment, parts: dict[str, str]) -> list[Group]:
    pattern = plan.spec.naming.group
    return [
        Group(environment=environment, role=role, name=naming.group(parts, environment.namespace, role, pattern))
        for role in sorted(set(plan.roles.values()))
    ]
