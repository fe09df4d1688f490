"""Changes to an environment that was granted: what is asked for, what was decided, and on which grounds."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.environments import Environment
from environments.models.people import User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

MAX_REASON = 500


class ChangeKind(models.TextChoices):
    """What a change is about. An environment has at most one open change of each kind."""

    SIZE = "size", "Size"
    VERSION = "version", "Version"
    END = "end", "End date"
    OPENING = "opening", "Network opening"


class ChangeState(models.TextChoices):
    """Where a change stands. Only a waiting one is open."""

    WAITING = "waiting", "Waiting for approval"
    APPLIED = "applied", "Applied"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    REPLACED = "replaced", "Out of date"


class ChangeQuerySet(models.QuerySet["Change"]):
    """Use `visible_to` or `decidable_by` for a person. Other methods are for background workers only."""

    def visible_to(self, user: "User | AnonymousUser") -> "ChangeQuerySet":
        """The changes of environments that a person may see."""
        return self.filter(environment__in=Environment.objects.visible_to(user).order_by().values("pk"))

    def decidable_by(self, user: "User | AnonymousUser") -> "ChangeQuerySet":
        """The changes that a person may decide on, or might have: as with requests, and never on what they asked for.

        The exception is the same: a platform admin where nobody else could decide.
        """
        if not isinstance(user, User):
            return self.none()
        theirs = Environment.objects.decided_by(user).order_by().values("pk")
        alone = Environment.objects.decided_only_by(user).order_by().values("pk")
        own = models.Q(asked_by=user) & ~models.Q(environment__in=alone)
        mine = self.filter(environment__in=theirs).exclude(own)
        return mine if user.is_platform_admin else mine.filter(for_admins=False)

    def waiting(self) -> "ChangeQuerySet":
        """The changes that wait for a decision."""
        return self.filter(state=ChangeState.WAITING)

    def awaiting(self, user: "User") -> tuple[int, datetime | None]:
        """How many wait for this person's decision, and since when the first; None where none does. One query."""
        rows = self.decidable_by(user).waiting().order_by()
        found = rows.aggregate(number=models.Count("pk"), oldest=models.Min("asked_at"))
        return found["number"], found["oldest"]


def number_to_decide(user: "User | AnonymousUser") -> int:
    """How many requests and changes wait for a person's decision, which every page of an approver shows. One query.

    A platform admin decides on all but their own: only if there is one of those, the whole question is asked.
    """
    if isinstance(user, User) and user.is_platform_admin:
        requests = Environment.objects.awaiting_approval().filter(requested_at__isnull=False)
        asked = _people(Change.objects.waiting(), "asked_by", "environment__owner")
        people = list(_people(requests, "owner", "owner").union(asked, all=True).order_by())
        if all(user.pk not in both for both in people):
            return len(people)
    mine = _people(Environment.objects.decidable_by(user).awaiting_approval(), "owner", "owner")
    return mine.union(
        _people(Change.objects.decidable_by(user).waiting(), "asked_by", "environment__owner"), all=True
    ).count()


def _people(rows: "models.QuerySet[Any]", who: str, whose: str) -> "models.QuerySet[Any, Any]":
    """Who asked, and whose environment it is about."""
    named = {"who": models.F(f"{who}_id"), "whose": models.F(f"{whose}_id")}
    found: models.QuerySet[Any, Any] = rows.order_by().annotate(**named).values_list("who", "whose")
    return found


def to_decide(user: User) -> tuple[int, datetime | None]:
    """How many requests and changes wait for a person's decision, and since when the first. Two queries."""
    requests, first_request = Environment.objects.awaiting(user)
    changes, first_change = Change.objects.awaiting(user)
    return requests + changes, min(filter(None, (first_request, first_change)), default=None)


class Change(models.Model):
    """One change that somebody asked for, from the question to what came of it. Rows are never deleted.

    `before` and `after` hold what the kind is about (actions/changes): a size and answers, a version's number, an end.
    `figures` are the lines that people were shown: [what, before, after].
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=16, choices=ChangeKind)
    state = models.CharField(max_length=16, choices=ChangeState)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    figures = models.JSONField(default=list)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=MAX_REASON, blank=True, default="")
    for_admins = models.BooleanField(default=False, help_text="Only platform admins can decide.")
    grounds = models.CharField(max_length=300, blank=True, default="", help_text="Why no person had to decide.")
    deciders_told_at = models.DateTimeField(null=True, help_text="When the approvers were last told about it.")
    escalated_at = models.DateTimeField(null=True, help_text="When platform admins were asked, too.")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The absent manager for whom a stand-in decided.",
    )
    decided_at = models.DateTimeField(null=True, help_text="When it was decided, or taken back.")
    note = models.CharField(max_length=500, blank=True, default="")

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ("asked_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["environment", "kind"], condition=models.Q(state="waiting"), name="one_open_change_of_a_kind"
            ),
        )
        indexes = (
            models.Index(fields=["asked_at"], name="change_waiting", condition=models.Q(state="waiting")),
            models.Index(fields=["-decided_at"], name="change_decided", condition=models.Q(decided_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.environment}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state == ChangeState.WAITING
