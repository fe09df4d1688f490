"""The type of a step. A step reads, makes one part match what is wanted, and returns an Outcome; it never writes rows.

A step is a module's `STEP`. `ensure` and `remove` take a `Context` and return an `Outcome`, or raise one of
the two errors. Both may be called any number of times, after any crash, and lead to the same world.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from environments.directory import DirectoryClient, GroupKey, OwnAccounts, Person
from environments.kube import manifests
from environments.kube.client import ClusterClient, Manifest
from environments.kube.manifests import Desired
from environments.lib.identity import DIRECTORY_USERNAME, Naming, TokenFacts
from environments.lib.phases import Role
from environments.reconcile.facts import Facts, MemberFacts


@dataclass(frozen=True)
class MemberState:
    """A member as the record has them."""

    pk: int
    email: str
    username: str
    role: Role
    wanted: bool
    directory_id: str
    in_group: bool | None
    account: str = ""  # the ServiceAccount's name, where they have one
    claims: TokenFacts = field(default_factory=TokenFacts)  # as their last sign-in to the portal brought them
    person_id: int | None = None  # their account in the portal, once they are known
    directory_email: str = ""  # as the directory spells it
    address_lost: bool = False  # the address is another person's now
    bound: bool | None = None  # to their role, when this run began
    allowed: bool | None = None  # the cluster's last answer about them

    @cached_property
    def facts(self) -> TokenFacts:
        """What is known about their token: what signing in brought, and otherwise what the directory says."""
        known = self.claims
        username = known.preferred_username or self.username
        return replace(
            known,
            email="" if self.address_lost else known.email or self.directory_email or self.email,
            preferred_username=username,
            other={DIRECTORY_USERNAME: username, **known.other},
        )


@dataclass(frozen=True)
class GroupState:
    """A directory group as the record has it."""

    role: Role
    key: GroupKey
    directory_id: str


@dataclass(frozen=True)
class GroupMemberState:
    """A group that is a member, as the record has it."""

    pk: int
    name: str
    path: str
    directory_id: str
    role: Role
    wanted: bool
    present: bool | None = None
    bound: bool | None = None
    is_team: bool = False
    claim: str = ""  # of a team that the cluster knows by its group


@dataclass(frozen=True)
class Context:
    """All that a step may know. Facts found on the way are merged in between the waves of a run."""

    desired: Desired
    cluster: ClusterClient
    directory: DirectoryClient
    naming: Naming
    namespace_uid: str = ""
    is_new: bool = False  # made a moment ago, for the first time
    groups: tuple[GroupState, ...] = ()
    members: tuple[MemberState, ...] = ()
    group_members: tuple[GroupMemberState, ...] = ()
    owner_id: int | None = None  # the owner's account in the portal
    strangers: frozenset[str] = frozenset()  # the ids of those who are on the record as such
    removes_strangers: bool = False  # the directory's setting
    applied: tuple[str, ...] = ()  # the template's own objects that were made, or were about to be: `Kind/name`
    seen: dict[str, list[Manifest]] = field(default_factory=dict)  # what this run read of the namespace, by kind
    insists: bool = False  # on applying what is as wanted already: the cluster warned, and does so only then

    def wanted_members(self, role: Role | None = None) -> list[MemberState]:
        """Members who should have access, of one role or of all."""
        return [member for member in self.members if member.wanted and role in (None, member.role)]

    def find_person(self, member: MemberState) -> Person | None:
        """The member in the directory, None if a complete search finds no one.

        By their account if the directory is the portal's own: an address may be on several.
        """
        if member.person_id is not None and isinstance(self.directory, OwnAccounts):
            return self.directory.find_account(member.person_id)
        return self.directory.find_person(member.email)

    def is_owner(self, member: MemberState) -> bool:
        """Whether a member is the environment's owner."""
        if member.person_id is not None and self.owner_id is not None:
            return member.person_id == self.owner_id
        return member.email == self.desired.owner


