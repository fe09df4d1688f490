"""Requests for access: a person who sees an environment asks its owner to make them a member."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.environments import Environment


class AccessRequest(models.Model):
    """A person's open request for access. The row goes when it is granted or declined; the activity keeps it."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="access_requests")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("asked_at", "id")
        constraints = (models.UniqueConstraint(fields=["environment", "person"], name="one_access_request_per_person"),)

    def __str__(self) -> str:
        return f"{self.person} for {self.environment}"
