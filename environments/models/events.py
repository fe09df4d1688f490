"""What happened, by whom, and the emails about it that wait for a later moment.

Events are added, never changed, except to note that an email was sent.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import RowNumber
from django.utils import timezone

from environments.lib.activity import Activity
from environments.models.environments import Environment
from environments.models.people import User


class Side(models.TextChoices):
    """Whose activity an event is: a person's, the portal's, or one of the portal's alerts about quotas."""

    PEOPLE = "people"
    PORTAL = "portal"
    ALERTS = "alerts"


class EventQuerySet(models.QuerySet["Event"]):
    """Queries for events, by who made them."""

    def newest_of_each_side(self, number: int) -> "EventQuerySet":
        """The newest so many of people, of the portal and of its alerts, each with its `Side` as `side`. One query."""
        side = models.Case(
            models.When(actor__isnull=False, then=models.Value(Side.PEOPLE)),
            models.When(kind=Activity.QUOTA_NEARLY_FULL, then=models.Value(Side.ALERTS)),
            default=models.Value(Side.PORTAL),
            output_field=models.CharField(),
        )
        place = models.Window(RowNumber(), partition_by=side, order_by=("-at", "-id"))
        return self.annotate(side=side, place=place).filter(place__lte=number)

    def of_people(self) -> "EventQuerySet":
        """What people did."""
        return self.filter(actor__isnull=False)

    def of_portal(self) -> "EventQuerySet":
        """What the portal did or noticed, without its alerts."""
        return self.filter(actor=None).exclude(kind=Activity.QUOTA_NEARLY_FULL)

    def of_alerts(self) -> "EventQuerySet":
        """The portal's alerts about quotas."""
        return self.filter(actor=None, kind=Activity.QUOTA_NEARLY_FULL)


class Event(models.Model):
    """One line of an environment's history; `actor` None is the portal itself."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=40, choices=Activity, db_column="verb")
    message = models.CharField(max_length=500)
    data = models.JSONField(default=dict)
    tone = models.CharField(max_length=4, blank=True)
    notice_owed = models.BooleanField(default=False, help_text="An email about this still has to be sent.")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes = (
            models.Index(fields=["environment", "-at"]),
            models.Index(fields=["-at", "-id"], name="event_newest"),
            models.Index(fields=["id"], name="event_notice_owed", condition=models.Q(notice_owed=True)),
        )

    def __str__(self) -> str:
        return self.message

    @property
    def activity(self) -> Activity | None:
        """The kind with its icon and email; None for a kind that only another version of the portal knows."""
        return Activity(self.kind) if self.kind in Activity.values else None

    @classmethod
    def new(cls, kind: Activity, message: str, **more: Any) -> "Event":
        """An unsaved line with the tone and the email of its kind, unless `more` says otherwise.

        What people read may be cut to its column; `data` has everything that it concerns.
        """
        of_kind = {"tone": kind.tone, "notice_owed": kind.mail is not None}
        return cls(kind=kind, message=message[:500], **(of_kind | more))

    @classmethod
    def record(
        cls,
        environment: Environment,
        actor: User | None,
        kind: Activity,
        message: str,
        data: dict[str, Any] | None = None,
        **more: Any,
    ) -> "Event":
        """Add a line, as `new` makes it."""
        event = cls.new(kind, message, environment=environment, actor=actor, data=data or {}, **more)
        event.save(force_insert=True)
        return event


class Letter(models.Model):
    """An event that one person gets by email at a later moment, together with everything else that is due to them then.

    Once the email was sent, the row stays for a while: it says when the person got the last one.
    """

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="letters")
    address = models.EmailField()
    due_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, help_text="When a worker last tried to send it.")
    sent_at = models.DateTimeField(null=True, help_text="When it was sent, or found to be out of date.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["address", "event"], name="one_letter_per_event"),)
        indexes = (models.Index(fields=["due_at"], name="letter_due", condition=models.Q(sent_at=None)),)

    def __str__(self) -> str:
        return f"{self.event_id} to {self.address}"
