"""What is seen of real sign-ins to clusters, and who left a role whose group their token may still name."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.lib.phases import Role
from environments.models.clusters import Cluster
from environments.models.environments import Environment


class TokenCheck(models.Model):
    """What a person pasted of their own token on a cluster. An observation: no name and no binding follows from it."""

    class Kind(models.TextChoices):
        WHOAMI = "whoami", "What the API server calls them"
        CLAIMS = "claims", "What the token says"

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="token_checks")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_checks")
    kind = models.CharField(max_length=8, choices=Kind)
    content = models.JSONField(help_text="User name and groups, or the claims that make them.")
    lifetime_seconds = models.PositiveIntegerField(null=True, help_text="How long the token is valid, if it says so.")
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["cluster", "user", "kind"], name="one_token_check_per_kind"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.user} on {self.cluster}"


class Departure(models.Model):
    """A person who lost a role. Until their token ends, it names the role's group, which others may still be in."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="departures")
    email = models.EmailField()
    role = models.CharField(max_length=12, choices=Role)
    left_at = models.DateTimeField(default=timezone.now)
    out_at = models.DateTimeField(
        null=True, help_text="When the directory's group no longer had them: no newer token names it."
    )

    class Meta:
        ordering = ("left_at", "id")

    def __str__(self) -> str:
        return f"{self.email}, {self.role}"
