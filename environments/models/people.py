"""Users with their role, teams and invitations."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class PeopleQuerySet(models.QuerySet["User"]):
    """Queries for users."""

    def platform_admins(self) -> "PeopleQuerySet":
        """The users who manage clusters, templates and all environments, as `User.is_platform_admin`."""
        return self.filter(is_superuser=True)


class People(UserManager["User"]):
    """Accounts. Their addresses are stored in lower case, as sign-in looks them up."""

    use_in_migrations = False

    def get_queryset(self) -> PeopleQuerySet:
        """All users."""
        return PeopleQuerySet(self.model, using=self._db)

    def platform_admins(self) -> PeopleQuerySet:
        """The users who manage clusters, templates and all environments."""
        return self.get_queryset().platform_admins()

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The address as it is stored."""
        return (email or "").strip().lower()

    def with_address(self, email: str) -> models.QuerySet["User"]:
        """The users with this address, in upper or lower case, by the index `user_address`.

        Not `email__iexact`: in upper case, as PostgreSQL compares, a dotless i is an i, and an address with one would
        open another's account (CVE-2019-19844). On SQLite it is a LIKE, which reads every row.
        """
        return self.alias(address=Lower("email")).filter(address=self.normalize_email(email))


class User(AbstractUser):
    """A person. Role and teams come from the groups claim or from a platform admin; `follows_claim` says which.

    Django's `is_superuser` is the column behind `is_platform_admin`.
    """

    email = models.EmailField("email address", unique=True)
    is_manager = models.BooleanField(
        "manager",
        default=False,
        help_text="Can see environments and reports of the teams they manage, and approve their requests.",
    )
    wants_summary = models.BooleanField(
        "monthly summary", default=False, db_default=False, help_text="A monthly email about the teams they manage."
    )
    summary_sent_for = models.DateField(
        null=True, blank=True, editable=False, help_text="First day of the last month that they got a summary for."
    )
    summary_tried_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a worker last tried to send it."
    )
    email_choices = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        editable=False,
        help_text="Email topic -> when they want to get it (lib/emails.py). Topics that are missing: at once.",
    )
    groups_claim = models.JSONField(
        "groups claim",
        default=list,
        blank=True,
        editable=False,
        help_text="What the identity provider sent at the last sign-in.",
    )

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    objects: ClassVar[People] = People()

    class Meta(AbstractUser.Meta):
        indexes = (models.Index(Lower("email"), name="user_address"),)

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def follows_claim(self) -> bool:
        """Whether role and teams come from the identity provider; otherwise this is a local account."""
        if not settings.OIDC_ISSUER or not settings.LOCAL_ACCOUNTS:
            return bool(settings.OIDC_ISSUER)
        return self.pk is not None and bool(self.socialaccount_set.exists())  # type: ignore[attr-defined] # allauth's

    @property
    def is_platform_admin(self) -> bool:
        """Whether they manage clusters, templates and all environments."""
        return self.is_superuser

    @property
    def role_name(self) -> str:
        """Their role in the portal, as a word."""
        if self.is_platform_admin:
            return "Platform admin"
        return "Manager" if self.is_manager else "Developer"


class Team(models.Model):
    """A group of people who share what they make; both groups are values of the groups claim."""

    name = models.CharField(max_length=80, unique=True)
    group = models.CharField(
        max_length=255, unique=True, help_text="People with this value in their groups claim are members."
    )
    manager_group = models.CharField(
        max_length=255, blank=True, help_text="People with this value in their groups claim are managers."
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


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Queries for invitations."""

    def open(self) -> "InvitationQuerySet":
        """Invitations that can be accepted now."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """An invitation to create a local account, with who sent it and its outcome."""

    class Role(models.TextChoices):
        DEVELOPER = "developer", "Developer"
        MANAGER = "manager", "Manager"
        ADMIN = "admin", "Platform admin"

    email = models.EmailField("email address")
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=10, choices=Role, default=Role.DEVELOPER)
    teams: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, blank=True, related_name="+", help_text="The person's teams. For a manager: the teams they manage."
    )
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    invited_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    mailed_at = models.DateTimeField("email sent", null=True, editable=False)
    accepted_at = models.DateTimeField(null=True, editable=False)
    account = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    revoked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-invited_at",)

    def __str__(self) -> str:
        return self.email

    @property
    def state(self) -> str:
        """Open, accepted, revoked or expired."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "open" if self.expires_at > timezone.now() else "expired"
