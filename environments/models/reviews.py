"""Reviews: whether an environment is still needed. Asked once, answered by its owner, followed up without an answer."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.models.environments import Environment


class Answer(models.TextChoices):
    """What a review came to."""

    KEEP = "keep", "Kept"
    SMALLER = "smaller", "Made smaller"
    DELETE = "delete", "Deleted"
    NONE = "none", "No answer"  # the environment ended before there was one


class Reason(models.TextChoices):
    """Why the owner was asked."""

    REGULAR = "regular", "Asked regularly"
    IDLE = "idle", "Hardly used"


class ReviewQuerySet(models.QuerySet["Review"]):
    """Queries for reviews."""

    def open(self) -> "ReviewQuerySet":
        """Those that wait for an answer."""
        return self.filter(answered_at=None)


class Review(models.Model):
    """One question to an owner, with what became of it. Rows are never deleted: the next question counts from them."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="reviews")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=8, choices=Reason)
    answer_by = models.DateTimeField(help_text="From then on the team's managers get an email.")
    smaller = models.CharField(max_length=40, blank=True, default="", help_text="The size that would be enough.")
    told_at = models.DateTimeField(null=True, help_text="When the owner got the email.")
    managers_told_at = models.DateTimeField(null=True)
    ends_before = models.DateTimeField(null=True, help_text="The end from before the portal set one.")
    set_end_at = models.DateTimeField(null=True, help_text="When the portal set an end, because no one answered.")
    answer = models.CharField(max_length=8, choices=Answer, blank=True, default="")
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    freed = models.JSONField(default=dict, help_text="What the answer freed: millicores, MiB, GPUs, parts of a month.")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["environment"], condition=models.Q(answered_at=None), name="one_open_review_per_environment"
            ),
        )
        indexes = (models.Index(fields=["asked_at"], name="review_asked"),)

    def __str__(self) -> str:
        return f"Is {self.environment} still needed?"
