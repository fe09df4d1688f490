"""How far each step of an environment is."""

from django.db import models
from django.utils import timezone

from environments.lib.phases import TONES, Status
from environments.models.environments import Environment


class Condition(models.Model):
    """One step of an environment, in the manner of a Kubernetes condition."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="conditions")
    type = models.CharField("step", max_length=24)
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts since the step was last done.")
    duration_ms = models.PositiveIntegerField("duration (ms)", null=True, help_text="Duration of the last attempt.")
    next_try_at = models.DateTimeField("next attempt", null=True)
    last_transition_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["environment", "type"], name="one_condition_per_type"),)
        indexes = (
            models.Index(
                fields=["-last_transition_at"], name="condition_not_done", condition=~models.Q(status=Status.DONE)
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.status}"

    @property
    def tone(self) -> str:
        """The colour class of the status."""
        return TONES[Status(self.status)]
