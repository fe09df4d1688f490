"""The cast, and how each of it is made: for the fixtures of a test, and for a world that several tests look at.

dana is a developer, theo her teammate, max_manager manages their team, ada is a platform admin, and sam is a
stranger from another team.
"""

import copy
from datetime import timedelta
from typing import Any, Protocol

from django.utils import timezone

from environments import spec as template_spec
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import (
    Cluster,
    Condition,
    Directory,
    Environment,
    Event,
    Group,
    Member,
    Team,
    Template,
    TemplateVersion,
    User,
)
from environments.reconcile.steps import REMOVALS, STEPS
from environments.routine.usage.recording import fullest

SPEC: dict[str, Any] = {
    "quota": {"services": "10", "services.loadbalancers": "0"},
    "sizes": [
        {"name": "small", "label": "Small", "quota": {"requests.cpu": "500m", "requests.memory": "1Gi", "pods": "25"}},
        {"name": "medium", "label": "Medium", "quota": {"requests.cpu": "1", "requests.memory": "2Gi", "pods": "50"}},
        {"name": "large", "label": "Large", "quota": {"requests.cpu": "4", "requests.memory": "4Gi", "pods": "100"}},
    ],
    "limits": {"default": {"cpu": "200m", "memory": "256Mi"}},
    "parameters": [
        {"name": "cost_centre", "label": "Cost centre", "help": "Four digits.", "pattern": "[0-9]{4}", "required": True}
    ],
    "lifetime_days": 30,
}


def spec_needing_approval() -> dict[str, Any]:
    """The usual template's content, whose large size needs approval."""
    spec = copy.deepcopy(SPEC)
    spec["sizes"][2]["approval"] = True
    return spec


def person(username: str, first_name: str, **more: Any) -> User:
    """A user whose e-mail address follows from their name."""
    return User.objects.create(
        username=username, email=f"{username}@example.com", first_name=first_name, last_name="Example", **more
    )


def make_team() -> Team:
    return Team.objects.create(name="Checkout", group="team-checkout", manager_group="managers-checkout")


def make_dana(team: Team) -> User:
    user = person("dana", "Dana")
    team.members.add(user)
    return user


def make_theo(team: Team) -> User:
    user = person("theo", "Theo")
    team.members.add(user)
    return user


def make_ada() -> User:
    return person("ada", "Ada", is_superuser=True, is_staff=True)


def make_cluster() -> Cluster:
    return Cluster.objects.create(slug="amsterdam", name="Amsterdam", server="https://api.amsterdam.example.com:6443")


def make_directory() -> Directory:
    return Directory.objects.create(name="Company directory", kind=Directory.Kind.LOCAL, is_default=True)


class MakeTemplate(Protocol):
    """What `make_template` gives."""

    def __call__(self, slug: str = "namespace", *, spec: dict[str, Any] | None = None, **more: Any) -> TemplateVersion:
        """A template with one published version."""


def make_template(slug: str = "namespace", *, spec: dict[str, Any] | None = None, **more: Any) -> TemplateVersion:
    texts = {"name": slug.capitalize(), "summary": "For building and testing.", "readme": "Read **me**."} | more
    return TemplateVersion.objects.create(
        template=Template.objects.create(slug=slug, **texts),
        number=1,
        state=TemplateVersion.State.PUBLISHED,
        spec=template_spec.dump(template_spec.parse(spec or SPEC)),
        published_at=timezone.now(),
    )


class MakeEnvironment(Protocol):
    """What `make_environment` gives."""

    def __call__(
        self,
        owner: User | None = None,
        phase: Phase = Phase.READY,
        *,
        conditions: dict[str, dict[str, Any]] | None = None,
        members: dict[str, Role] | None = None,
        usage: dict[str, list[str]] | None = None,
        **fields: Any,
    ) -> Environment:
        """An environment of dana's unless somebody else is named; all its steps done but for those in `conditions`."""


def environment_maker(
    dana: User, team: Team, cluster: Cluster, directory: Directory, template_version: TemplateVersion
) -> MakeEnvironment:
    """Make environments of these, unless others are named."""

    def make(
        owner: User | None = None,
        phase: Phase = Phase.READY,
        *,
        conditions: dict[str, dict[str, Any]] | None = None,
        members: dict[str, Role] | None = None,
        usage: dict[str, list[str]] | None = None,
        **fields: Any,
    ) -> Environment:
        owner = owner or dana
        environment = Environment(
            **_defaults(owner, phase, usage or {})
            | {"team": team, "version": template_version, "cluster": cluster, "directory": directory}
            | {"spec": template_version.spec}
            | fields
        )
        environment.namespace = f"{owner.username}-{naming.slug(environment.name)[:30]}-{environment.pk.hex[:5]}"
        environment.save()
        _add_members(environment, {owner.email: Role.ADMIN} | (members or {}))
        _add_conditions(environment, conditions or {})
        Event.objects.create(environment=environment, actor=owner, kind=Activity.REQUESTED, message="Requested.")
        return environment

    return make


def _defaults(owner: User, phase: Phase, usage: dict[str, list[str]]) -> dict[str, Any]:
    now = timezone.now()
    removed = phase in (Phase.DELETING, Phase.DELETED)
    return {
        "name": "Checkout refunds",
        "owner": owner,
        "size": "medium",
        "parameters": {"cost_centre": "1040"},
        "phase": phase,
        "wanted": not removed,
        "observed_generation": int(phase not in (Phase.PROVISIONING, Phase.DELETING)),
        "usage": usage,
        "usage_at": now if usage else None,
        "fullest": fullest(usage),
        "ready_at": now if phase in (Phase.READY, Phase.DEGRADED) else None,
        "ends_at": now + timedelta(days=23, hours=1),
        "deleted_at": now if phase == Phase.DELETED else None,
    }


def _add_members(environment: Environment, members: dict[str, Role]) -> None:
    proven = environment.phase == Phase.READY or None
    for email, role in members.items():
        facts = {"in_group": proven, "bound": proven, "allowed": proven}
        Member.objects.create(environment=environment, email=email, role=role, added_by=environment.owner, **facts)
    for role in sorted(set(members.values())):
        Group.objects.create(environment=environment, role=role, name=f"{environment.namespace}-{role}")


def _add_conditions(environment: Environment, conditions: dict[str, dict[str, Any]]) -> None:
    done = {"status": Status.DONE, "duration_ms": 12}
    Condition.objects.bulk_create(
        Condition(environment=environment, type=step.type, **(conditions.get(step.type) or done))
        for step in (STEPS if environment.wanted else REMOVALS)
    )
