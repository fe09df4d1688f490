"""Turns database rows into the plain data that manifests and steps work with."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects

from environments import directory, kube
from environments.directory import GroupKey
from environments.kube.manifests import Desired
from environments.kube.network_policies import Neighbours
from environments.lib import naming as naming_rules
from environments.lib.errors import PermanentError
from environments.lib.identity import STANDARD, SUBJECT, Naming, token_facts
from environments.lib.phases import Role
from environments.models import Cluster, Directory, Environment, Group, GroupMember, Member
from environments.reconcile.steps import binding
from environments.reconcile.steps.base import Context, GroupMemberState, GroupState, MemberState
from environments.spec import TemplateSpec
from environments.spec.openings import Destinations
from environments.spec.openings import parse_stored as parse_openings

UNREADABLE = (
    "This version of the portal cannot read the environment's template. Ask a platform admin to publish the template "
    "again, then update the environment to that version. You can also delete the environment."
)
#: Of a member, what its state needs.
MEMBER_COLUMNS = (
    "environment_id", "pk", "email", "username", "role", "wanted", "directory_id", "in_group", "has_account",
    "account_name", "directory_email", "address_lost", "person_id", "person__issuer", "person__subject",
    "person__claimed_email", "person__claimed_username", "bound",
)  # fmt: skip
#: For removals: the row has the name and the owner, and the content is not needed.
_NOTHING = TemplateSpec.model_construct()


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
        guards_pods=environment.cluster.guards_pods,
        host_patterns=environment.cluster.host_patterns,
        openings=openings(environment.openings),
    )


def openings(stored: list[dict[str, Any]]) -> tuple[tuple[str, Destinations], ...]:
    """What was opened for an environment, by slug, from its column."""
    return tuple((each["slug"], parse_openings(each["destinations"])) for each in stored)


def neighbours(row: Cluster) -> Neighbours:
    """Where the cluster runs DNS and its ingress controller."""
    return Neighbours(row.dns_namespace, row.dns_port, row.ingress_namespace)


def desired_with_bindings(environment: Environment, members: Iterable[Member] | None = None) -> Desired:
    """The environment as it should be on its cluster, with role bindings for the recorded members.

    `members`: all of them, where the caller has read them already.
    """
    groups, found = _groups(environment), _members(environment, members)
    others = _group_members(environment)
    bindings = binding.bindings(groups, found, naming(environment.cluster), others)
    return replace(desired(environment), bindings=bindings)


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


def context(environment: Environment, members: Iterable[Member] | None = None) -> Context:
    """The input of all steps. A removal does not read the template's content.

    `members`: the environment's, with their people, if they were read already.
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
        members=_members(environment, members),
        group_members=_group_members(environment),
        owner_id=environment.owner_id,
        strangers=frozenset(each.directory_id for each in environment.strangers.all()),
        removes_strangers=environment.directory.strangers == Directory.Strangers.REMOVE,
    )


def _groups(environment: Environment) -> tuple[GroupState, ...]:
    return group_states(environment.groups.all(), str(environment.pk), environment.namespace)


def _members(environment: Environment, rows: Iterable[Member] | None = None) -> tuple[MemberState, ...]:
    found = list(environment.members.select_related("person") if rows is None else rows)
    states = member_states(found, str(environment.pk), environment.cluster.oidc_issuer)
    return tuple(replace(state, allowed=row.allowed) for state, row in zip(states, found, strict=True))


def _group_members(environment: Environment) -> tuple[GroupMemberState, ...]:
    prefetch_related_objects([environment], "group_members__team")  # unless they are there already
    return group_member_states(environment.group_members.all(), environment.cluster)


def group_states(rows: Iterable[Group], environment_id: str, namespace: str) -> tuple[GroupState, ...]:
    """One environment's groups, from their rows."""
    return tuple(
        GroupState(
            Role(group.role),
            GroupKey(group.name, environment_id, f"{group.role} of namespace {namespace}", group.directory_id),
            group.directory_id,
        )
        for group in rows
    )


def group_member_states(rows: Iterable[GroupMember], cluster: Cluster) -> tuple[GroupMemberState, ...]:
    """One environment's groups that are members, from their rows with their teams."""
    return tuple(
        GroupMemberState(
            row.pk,
            row.name,
            row.path,
            row.directory_id,
            Role(row.role),
            row.wanted,
            row.present,
            row.bound,
            row.team_id is not None,
            row.claim(cluster),
        )
        for row in rows
    )


def _said(member: Any, claim: str) -> Mapping[str, Any]:
    """What signing in to the portal brought, of a `Member` or its MEMBER_COLUMNS: by claim, with `iss`."""
    if isinstance(member, Member):
        return member.token_facts
    known = {
        "iss": member.person__issuer,
        "sub": member.person__subject,
        "email": member.person__claimed_email,
        "preferred_username": member.person__claimed_username,
    } | ({claim: member.claim} if claim not in STANDARD else {})
    return {name: value for name, value in known.items() if value}


def member_states(
    rows: Iterable[Any], environment_id: str, issuer: str, claim: str = SUBJECT
) -> tuple[MemberState, ...]:
    """One environment's members, from their rows: `Member`s, or their MEMBER_COLUMNS.

    `issuer`: whose tokens the cluster accepts, empty if not known. `claim`: what user names are made of; if that is
    none of the standard ones, the columns have its value as `claim`.
    """
    return tuple(
        MemberState(
            member.pk,
            member.email,
            member.username,
            Role(member.role),
            member.wanted,
            member.directory_id,
            member.in_group,
            account_name(member, environment_id) if member.has_account else "",
            token_facts(_said(member, claim), issuer),
            member.person_id,
            member.directory_email,
            member.address_lost,
            member.bound,
        )
        for member in rows
    )


def account_name(member: Any, environment_id: str) -> str:
    """The name of a member's ServiceAccount: the stored one, or the one that follows from their address."""
    return member.account_name or naming_rules.account(environment_id, member.email)
