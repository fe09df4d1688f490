"""What happened, by whom. Rows are added, never changed (but for the mark that a message went out)."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.environments import Environment
from environments.models.people import User


class Event(models.Model):
    """One line of an environment's history; `actor` None is the portal itself."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    verb = models.CharField(max_length=40)
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

    @classmethod
    def record(
        cls,
        environment: Environment,
        actor: User | None,
        verb: str,
        message: str,
        data: dict[str, Any] | None = None,
        **more: Any,
    ) -> "Event":
        """Add a line. What people read may be cut to its column; `data` has everything that it concerns."""
        return cls.objects.create(
            environment=environment, actor=actor, verb=verb, message=message[:500], data=data or {}, **more
        )
