"""What is seen of real sign-ins to clusters, and who left a role whose group their token may still name."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from environments.lib.phases import Role
from environments.models.clusters import Cluster
from environments.models.environments import Environment
from environments.models.members import Member

_FORGOTTEN = timedelta(days=31)  # longer than any token that `Cluster.id_token_minutes` may say


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


class DepartureQuerySet(models.QuerySet["Departure"]):
    """Queries for departures."""

    def note(self, environment: Environment, members: models.QuerySet[Member]) -> None:
        """Note that these members lose the roles that they have now, and forget whose tokens have ended long ago."""
        self.filter(environment=environment, out_at__lt=timezone.now() - _FORGOTTEN).delete()
        for member in members.filter(wanted=True).exclude(in_group=False):
            self.create(environment=environment, email=member.email, role=member.role)

    def forget(self, environment: Environment, address: str, role: Role) -> None:
        """Forget that a person left a role that they have again."""
        self.filter(environment=environment, email=address, role=role).delete()

    def confirm(self, environment: Environment) -> int:
        """Note that the directory's groups no longer have whoever left; how many these are."""
        return self.filter(environment=environment, out_at=None).update(out_at=timezone.now())


class Departure(models.Model):
    """A person who lost a role. Until their token ends, it names the role's group, which others may still be in."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="departures")
    email = models.EmailField()
    role = models.CharField(max_length=12, choices=Role)
    left_at = models.DateTimeField(default=timezone.now)
    out_at = models.DateTimeField(
        null=True, help_text="When the directory's group no longer had them: no newer token names it."
    )

    objects = DepartureQuerySet.as_manager()

    class Meta:
        ordering = ("left_at", "id")

    def __str__(self) -> str:
        return f"{self.email}, {self.role}"
