"""Who signs in: users with a role, and the teams their groups claim names."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. `is_superuser` (platform admin), `is_manager` and the teams follow the groups claim."""

    email = models.EmailField("e-mail address", unique=True)
    is_manager = models.BooleanField(
        "manager", default=False, help_text="May read the environments and reports of the teams they manage."
    )
    groups_claim = models.JSONField(
        "groups claim",
        default=list,
        blank=True,
        editable=False,
        help_text="What the identity provider said at the last sign-in.",
    )

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def is_platform_admin(self) -> bool:
        """Whether they manage clusters, templates and everybody's environments."""
        return self.is_superuser

    @property
    def role_name(self) -> str:
        """Their role in the portal, as a word."""
        if self.is_superuser:
            return "Platform admin"
        return "Manager" if self.is_manager else "Developer"


class Team(models.Model):
    """A group of people who share what they make; both groups are values of the groups claim."""

    name = models.CharField(max_length=80, unique=True)
    group = models.CharField(
        max_length=255, unique=True, help_text="The value of the groups claim that makes somebody a member."
    )
    manager_group = models.CharField(
        max_length=255, blank=True, help_text="The value of the groups claim that makes somebody its manager."
    )
    cost_centre = models.CharField(max_length=40, blank=True)
    members: "models.ManyToManyField[User, models.Model]" = models.ManyToManyField(
        User, related_name="teams", blank=True, editable=False
    )
    managers: "models.ManyToManyField[User, models.Model]" = models.ManyToManyField(
        User, related_name="managed_teams", blank=True, editable=False
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
