"""Identities that the portal cannot assign to an account by itself, and a team's groups at further providers."""

from django.db import models
from django.utils import timezone

from environments.models.people import Team, User


class UnlinkedIdentityQuerySet(models.QuerySet["UnlinkedIdentity"]):
    """Queries for identities without an account."""

    def waiting(self) -> "UnlinkedIdentityQuerySet":
        """The identities that nobody has decided on."""
        return self.filter(outcome="")


class UnlinkedIdentity(models.Model):
    """A person of an identity provider whose sign-in was refused, because they may be the owner of an account.

    A platform admin links it to an account, or lets the person in as somebody else.
    """

    class Outcome(models.TextChoices):
        LINKED = "linked", "Linked to an account"
        SEPARATE = "separate", "Another person"

    provider = models.CharField("identity provider", max_length=32)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=191)
    email = models.CharField("email address", max_length=254, blank=True, help_text="As the provider sent it.")
    email_trusted = models.BooleanField("address verified", default=False)
    username = models.CharField("user name", max_length=255, blank=True)
    name = models.CharField(max_length=300, blank=True)
    account = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", help_text="The account it may belong to."
    )
    first_seen_at = models.DateTimeField("first sign-in", default=timezone.now)
    last_seen_at = models.DateTimeField("last sign-in", default=timezone.now)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = UnlinkedIdentityQuerySet.as_manager()

    class Meta:
        ordering = ("-last_seen_at",)
        verbose_name_plural = "unlinked identities"
        constraints = (
            models.UniqueConstraint(fields=["provider", "issuer", "subject"], name="one_unlinked_identity_per_key"),
        )

    def __str__(self) -> str:
        return f"{self.email or self.username or self.subject} ({self.provider})"


class TeamGroup(models.Model):
    """A team's groups at a further identity provider. Those at the first one are on the team itself."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="further_groups")
    provider = models.CharField("identity provider", max_length=32)
    group = models.CharField(
        max_length=255, help_text="This value in the groups claim makes people of this provider members."
    )
    manager_group = models.CharField(
        max_length=255,
        blank=True,
        help_text="This value in the groups claim makes people of this provider managers.",
    )

    class Meta:
        ordering = ("provider",)
        verbose_name = "group at a further identity provider"
        verbose_name_plural = "groups at further identity providers"
        constraints = (models.UniqueConstraint(fields=["provider", "group"], name="one_team_per_provider_group"),)

    def __str__(self) -> str:
        return f"{self.group} ({self.provider})"
