"""An environment: the row that the cluster and the directory are made to match."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments import spec as template_spec
from environments.lib import looks
from environments.lib.looks import KindLook
from environments.lib.phases import LIVE, MOVES, NEVER_GRANTED, SETTLED, TONES, Phase
from environments.models import clock
from environments.models.clusters import Cluster
from environments.models.directories import Directory
from environments.models.members import Member
from environments.models.people import Team, User
from environments.models.stand_ins import StandIn
from environments.models.templates import TemplateVersion
from environments.spec import InvalidSpecError, TemplateSpec

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

#: Twice the longest that anything waits but an environment in order: an hour, where a server asks for that.
_FAR = timedelta(hours=2)


class EnvironmentQuerySet(models.QuerySet["Environment"]):
    """Use `visible_to` or `editable_by` for a person. Other methods are for background workers only."""

    def visible_to(self, user: "User | AnonymousUser") -> "EnvironmentQuerySet":
        """What a person may see: their own, those they are a member of, their teams', all for platform admins."""
        if not isinstance(user, User):
            return self.none()
        if user.is_platform_admin:
            return self
        # By the members' indexes, once: not by a look at every environment's members.
        member = Member.objects.of(user).filter(wanted=True)
        return self.filter(
            models.Q(owner=user)
            | models.Q(team__in=user.team_ids)
            | models.Q(team__in=user.managed_team_ids)
            | models.Q(pk__in=member.order_by().values("environment"))
        )

    def of(self, user: User) -> "EnvironmentQuerySet":
        """What a person owns or is a member of."""
        member = Member.objects.of(user).filter(wanted=True)
        return self.filter(models.Q(owner=user) | models.Q(pk__in=member.order_by().values("environment")))

    def editable_by(self, user: "User | AnonymousUser") -> "EnvironmentQuerySet":
        """What a person may change: their own, what their teams' leavers left behind, all for platform admins."""
        if not isinstance(user, User):
            return self.none()
        if user.is_platform_admin:
            return self
        left_behind = models.Q(team__in=user.managed_team_ids, orphaned_at__isnull=False)
        return self.filter(models.Q(owner=user) | left_behind)

    def reported_to(self, user: "User | AnonymousUser") -> "EnvironmentQuerySet":
        """What a person's reports are about: the teams that they manage now, all for platform admins."""
        if not isinstance(user, User) or not (user.is_manager or user.is_platform_admin):
            return self.none()
        return self if user.is_platform_admin else self.filter(team__in=user.managed_teams.all())

    def decidable_by(self, user: "User | AnonymousUser") -> "EnvironmentQuerySet":
        """The requests that a person may decide on, or might have: their managed teams', all for platform admins.

        A stand-in also decides on those of the absent manager's teams that they are in themselves. Never on their own,
        but for a platform admin where there is neither another one nor a manager of the team.
        """
        if not isinstance(user, User) or not user.is_approver:
            return self.none()
        asked = self.filter(requested_at__isnull=False)
        if not user.is_platform_admin:
            theirs = models.Q(team__in=user.managed_teams.all()) if user.is_manager else models.Q(pk__in=())
            return asked.filter(theirs | _stood_in_for(user)).exclude(owner=user)
        others = User.objects.filter(is_active=True).exclude(pk=user.pk)
        managers = others.filter(is_manager=True, managed_teams=models.OuterRef("team"))
        admins = User.objects.platform_admins().filter(is_active=True).exclude(pk=user.pk)
        alone = ~models.Exists(admins) & ~models.Exists(managers)
        return asked.filter(~models.Q(owner=user) | alone)

    def awaiting_approval(self) -> "EnvironmentQuerySet":
        """The requests that wait for approval."""
        return self.filter(phase=Phase.AWAITING_APPROVAL)

    def awaiting(self, user: "User") -> tuple[int, datetime | None]:
        """How many wait for this person's decision, and since when the first; None where none does. One query."""
        requests = self.decidable_by(user).awaiting_approval().order_by()
        found = requests.aggregate(number=models.Count("pk"), oldest=models.Min("requested_at"))
        return found["number"], found["oldest"]

    def number_awaiting(self, user: "User") -> int:
        """How many wait for this person's decision, which every page of an approver shows.

        A platform admin decides on all but their own: only if there is one of those, the whole question is asked.
        """
        if user.is_platform_admin:
            asked = self.awaiting_approval().filter(requested_at__isnull=False).order_by()
            owners = list(asked.values_list("owner", flat=True))
            if user.pk not in owners:
                return len(owners)
        return self.decidable_by(user).awaiting_approval().count()

    def granted(self) -> "EnvironmentQuerySet":
        """Environments that were granted. Leaves out requests that wait, were rejected or were withdrawn."""
        return self.exclude(phase__in=NEVER_GRANTED)

    def live(self) -> "EnvironmentQuerySet":
        """All that have not ended, including requests that wait for approval."""
        return self.filter(phase__in=LIVE)

    def outdated(self) -> "EnvironmentQuerySet":
        """Those whose template has another published version than theirs, which they can move to."""
        return self.filter(_is_outdated())

    def with_outdated(self) -> "EnvironmentQuerySet":
        """The same rows, each with whether it is one of the outdated as `is_outdated`."""
        return self.annotate(is_outdated=models.ExpressionWrapper(_is_outdated(), models.BooleanField()))

    def owe(self) -> int:
        """Owe each one more reconcile, after any that is running now; how many they are."""
        return self.update(generation=models.F("generation") + 1)

    def owed(self) -> "EnvironmentQuerySet":
        """Environments that need a reconcile now and that no worker holds. Leaves out requests without approval.

        A time further ahead than anybody sets one was written by a clock that was wrong, and counts as come.
        """
        now: Any = clock.database_now()
        lease, resync = (timedelta(seconds=each) for each in (settings.LEASE_SECONDS, settings.RESYNC_SECONDS))
        due = models.Q(next_reconcile_at__lte=now) | models.Q(next_reconcile_at__gt=now + _FAR + 2 * resync)
        due |= ~models.Q(phase=Phase.READY) & models.Q(next_reconcile_at__gt=now + _FAR)
        free = models.Q(lease_until=None) | models.Q(lease_until__lt=now) | models.Q(lease_until__gt=now + 2 * lease)
        return self.filter(models.Q(observed_generation__lt=models.F("generation")) | due).filter(free).granted()

    def move_to(self, phase: Phase, **changes: Any) -> int:
        """Change the phase, with other fields, of the rows whose phase may become this one; how many those are.

        Nothing else changes a phase. phases.MOVES says what is legal; other rows stay as they are.
        """
        before = [one for one, after in MOVES.items() if phase in after]
        return self.filter(phase__in=before).update(phase=phase, **changes)


