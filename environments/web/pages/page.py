"""An environment's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from environments.actions import access_requests, access_tokens, deciders, group_members
from environments.kube import permits
from environments.lib import dates, looks
from environments.lib.activity import Activity
from environments.lib.looks import KindLook
from environments.lib.phases import OVER, Phase
from environments.models import (
    AccessRequest,
    ChangeKind,
    Condition,
    Directory,
    Environment,
    GroupMember,
    Member,
    Question,
    Review,
    Stranger,
    User,
)
from environments.reconcile.desired import UNREADABLE
from environments.reconcile.steps import counting, objects
from environments.spec import Mode
from environments.web.pages.activity import ActivityCard, Show, activity_card
from environments.web.pages.approvals import ApprovalRequest, answers, approval_requests
from environments.web.pages.changes import ChangeRequest, open_changes
from environments.web.pages.connection import Connection
from environments.web.pages.freshness import StaleUsage, stale_usage
from environments.web.pages.fullness import QuotaBar, bars, fullest, unused, with_sparks
from environments.web.pages.managed_objects import ManagedObject, managed_objects
from environments.web.pages.network import OpenLine, open_lines
from environments.web.pages.running import has_workloads
from environments.web.pages.sign_in import AccessLine, Leaver, access_lines, leavers
from environments.web.pages.steps import UNREAD, TimelineEntry, poll_seconds, timeline
from environments.web.pages.usage_page import sparks
from environments.web.pages.versions import NewerVersion, newer
from environments.web.permissions import may_decide, may_edit, published_versions

_MOST_BARS = 12  # that are open; "Show more" has the rest
_MOST_SPARKS = 6
_SOON = timedelta(days=3)  # before the end, or a third of a short life: the page says so


@dataclass(frozen=True)
class Notice:
    """The notice above everything else: what is wrong or pending, and what happens next."""

    tone: str
    title: str
    text: str
    can_retry: bool = False
    next_try_at: datetime | None = None


@dataclass(frozen=True)
class RequestAgain:
    """The option to request the same again: the template's slug, empty if it is no longer available to the user."""

    template: str


