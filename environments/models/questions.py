"""What approvers ask about a request before they decide."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.environments import Environment

MAX_TEXT = 500


class Question(models.Model):
    """An approver's question and the requester's answer. The request waits at its place."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="questions")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    text = models.CharField(max_length=MAX_TEXT)
    answer = models.CharField(max_length=MAX_TEXT, blank=True, default="")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("asked_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["environment"], condition=models.Q(answered_at=None), name="one_open_question_per_request"
            ),
        )

    def __str__(self) -> str:
        return self.text