def _is_outdated() -> models.Q:
    """That an environment's template has another published version than its own, which it can move to."""
    published = TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED)
    other = published.filter(template=models.OuterRef("version__template")).exclude(pk=models.OuterRef("version"))
    return models.Q(models.Exists(other), wanted=True) & ~models.Q(phase__in=NEVER_GRANTED)


def _stood_in_for(user: User) -> models.Q:
    """The requests on which a person decides as a stand-in. No part of the query unless they are one."""
    if not user.stands_in:
        return models.Q(pk__in=())
    sees = models.Q(team__in=user.teams.all()) | models.Q(team__in=user.managed_teams.all())
    return sees & models.Q(models.Exists(StandIn.objects.on_requests_of(user)))


class Alerts(models.TextChoices):
    """Where alerts about a nearly full quota are sent."""

    MAIL = "mail", "In the portal and by email"
    PORTAL = "portal", "In the portal only"
    OFF = "off", "Off"


class Environment(models.Model):
    """A governed namespace on a cluster, its groups in a directory, and who has access.

    `generation` counts what was asked, `observed_generation` what was carried out; while they differ,
    or `next_reconcile_at` has come, a reconcile is owed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=60)
    purpose = models.CharField(max_length=200, blank=True)
    namespace = models.CharField(max_length=63, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="environments")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="environments")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="environments")
    spec = models.JSONField(help_text="The template version's content at the time of the request.")
    size = models.CharField(max_length=40, blank=True)
    parameters = models.JSONField(default=dict)
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="environments")
    directory = models.ForeignKey(Directory, on_delete=models.PROTECT, related_name="environments")

    reserved_cpu = models.DecimalField(
        max_digits=18, decimal_places=3, default=0, help_text="Cores that the quota grants."
    )
    reserved_memory = models.BigIntegerField(default=0, help_text="Bytes that the quota grants.")
    reserved_storage = models.BigIntegerField(null=True, editable=False, help_text="Bytes that the quota grants.")
    reserved_gpus = models.BigIntegerField(null=True, editable=False, help_text="GPUs that the quota grants.")

    phase = models.CharField(max_length=24, choices=Phase, default=Phase.PROVISIONING)
    wanted = models.BooleanField(default=True, help_text="Off: the environment is to be deleted.")
    generation = models.PositiveIntegerField(default=1)
    observed_generation = models.PositiveIntegerField(default=0)
    next_reconcile_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    namespace_uid = models.CharField("namespace UID", max_length=64, blank=True)
    applied_objects = models.JSONField(
        default=list,
        blank=True,
        help_text="The template's own objects, as Kind/name, including those about to be created.",
    )
    drift = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        editable=False,
        help_text="What its objects on the cluster have otherwise than wanted, field by field.",
    )

    usage = models.JSONField(default=dict, help_text="Latest usage: resource -> [used, hard], as quantities.")
    usage_at = models.DateTimeField(null=True, blank=True)
    fullest = models.FloatField(default=0, help_text="The highest usage of all resources: used / hard.")
    counted_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Hourly usage is recorded up to this time."
    )

    alerts = models.CharField(
        max_length=6, choices=Alerts, default=Alerts.MAIL, db_default=Alerts.MAIL, help_text="Where alerts are sent."
    )
    alert_warn = models.PositiveSmallIntegerField(default=80, db_default=80, help_text="Percent of a quota.")
    alert_bad = models.PositiveSmallIntegerField(default=95, db_default=95, help_text="Percent of a quota.")
    alert_state = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        editable=False,
        help_text="Resource -> the level of the last alert: warn or bad.",
    )
    alert_rising = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        editable=False,
        help_text="Resource -> levels that it has reached without an alert so far, each with the time since when.",
    )
    alert_mailed = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        editable=False,
        help_text="Resource -> level and time of the last alert by email, for a day.",
    )

    created_at = models.DateTimeField(
        default=timezone.now,
        help_text="When it was requested, or approved if it needed approval. Its lifetime starts here.",
    )
    requested_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was requested, if it needed approval."
    )
    deciders_told_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the approvers were last told about it."
    )
    escalated_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When platform admins were asked, too."
    )
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When it was approved or rejected.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The absent manager for whom a stand-in decided.",
    )
    decision_note = models.CharField(max_length=500, blank=True, default="", db_default="")
    applied_digests = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    ready_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    extensions = models.PositiveIntegerField(default=0, help_text="How many times it was extended.")
    noticed_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The last expiry notice, in days before the end."
    )
    noticed_at = models.DateTimeField(null=True, blank=True)
    orphaned_at = models.DateTimeField(
        null=True, blank=True, help_text="When the portal found that its owner has left."
    )
    orphaned_why = models.CharField(max_length=200, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = EnvironmentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=["owner", "phase"]),
            models.Index(fields=["team", "phase"]),
            models.Index(fields=["cluster", "phase"]),
            models.Index(fields=["next_reconcile_at"]),
            # The list, newest first, and how many there are: whoever may see them, without reading the wide rows.
            models.Index(
                fields=["-created_at", "id", "phase", "owner", "team", "cluster", "version"], name="environment_list"
            ),
            models.Index(
                fields=["orphaned_at"], name="environment_orphaned", condition=models.Q(orphaned_at__isnull=False)
            ),
            models.Index(
                fields=["generation"],
                name="environment_owed",
                condition=models.Q(observed_generation__lt=models.F("generation")),
            ),
            models.Index(
                fields=["requested_at"],
                name="environment_awaiting",
                condition=models.Q(phase=Phase.AWAITING_APPROVAL),
            ),
            models.Index(
                fields=["-decided_at"], name="environment_decided", condition=models.Q(decided_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_settled(self) -> bool:
        """Whether no work is in progress."""
        return self.phase in SETTLED and self.observed_generation >= self.generation

    @property
    def awaits_approval(self) -> bool:
        """Whether it is a request that waits for approval."""
        return self.phase == Phase.AWAITING_APPROVAL

    @property
    def is_granted(self) -> bool:
        """Whether it is or was an environment, not only a request."""
        return self.phase not in NEVER_GRANTED

    @property
    def asked_at(self) -> datetime:
        """When it was requested."""
        return self.requested_at or self.created_at

    @property
    def tone(self) -> str:
        """The colour class of the phase."""
        return TONES[Phase(self.phase)]

    @property
    def unread(self) -> list[KindLook]:
        """The kinds of its objects of which the portal has known nothing for too long; they may have changed."""
        young = timezone.now() - timedelta(seconds=looks.FEW * settings.OBSERVE_SECONDS)
        if self.phase not in (Phase.READY, Phase.DEGRADED) or self.ready_at is None or self.ready_at > young:
            return []
        return self.cluster.unread({*looks.GOVERNING, *(key.partition("/")[0] for key in self.applied_objects)})

    @property
    def template_spec(self) -> template_spec.TemplateSpec:
        """The snapshot as checked data."""
        return template_spec.parse_stored(self.spec)

    @property
    def readable_spec(self) -> TemplateSpec | None:
        """The snapshot as checked data, None if this version of the portal cannot read it."""
        try:
            return self.template_spec
        except InvalidSpecError:
            return None

    @property
    def size_label(self) -> str:
        """The size in words, empty where the template has none."""
        spec = self.readable_spec
        size = spec.size(self.size) if spec else None
        return size.title if size else ""

    def extended_end(self) -> datetime | None:
        """The end after one more extension from now; None before the last weeks, and if the template allows none."""
        spec = self.readable_spec
        if spec is None or self.ends_at is None or spec.lifetime_days is None or not self.wanted:
            return None
        return spec.extension.after(spec.lifetime_days, self.created_at, self.ends_at, self.extensions, timezone.now())