@dataclass(frozen=True)
class EnvironmentPage:
    """Everything on an environment's page."""

    environment: Environment
    may_edit: bool
    connection: Connection | None  # the reader's way into the namespace, if they are a member
    access_requests: list[AccessRequest]  # for those who can grant them
    access_role: str  # that a request asks for, in lower case; empty if the template allows no collaborators
    asked_access_at: datetime | None  # when the reader requested access
    notice: Notice | None
    timeline: list[TimelineEntry]
    done: int
    bars: list[QuotaBar]
    stale: StaleUsage | None
    quota_note: str  # what the quota does not count here, and what limits the namespace besides it
    has_workloads: bool
    members: list[Member]
    access: list[AccessLine]  # the same members, each with their sign-in to the cluster
    groups: list[GroupMember]  # and teams
    strangers: list[Stranger]  # in a group of the environment without being members
    knows_groups: bool  # whether the cluster knows groups of the directory
    removes_strangers: bool
    leavers: list[Leaver]
    managed_objects: list[ManagedObject]
    activity: ActivityCard
    poll_seconds: int | None
    newer: NewerVersion | None
    can_extend_to: datetime | None
    to_decide: ApprovalRequest | None  # if the reader may decide on it
    to_answer: Question | None  # about the reader's own request
    questions: list[Question]  # about the request, for everyone who sees it
    request_again: RequestAgain | None  # if the reader requested it, and it is over
    host_names: tuple[str, ...]  # patterns; none where any are allowed
    asked_for: list[tuple[str, str]]  # the request's answers that the page does not show elsewhere
    changes: list[ChangeRequest]  # that wait for a decision
    network: list[str]  # what the template lets through, in sentences
    open_lines: list[OpenLine]  # what was opened beside it
    review: Review | None  # the open question whether it is still needed, for those who can answer
    can_resize: bool  # whether there is another size, or a question to answer anew, and no open change of it

    @property
    def others(self) -> list[Member]:
        """The members besides the owner."""
        return [member for member in self.members if not member.is_of(self.environment.owner)]

    @property
    def waits_for_end(self) -> bool:
        """Whether a later end waits for a decision."""
        return any(each.change.kind == ChangeKind.END for each in self.changes)

    @property
    def removable(self) -> list[Member]:
        """The members who were added themselves, without the owner."""
        return [member for member in self.others if not member.through_id]

    @property
    def is_ready(self) -> bool:
        """Whether the dashboard comes before the timeline."""
        return self.environment.phase in (Phase.READY, Phase.DEGRADED)

    @property
    def is_finish(self) -> bool:
        """Whether the reader's first steps lead the page: it has just become ready, or they have just got access."""
        return self.environment.phase == Phase.READY and self.connection is not None and self.connection.is_new

    @property
    def is_working(self) -> bool:
        """Whether work is in progress, so that the page refreshes also while nobody looks at it."""
        return self.environment.is_granted and not self.environment.is_settled

    @property
    def may_leave(self) -> bool:
        """Whether the reader can give up their access."""
        is_member = self.connection is not None and not self.connection.is_through_group
        return is_member and self.environment.wanted and not self._is_owner

    @property
    def can_ask_access(self) -> bool:
        """Whether the reader sees the environment without access to its namespace, and can ask for it."""
        open_to_ask = self.environment.wanted and self.environment.is_granted and bool(self.access_role)
        return open_to_ask and not self.connection and not self.may_edit

    @property
    def _is_owner(self) -> bool:
        return self.connection is not None and self.connection.member.is_of(self.environment.owner)

    @property
    def ends_soon(self) -> bool:
        """Whether the environment expires soon enough for a notice."""
        begin, end = self.environment.created_at, self.environment.ends_at
        if end is None or not self.environment.wanted:
            return False
        return end - timezone.now() < min(_SOON, (end - begin) / 3)

    @property
    def open_bars(self) -> list[QuotaBar]:
        """The resources of which there may be any, as many as a card holds."""
        return self._open[:_MOST_BARS]

    @property
    def more_bars(self) -> list[QuotaBar]:
        """The resources of lower usage that the card hides at first."""
        return self._open[_MOST_BARS:]

    @property
    def _open(self) -> list[QuotaBar]:
        return [bar for bar in self.bars if not bar.is_closed]

    @property
    def closed_bars(self) -> list[QuotaBar]:
        """The resources that the quota forbids altogether."""
        return [bar for bar in self.bars if bar.is_closed]

    @property
    def status(self) -> str:
        """The phase and its progress in one short sentence, for screen readers and the tab's title."""
        if self.environment.phase == Phase.READY and self.environment.unread:
            return UNREAD
        if self.environment.phase in (Phase.PROVISIONING, Phase.DELETING):
            return f"{self.environment.phase}: {self.done} of {len(self.timeline)} done"
        return str(self.environment.phase)

    @property
    def percent_done(self) -> int:
        """How far along the timeline is."""
        return round(100 * self.done / len(self.timeline)) if self.timeline else 0