@dataclass(frozen=True)
class Outcome:
    """The result of an attempt: done, or to be repeated in `wait` seconds although nothing is wrong.

    `look_again` asks for another run some seconds later although the step is done. `failed`: a person has to act, as
    after a PermanentError, but the facts are recorded.
    """

    message: str = ""
    reason: str = "Done"
    facts: Facts = field(default_factory=Facts)
    wait: float | None = None
    look_again: float | None = None
    failed: bool = False


@dataclass(frozen=True)
class Step:
    """One concern. `needs` are the types of the steps that must be done before it."""

    type: str
    title: str
    removed_title: str
    ensure: Callable[[Context], Outcome]
    remove: Callable[[Context], Outcome] | None = None
    needs: tuple[str, ...] = ()
    removed_after: tuple[str, ...] = ()
    #: Runs in the worker's own thread: the local directory is the portal's database.
    inline: bool = False
    #: Before it begins, what was done so far is written down, and with it that the run still may: it lets people in.
    guarded: bool = False


def prune(
    context: Context,
    kind: str,
    keep: set[str],
    *,
    namespace: str = "",
    spare: Callable[[Manifest], bool] = lambda live: False,
    found: Iterable[Manifest] | None = None,
) -> None:
    """Delete this environment's objects of a kind, in its own or the given namespace.

    Those named in `keep` stay, and those of which `spare` says so. `found`: what was just read.
    """
    namespace = namespace or context.desired.namespace
    for live in ours(context, kind, namespace) if found is None else found:
        if live["metadata"]["name"] not in keep and not spare(live):
            context.cluster.delete(kind, live["metadata"]["name"], namespace, uid=live["metadata"]["uid"])


def ours(context: Context, kind: str, namespace: str = "") -> list[Manifest]:
    """This environment's objects of a kind. Where the namespace is new there is nothing to find."""
    if context.is_new:
        return []
    selector = f"{manifests.environment_label(context.desired.label_domain)}={context.desired.environment_id}"
    return list(context.cluster.list_objects(kind, namespace or context.desired.namespace, labels=selector))


def everyones(context: Context, kind: str) -> dict[str, Manifest]:
    """All objects of a kind in the namespace by name, whoever made them; a new one is not searched."""
    found = [] if context.is_new else context.cluster.list_objects(kind, context.desired.namespace)
    return {live["metadata"]["name"]: live for live in found}


def merge(context: Context, facts: Facts) -> Context:
    """The context as it is after facts were found."""
    groups = tuple(
        replace(group, directory_id=facts.group_ids.get(group.role, group.directory_id)) for group in context.groups
    )
    members = tuple(_merged(member, facts.members.get(member.pk)) for member in context.members)
    uid = context.namespace_uid if facts.namespace_uid is None else facts.namespace_uid
    applied = context.applied if facts.applied is None else facts.applied
    is_new = context.is_new or facts.is_new
    seen = context.seen | facts.seen
    merged = replace(
        context, namespace_uid=uid, is_new=is_new, groups=groups, members=members, applied=applied, seen=seen
    )
    return replace(merged, group_members=_with_groups(context, facts)) if facts.group_members else merged


def _with_groups(context: Context, facts: Facts) -> tuple[GroupMemberState, ...]:
    kept = ("name", "path", "present")
    found = {pk: each.said for pk, each in facts.group_members.items()}
    return tuple(
        replace(state, **{name: value for name, value in found.get(state.pk, {}).items() if name in kept})
        for state in context.group_members
    )


def _merged(member: MemberState, facts: MemberFacts | None) -> MemberState:
    if facts is None:
        return member
    return replace(
        member,
        directory_id=member.directory_id if facts.directory_id is None else facts.directory_id,
        username=member.username if facts.username is None else facts.username,
        directory_email=member.directory_email if facts.directory_email is None else facts.directory_email,
        in_group=member.in_group if facts.in_group is None else facts.in_group,
        allowed=member.allowed if facts.allowed is None else facts.allowed,
    )
