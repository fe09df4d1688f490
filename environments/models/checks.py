"""Checks of template drafts on clusters, before they are published."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.clusters import Cluster
from environments.models.templates import TemplateVersion

#: A check without progress for so long has lost its worker, or its message.
SILENCE = timedelta(minutes=1)


class CheckState(models.TextChoices):
    """The state of a draft's check."""

    RUNNING = "running", "Running"
    REFUSED = "refused", "Rejected"
    STOPPED = "stopped", "Waiting for a decision"
    PUBLISHED = "published", "Published"


class VerdictState(models.TextChoices):
    """What is known of one cluster."""

    WAITING = "waiting", "Waiting"
    CHECKING = "checking", "Checking"
    CHECKED = "checked", "Checked"
    REFUSED = "refused", "Rejected"
    UNREACHABLE = "unreachable", "Not checked"


_TONES = {
    VerdictState.CHECKED: "ok",
    VerdictState.REFUSED: "bad",
    VerdictState.UNREACHABLE: "bad",
    VerdictState.CHECKING: "wait",
    VerdictState.WAITING: "wait",
}
OVER = (VerdictState.CHECKED, VerdictState.REFUSED, VerdictState.UNREACHABLE)


class PublishCheck(models.Model):
    """The last check of a draft on every cluster that its template may use. It publishes the draft if all accept it."""

    State = CheckState

    version = models.OneToOneField(TemplateVersion, on_delete=models.CASCADE, related_name="publish_check")
    digest = models.CharField(max_length=32, help_text="The content that it is about.")
    state = models.CharField(max_length=12, choices=CheckState, default=CheckState.RUNNING)
    message = models.CharField(max_length=500, blank=True, help_text="Why it ended as it did.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Check of {self.version}"

    @property
    def is_running(self) -> bool:
        """Whether more is to come by itself."""
        return self.state == CheckState.RUNNING


class ClusterVerdict(models.Model):
    """What one cluster says of a draft.

    `turn` counts the messages that were read: a message that comes twice finds another turn, and does nothing.
    """

    State = VerdictState

    check_of = models.ForeignKey(PublishCheck, on_delete=models.CASCADE, related_name="verdicts")
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="+")
    run = models.UUIDField(default=uuid.uuid4)
    turn = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=12, choices=VerdictState, default=VerdictState.WAITING)
    position = models.PositiveIntegerField(default=0, help_text="How many samples were tried.")
    tries = models.PositiveIntegerField(default=0, help_text="How often the next one was tried.")
    patience = models.FloatField(default=0, help_text="Seconds left to wait for a cluster that does not answer.")
    results = models.JSONField(default=list, help_text="What the cluster said of each sample.")
    message = models.CharField(max_length=500, blank=True, help_text="Why it could not be checked.")
    is_waived = models.BooleanField(default=False, help_text="To be published without this check.")
    at = models.DateTimeField(default=timezone.now, help_text="Its last progress.")

    class Meta:
        ordering = ("cluster__name",)
        constraints = (models.UniqueConstraint(fields=["check_of", "cluster"], name="one_verdict_per_cluster"),)

    def __str__(self) -> str:
        return f"{self.cluster}: {self.get_state_display()}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in OVER

    @property
    def is_silent(self) -> bool:
        """Whether it has made no progress for a minute."""
        return not self.is_over and self.at < timezone.now() - SILENCE

    @property
    def tone(self) -> str:
        """The colour class of the state."""
        return _TONES[VerdictState(self.state)]

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """What was refused: its place in the template's content, and the sentence; each once."""
        found = [each for result in self.results for each in result["refusals"]]
        return [each for index, each in enumerate(found) if each not in found[:index]]