def environment_page(environment: Environment, user: User, show: Show = Show.ALL) -> EnvironmentPage:
    """Everything on an environment's page. The environment comes from permissions.py; `show`: whose activity."""
    who = str(deciders.of(environment)) if environment.awaits_approval else ""
    to_decide = approval_requests([environment], user)[0] if may_decide(user, environment) else None
    questions = to_decide.questions if to_decide else _questions(environment)
    to_answer = next((each for each in questions if each.answered_at is None), None) if who else None
    conditions = list(environment.conditions.all())
    lines = timeline(environment, conditions, who)
    everyone = list(environment.members.select_related("person", "through__team"))
    members = [member for member in everyone if member.wanted]
    activity = activity_card(environment, show)
    groups = list(environment.group_members.filter(wanted=True).select_related("team"))
    mine = next((member for member in members if member.is_of(user)), None)
    mine = mine or (access_tokens.through_group(environment, user) if groups else None)
    asked = list(environment.access_requests.select_related("person")) if environment.wanted else []
    role, can_edit = access_requests.role(environment), may_edit(user, environment)
    spec = environment.readable_spec
    changes = open_changes(environment, user, may_edit=can_edit) if environment.wanted else []
    return EnvironmentPage(
        environment=environment,
        may_edit=can_edit,
        connection=Connection(environment, mine) if mine else None,
        access_requests=asked if can_edit else [],
        access_role=str(role.label).lower() if role else "",
        asked_access_at=next((each.asked_at for each in asked if each.person == user), None),
        notice=notice(environment, lines) or _rejected(environment, conditions)
        if environment.is_granted
        else _on_request(environment, who),
        timeline=lines,
        done=sum(1 for line in lines if line.word == "done"),
        bars=with_sparks(bars(environment), sparks(environment, _MOST_SPARKS))
        if environment.usage
        else unused(environment),
        stale=stale_usage(environment),
        quota_note=_said(conditions, counting.NOTED),
        has_workloads=has_workloads(environment),
        members=members,
        access=access_lines(environment, members),
        groups=groups,
        strangers=list(environment.strangers.all()) if environment.wanted else [],
        knows_groups=not group_members.why_none(environment.cluster),
        removes_strangers=environment.directory.strangers == Directory.Strangers.REMOVE,
        leavers=leavers(environment, members),
        managed_objects=managed_objects(environment, everyone) if environment.phase != Phase.DELETED else [],
        activity=activity,
        poll_seconds=poll_seconds(environment, lines),
        newer=newer(environment),
        can_extend_to=environment.extended_end(),
        to_decide=to_decide,
        to_answer=to_answer if environment.owner == user and not to_decide else None,
        questions=questions,
        request_again=_request_again(environment, user),
        host_names=_host_names(environment),
        asked_for=_asked_for(environment, members),
        changes=changes,
        review=_review(environment) if can_edit else None,
        network=spec.network.sentences() if spec else [],
        open_lines=open_lines(environment),
        can_resize=can_edit and _can_resize(environment, changes),
    )


def _review(environment: Environment) -> Review | None:
    """No query for a template that asks nothing."""
    template = environment.version.template
    if not environment.wanted or not (template.review_days or template.review_idle_days):
        return None
    return Review.objects.open().filter(environment=environment).first()


def _can_resize(environment: Environment, changes: list[ChangeRequest]) -> bool:
    spec = environment.readable_spec
    if spec is None or not environment.wanted or not environment.is_granted:
        return False
    if any(each.change.kind == ChangeKind.SIZE for each in changes):
        return False
    return len(spec.sizes) > 1 or any(each.mode is not Mode.FIXED for each in spec.parameters)


def _questions(environment: Environment) -> list[Question]:
    return list(environment.questions.select_related("asked_by")) if environment.requested_at else []


def _asked_for(environment: Environment, members: list[Member]) -> list[tuple[str, str]]:
    """The answers of a request, and of an environment that is over, so that it can be requested again."""
    if environment.is_granted and environment.phase not in OVER:
        return []
    others = [each for each in members if not each.is_of(environment.owner)]
    people = ", ".join(f"{member.email} ({member.get_role_display()})" for member in others)
    show = people and not environment.awaits_approval
    return [*answers(environment), *([("Collaborators", people)] if show else [])]


def _host_names(environment: Environment) -> tuple[str, ...]:
    spec = environment.readable_spec
    if spec is None or not environment.wanted:
        return ()
    return permits.host_names(spec, environment.cluster.host_patterns, environment.namespace)


