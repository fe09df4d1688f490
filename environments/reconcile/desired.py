"""Turns database rows into the plain data that manifests and steps work with."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Lower

from environments import directory, kube
from environments.directory import GroupKey
from environments.kube.manifests import Desired
from environments.kube.network_policies import Neighbours
from environments.lib import naming as naming_rules
from environments.lib.errors import PermanentError
from environments.lib.identity import Naming, TokenFacts
from environments.lib.phases import Role
from environments.models import Cluster, Environment, Group, Member, User
from environments.reconcile.steps import binding
from environments.reconcile.steps.base import Context, GroupState, MemberState
from environments.spec import TemplateSpec

UNREADABLE = (
    "This version of the portal cannot read the environment's template. Ask a platform admin to publish the template "
    "again, then update the environment to that version. You can also delete the environment."
)
#: For removals: the row has the name and the owner, and the content is not needed.
_NOTHING = TemplateSpec.model_construct()
_NO_CLAIMS = TokenFacts()


def desired(environment: Environment) -> Desired:
    """The environment as it should be on its cluster, without role bindings (the binding step adds them).

    Raises PermanentError if its content cannot be read.
    """
    spec = environment.readable_spec
    if spec is None:
        raise PermanentError(UNREADABLE, reason="TemplateUnreadable")
    return _facts(environment, spec)


def _facts(environment: Environment, spec: TemplateSpec) -> Desired:
    return Desired(
        environment_id=str(environment.pk),
        name=environment.name,
        namespace=environment.namespace,
        owner=environment.owner.email,
        template=environment.version.template.slug,
        spec=spec,
        label_domain=settings.LABEL_DOMAIN,
        size=environment.size,
        team=environment.team.name if environment.team else "",
        purpose=environment.purpose,
        parameters=tuple(environment.parameters.items()),
        account_namespace=environment.cluster.account_namespace,
        neighbours=neighbours(environment.cluster),
    )


def neighbours(row: Cluster) -> Neighbours:
    """Where the cluster runs DNS and its ingress controller."""
    return Neighbours(row.dns_namespace, row.dns_port, row.ingress_namespace)


def desired_with_bindings(environment: Environment) -> Desired:
    """The environment as it should be on its cluster, with role bindings for the recorded members."""
    groups, members = _groups(environment), _members(environment)
    return replace(desired(environment), bindings=binding.bindings(groups, members, naming(environment.cluster)))


def naming(row: Cluster) -> Naming:
    """How a cluster names people and groups."""
    return Naming(
        username_claim=row.username_claim,
        username_prefix=row.username_prefix,
        groups_prefix=row.groups_prefix,
        bind_members=row.bind_members,
        username_lowercase=row.username_lowercase,
        groups_by=row.groups_by,
        bind_groups=row.bind_groups,
    )


def context(environment: Environment) -> Context:
    """The input of all steps. A removal does not read the template's content.

    Raises PermanentError if a connection cannot be set up, or content that is needed cannot be read.
    """
    return Context(
        desired=desired(environment) if environment.wanted else _facts(environment, _NOTHING),
        cluster=kube.connect(environment.cluster),
        directory=directory.connect(environment.directory),
        naming=naming(environment.cluster),
        namespace_uid=environment.namespace_uid,
        applied=tuple(environment.applied_objects),
        groups=_groups(environment),
        members=_members(environment),
    )


def _groups(environment: Environment) -> tuple[GroupState, ...]:
    return group_states(environment.groups.all(), str(environment.pk), environment.namespace)


def _members(environment: Environment) -> tuple[MemberState, ...]:
    rows = list(environment.members.all())
    return member_states(rows, str(environment.pk), claims_of(environment.members.all()))


def group_states(rows: Iterable[Group], environment_id: str, namespace: str) -> tuple[GroupState, ...]:
    """One environment's groups, from their rows."""
    return tuple(
        GroupState(
            Role(group.role),
            GroupKey(group.name, environment_id, f"{group.role} of namespace {namespace}"),
            group.directory_id,
        )
        for group in rows
    )


def claims_of(members: QuerySet[Member]) -> dict[str, TokenFacts]:
    """What the members' last sign-in to the portal brought, by address in lower case. One query."""
    addresses = members.order_by().values(address=Lower("email"))
    people = User.objects.alias(address=Lower("email")).filter(address__in=addresses)
    return {user.email.lower(): token_facts(user) for user in people.only("email", "groups_claim")}


def token_facts(user: User) -> TokenFacts:
    """What a person's last sign-in to the portal says about their tokens. All that is read of it is read here."""
    return TokenFacts(groups=tuple(value for value in user.groups_claim if isinstance(value, str)))


def member_states(
    rows: Iterable[Member], environment_id: str, claims: Mapping[str, TokenFacts] | None = None
) -> tuple[MemberState, ...]:
    """One environment's members, from their rows and what is known of their sign-ins."""
    known = claims or {}
    return tuple(
        MemberState(
            member.pk,
            member.email,
            member.username,
            Role(member.role),
            member.wanted,
            member.directory_id,
            member.in_group,
            naming_rules.account(environment_id, member.email) if member.has_account else "",
            known.get(member.email.lower(), _NO_CLAIMS),
        )
        for member in rows
    )
