"""What steps found out, as plain data to be recorded."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from environments.directory import Person
from environments.kube.client import Manifest
from environments.kube.differing import Difference
from environments.lib.phases import Role


@dataclass(frozen=True)
class MemberFacts:
    """What a step found out about a member; None keeps the recorded value."""

    directory_id: str | None = None
    username: str | None = None
    directory_email: str | None = None
    in_group: bool | None = None
    bound: bool | None = None
    allowed: bool | None = None
    message: str | None = None
    gone: bool = False  # not wanted, and in no group when it was read

    @classmethod
    def of(cls, person: Person) -> "MemberFacts":
        """Who a member is in the directory."""
        return cls(directory_id=person.id, username=person.username, directory_email=person.email)

    def updated(self, newer: "MemberFacts") -> "MemberFacts":
        """Both together; where both say something, the newer."""
        said = {each.name: getattr(newer, each.name) for each in fields(newer)}
        said = {name: value for name, value in said.items() if value is not None}
        return replace(self, **said | {"gone": self.gone or newer.gone})


@dataclass(frozen=True)
class GroupMemberFacts:
    """What a step found out about a group that is a member; None keeps the recorded value."""

    name: str | None = None
    path: str | None = None
    size: int | None = None
    present: bool | None = None
    bound: bool | None = None
    allowed: bool | None = None
    message: str | None = None
    gone: bool = False  # not wanted, and in no role binding

    def updated(self, newer: "GroupMemberFacts") -> "GroupMemberFacts":
        """Both together; where both say something, the newer."""
        return replace(self, **newer.said | {"gone": self.gone or newer.gone})

    @property
    def said(self) -> dict[str, Any]:
        """What was found out, by column."""
        named = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "gone"}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class StrangerFacts:
    """Someone in a group of the environment whom the portal did not put there. Without address: not known yet."""

    directory_id: str
    email: str = ""
    username: str = ""


@dataclass(frozen=True)
class Facts:
    """What is to be recorded besides the condition."""

    namespace_uid: str | None = None
    is_new: bool = False  # the namespace was made by this run, for the first time: nothing of ours can be left over
    group_ids: dict[Role, str] = field(default_factory=dict)
    members: dict[int, MemberFacts] = field(default_factory=dict)
    group_members: dict[int, GroupMemberFacts] = field(default_factory=dict)
    #: For each group that was read, all in it whom the portal did not put there.
    strangers: dict[Role, tuple[StrangerFacts, ...]] = field(default_factory=dict)
    applied: tuple[str, ...] | None = None  # the template's own objects, `Kind/name`
    #: For each applied object, `Kind/name`, what the cluster has otherwise than applied.
    altered: dict[str, tuple[Difference, ...]] = field(default_factory=dict)
    #: For each applied object, `Kind/name`, the digest of its manifest.
    digests: dict[str, str] = field(default_factory=dict)
    #: Of some kinds, what there is in the namespace, whoever made it: later steps need not read it again.
    seen: dict[str, list[Manifest]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # for the history: what was found out of order and repaired