def _request_again(environment: Environment, user: User) -> RequestAgain | None:
    """The option to request again. No query for live environments, or for others than the requester."""
    if environment.owner != user or environment.phase not in OVER:
        return None
    template = environment.version.template
    offered = published_versions(user).filter(template=template).exists()
    return RequestAgain(template.slug if offered else "")


def _on_request(environment: Environment, who: str) -> Notice:
    """Whom a request waits for, or why it ended. One query more for a request that was withdrawn."""
    owner = environment.owner
    if environment.awaits_approval:
        text = f"The environment will be created after approval. We'll email {owner} when a decision is made."
        if environment.escalated_at:
            text = f"Escalated to platform admins {_since(environment.escalated_at)}. {text}"
        return Notice("wait", f"Waiting for approval: {who}.", text)
    if environment.phase == Phase.REJECTED:
        by = f" by {environment.decided_by}" if environment.decided_by else ""
        return Notice("bad", f"This request was rejected{by}.", _quoted(environment.decision_note))
    last = environment.events.select_related("actor").filter(kind=Activity.WITHDRAWN).first()
    if last is None:
        return Notice("", "This request was withdrawn.", _quoted(""))
    if last.actor is None:
        return Notice("", "This request has ended.", f"{last.message} Nothing was created.")
    return Notice("", f"This request was withdrawn by {last.actor}.", _quoted(last.data.get("note", "")))


def _since(moment: datetime) -> str:
    """How long ago, in words."""
    return dates.relative((moment - timezone.now()).total_seconds())


def _said(conditions: list[Condition], reason: str) -> str:
    """The message of the condition with a reason; empty if there is none."""
    return next((condition.message for condition in conditions if condition.reason == reason), "")


def _rejected(environment: Environment, conditions: list[Condition]) -> Notice | None:
    """That objects of the template are there, and their pods cannot start."""
    text = _said(conditions, objects.PODS_REJECTED) if environment.wanted else ""
    return Notice("warn", "The template's pods can't start.", text) if text else None


def _quoted(note: str) -> str:
    return f"“{note}” Nothing was created." if note else "Nothing was created."


def _not_read(unread: list[KindLook]) -> str:
    """Since when the portal knows nothing of some kinds of objects, what that means, and why it is so."""
    errors = dict.fromkeys(look.error for look in unread if look.error)
    means = "Until the portal can read them again, it does not notice if someone changes them."
    return " ".join([looks.sentence(unread, timezone.now()), means, *errors])


def notice(environment: Environment, lines: list[TimelineEntry]) -> Notice | None:
    """What is waiting and for whom, or what a person has to do; None if all is well."""
    if environment.wanted and environment.readable_spec is None:
        return Notice("bad", "This environment's template can't be read.", UNREADABLE)
    failed = next((line for line in lines if line.tone == "bad"), None)
    if failed:
        return Notice("bad", f"{failed.title} failed.", failed.message, can_retry=True)
    waiting = next((line for line in lines if line.tone == "wait" and line.attempts), None)
    if waiting and waiting.next_try_at:
        title = f"Waiting for step “{waiting.title}”."
        return Notice("wait", title, waiting.message, can_retry=True, next_try_at=waiting.next_try_at)
    opened = next((line for line in lines if line.tone == "warn"), None)
    if opened and environment.wanted:
        can_retry = opened.message != environment.cluster.isolation_warning
        return Notice("warn", f"{opened.title} is not guaranteed.", opened.message, can_retry=can_retry)
    if unread := environment.unread:
        return Notice("warn", "Not everything here could be checked.", _not_read(unread))
    if environment.orphaned_at and environment.wanted:
        text = f"{environment.orphaned_why} Hand it over to someone, or delete it."
        return Notice("warn", "This environment has no owner.", text)
    worst = fullest(environment)
    if worst and worst.tone and environment.wanted:
        title = f"{worst.name}: {worst.percent} % of the quota is used."
        return Notice(worst.tone, title, "When the quota is full, Kubernetes rejects new pods and updates.")
    return None
