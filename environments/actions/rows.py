"""The rows that a request becomes, not stored yet: the verb stores them, the preview shows what they lead to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from environments.actions.drafts import Plan
from environments.lib import naming
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Group, Member


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
        Member(environment=environment, email=email, role=role, added_by=plan.user)
        for email, role in plan.roles.items()
    ]


def _groups(plan: Plan, environment: Environment, parts: dict[str, str]) -> list[Group]:
    pattern = plan.spec.naming.group
    return [
        Group(environment=environment, role=role, name=naming.group(parts, environment.namespace, role, pattern))
        for role in sorted(set(plan.roles.values()))
    ]
