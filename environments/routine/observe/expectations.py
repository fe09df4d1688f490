"""What should be on a cluster: the facts of each environment, and the objects of one kind that follow from them.

Facts are small and their templates shared; objects are made when there is something to compare them with.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import batched, chain
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from environments import spec as template_spec
from environments.kube import manifests
from environments.kube.client import Manifest
from environments.kube.differing import Difference
from environments.kube.manifests import Desired
from environments.kube.network_policies import Neighbours
from environments.lib.identity import STANDARD, Naming
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Group, GroupMember, Member
from environments.models.environments import EnvironmentQuerySet
from environments.reconcile import desired as facts
from environments.reconcile import drift
from environments.reconcile.drift import Entry
from environments.reconcile.steps import binding
from environments.spec import TemplateSpec, extras
from environments.spec.base import PLACEHOLDER, InvalidSpecError

_BATCH = 500  # environments a query

_ENVIRONMENT = (
    "pk",
    "name",
    "namespace",
    "owner__email",
    "version__template__slug",
    "size",
    "team__name",
    "purpose",
    "openings",
)
_GROUP = ("environment_id", "role", "name", "directory_id")


def observed(row: Cluster) -> EnvironmentQuerySet:
    """The environments of a cluster that should be as they are wanted."""
    return Environment.objects.filter(cluster=row, phase__in=(Phase.READY, Phase.DEGRADED))


def load(row: Cluster, only: Iterable[str] | None = None) -> dict[str, Desired]:
    """The facts of a cluster's environments by id, all of them or `only` some.

    What `desired.desired_with_bindings` says of each, without a model object for every row: ten thousand environments
    would take seconds and hundreds of megabytes.
    """
    rows = observed(row) if only is None else observed(row).filter(pk__in=list(only))
    columns = rows.order_by().annotate(spec_text=Cast("spec", TextField()))
    common = _Common(
        row,
        facts.naming(row),
        row.oidc_issuer,
        facts.neighbours(row),
        row.account_namespace,
        settings.LABEL_DOMAIN,
        row.guards_pods,
        row.host_patterns,
    )
    found: dict[str, Desired] = {}
    stream = columns.values_list(*_ENVIRONMENT, "parameters", "spec_text", named=True).iterator(_BATCH)
    for batch in batched(stream, _BATCH, strict=False):
        keys = [each.pk for each in batch]
        groups = _by_environment(Group.objects.filter(environment__in=keys).values_list(*_GROUP, named=True))
        members = _by_environment(_members(keys, row.username_claim))
        named = _by_environment(GroupMember.objects.filter(environment__in=keys).select_related("team"))
        for each in batch:
            with suppress(InvalidSpecError):  # its own reconcile says so; the others of the cluster are looked after
                found[str(each.pk)] = _facts(common, each, groups[each.pk], members[each.pk], named[each.pk])
    return found


def _members(environments: list[UUID], claim: str) -> Iterable[Any]:
    """The members' columns; of the claims, only one that is not stored in a column is read out of JSON."""
    rows = Member.objects.filter(environment__in=environments)
    if claim in STANDARD:
        return rows.values_list(*facts.MEMBER_COLUMNS, named=True)
    claimed = rows.annotate(claim=KeyTextTransform(claim, "person__token_claims"))
    return claimed.values_list(*facts.MEMBER_COLUMNS, "claim", named=True)


@dataclass(frozen=True)
class Recorded:
    """What is known of an environment's objects: how they differ already, and the manifests that were last applied."""

    drift: list[Entry] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def is_wished(self, difference: Difference, manifest: Manifest | None) -> bool:
        """Whether the portal itself wants something else of an object than it applied, after an update, say.

        Of environments that another version made, the manifests are not known: a label or an annotation that is not
        there is then taken for one that this version adds.
        """
        if self.digests:
            key = f"{difference.kind}/{difference.name}"
            return manifest is not None and self.digests.get(key) != manifests.digest(manifest)
        return difference.found is None and difference.path[:2] in _NOTES


_NOTES = (("metadata", "labels"), ("metadata", "annotations"))


def recorded(ids: Iterable[str]) -> dict[str, Recorded]:
    """What is known of some environments' objects, by environment id."""
    rows = Environment.objects.filter(pk__in=list(ids)).values_list("pk", "drift", "applied_digests")
    return {str(pk): Recorded(drift.read(stored), digests) for pk, stored, digests in rows}


