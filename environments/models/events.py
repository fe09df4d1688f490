"""What happened, by whom. Rows are added, never changed, except to note that an email was sent."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.lib.activity import Activity
from environments.models.environments import Environment
from environments.models.people import User


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