def _by_environment(rows: Iterable[Any]) -> defaultdict[UUID, list[Any]]:
    found = defaultdict(list)
    for each in rows:
        found[each.environment_id].append(each)
    return found


@dataclass(frozen=True)
class _Common:
    """What all environments of a cluster share."""

    cluster: Cluster
    naming: Naming
    issuer: str
    neighbours: Neighbours
    account_namespace: str
    label_domain: str
    guards_pods: bool
    host_patterns: tuple[str, ...]


def _facts(common: _Common, each: Any, groups: list[Any], members: list[Any], named: list[Any]) -> Desired:
    key = str(each.pk)
    members_now = facts.member_states(members, key, common.issuer, common.naming.username_claim)
    states = facts.group_states(groups, key, each.namespace), members_now
    return Desired(
        environment_id=key,
        name=each.name,
        namespace=each.namespace,
        owner=each.owner__email,
        template=each.version__template__slug,
        spec=template_spec.parse_text(each.spec_text),
        label_domain=common.label_domain,
        size=each.size,
        team=each.team__name or "",
        purpose=each.purpose,
        parameters=tuple(each.parameters.items()),
        bindings=binding.bindings(*states, common.naming, facts.group_member_states(named, common.cluster)),
        account_namespace=common.account_namespace,
        neighbours=common.neighbours,
        guards_pods=common.guards_pods,
        host_patterns=common.host_patterns,
        openings=facts.openings(each.openings),
    )


def more_kinds(expected: Iterable[Desired]) -> set[str]:
    """The kinds that templates in use add to what every environment has."""
    specs = {id(each.spec): each.spec for each in expected}.values()
    kinds = set(chain.from_iterable(extras.kinds(spec.manifests) for spec in specs))
    return kinds if all(spec.automount_token for spec in specs) else kinds | {"ServiceAccount"}


def _some(manifest: Manifest | None) -> list[Manifest]:
    return [manifest] if manifest else []


_GOVERNING: dict[str, Callable[[Desired], list[Manifest]]] = {
    "Namespace": lambda desired: [manifests.namespace(desired)],
    "ResourceQuota": manifests.quotas,
    "LimitRange": lambda desired: _some(manifests.limit_range(desired)),
    "NetworkPolicy": manifests.network_policies,
    "ServiceAccount": lambda desired: _some(manifests.default_account(desired)),
    "RoleBinding": manifests.role_bindings,
}


class Wanted:
    """Makes the objects of a kind that an environment should have; `manifests.all_manifests`, a kind at a time.

    `portal_user`: the portal's account as the cluster calls it, whose binding stands where a template has objects;
    empty if that is not known.
    """

    def __init__(self, portal_user: str = "") -> None:
        self._portal_user = portal_user
        self._documents: dict[tuple[Any, ...], list[Manifest]] = {}
        self._placeholders: dict[int, tuple[TemplateSpec, list[str]]] = {}

    def of(self, kind: str, desired: Desired) -> Iterator[Manifest]:
        """The objects of this kind."""
        if kind in _GOVERNING:
            yield from _GOVERNING[kind](desired)
        if desired.spec.manifests:
            documents = self._extras(desired)
            yield from (manifests.extra_object(desired, each) for each in documents if each["kind"] == kind)
            if kind == "RoleBinding" and documents and self._portal_user:
                yield manifests.portal_binding(desired, self._portal_user)

    def _extras(self, desired: Desired) -> list[Manifest]:
        """A template's own documents, filled in once for all environments that have the same values in them.

        None where something is wrong with them: the step says what.
        """
        spec, values = desired.spec, manifests.values(desired)
        if id(spec) not in self._placeholders:
            # The spec is kept beside its names: its id would mean nothing once it is gone.
            self._placeholders[id(spec)] = spec, sorted(set(PLACEHOLDER.findall(spec.manifests)))
        key = (id(spec), *(values.get(name) for name in self._placeholders[id(spec)][1]))
        if key not in self._documents:
            try:
                self._documents[key] = extras.documents(spec, values)
            except ValueError:
                self._documents[key] = []
        return self._documents[key]
