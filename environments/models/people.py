"""Users with their identity, role, teams and invitations."""

from typing import Any, ClassVar

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

    def local(self) -> "PeopleQuerySet":
        """Accounts of the portal's own: no identity provider signed them in yet."""
        return self.filter(provider="", socialaccount=None)


class People(UserManager["User"]):
    """Accounts. Their addresses are stored in lower case, as sign-in looks them up."""

    use_in_migrations = False

    def get_queryset(self) -> PeopleQuerySet:
        """All users."""
        return PeopleQuerySet(self.model, using=self._db)

    def platform_admins(self) -> PeopleQuerySet:
        """The users who manage clusters, templates and all environments."""
        return self.get_queryset().platform_admins()

    def local(self) -> PeopleQuerySet:
        """Accounts of the portal's own."""
        return self.get_queryset().local()

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The address as it is stored."""
        return (email or "").strip().lower()

    def with_address(self, email: str) -> PeopleQuerySet:
        """The users with this address, in upper or lower case, by the index `user_address`.

        A label: several accounts may carry one address. Use `holder_of` to grant something.

        Not `email__iexact`: in upper case, as PostgreSQL compares, a dotless i is an i, and an address with one would
        open another's account (CVE-2019-19844). On SQLite it is a LIKE, which reads every row.
        """
        return self.get_queryset().alias(address=Lower("email")).filter(address=self.normalize_email(email))

    def holder_of(self, email: str) -> "User | None":
        """The active account that is known to hold this address; None if there is none. At most one can be."""
        return self.with_address(email).filter(email_trusted=True, is_active=True).first()


class User(AbstractUser):
    """A person. Role and teams come from the groups claim or from a platform admin; `follows_claim` says which.

    Django's `is_superuser` is the column behind `is_platform_admin`.
    """

    email = models.EmailField("email address")
    email_trusted = models.BooleanField(
        "address trusted",
        default=True,
        db_default=False,
        editable=False,
        help_text="Whether the address is known to be theirs. What is shared with an address needs that.",
    )
    # The key of a person (OpenID Connect Core §5.7): the configured provider, its issuer, and the subject there.
    provider = models.CharField(
        "identity provider",
        max_length=32,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Empty: a local account.",
    )
    issuer = models.CharField(max_length=500, blank=True, default="", db_default="", editable=False)
    subject = models.CharField(max_length=191, blank=True, default="", db_default="", editable=False)
    claimed_email = models.CharField(
        max_length=254,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The claim `email` as the provider spells it, which is how a cluster compares it.",
    )
    claimed_username = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The claim `preferred_username`, as sent.",
    )
    token_claims = models.JSONField(
        default=dict, db_default={}, blank=True, editable=False, help_text="The claims that are text, as sent."
    )
    groups_problem = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Why the last sign-in brought no groups, or not all of them.",
    )
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
    stands_in_until = models.DateField(
        null=True, blank=True, editable=False, help_text="The last day on which they decide for an absent manager."
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
        constraints = (
            models.UniqueConstraint(
                fields=["provider", "issuer", "subject"], condition=~models.Q(subject=""), name="one_account_per_key"
            ),
            models.UniqueConstraint(
                fields=["email"], condition=models.Q(provider=""), name="one_local_account_per_address"
            ),
            models.UniqueConstraint(
                Lower("email"), condition=models.Q(email_trusted=True), name="one_holder_per_address"
            ),
        )

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def follows_claim(self) -> bool:
        """Whether role and teams come from the identity provider; otherwise this is a local account."""
        has_provider = bool(settings.OIDC_ISSUER or settings.OIDC_PROVIDERS)
        if not has_provider or not settings.LOCAL_ACCOUNTS:
            return has_provider
        # The version before writes no provider: its accounts get theirs at their next sign-in.
        return bool(self.provider) or (self.pk is not None and bool(self.socialaccount_set.exists()))  # type: ignore[attr-defined] # allauth's

    @property
    def token_facts(self) -> dict[str, Any]:
        """What this person's tokens are known to say, as sent: claims that are text, and the groups.

        `iss`, `sub`, `email` and `preferred_username` are there if they are known. Empty for a local account.
        """
        known = {
            "iss": self.issuer,
            "sub": self.subject,
            "email": self.claimed_email,
            "preferred_username": self.claimed_username,
        }
        facts = {**self.token_claims, **{name: value for name, value in known.items() if value}}
        return facts | {"groups": list(self.groups_claim)} if facts else {}

    @property
    def mail_addresses(self) -> list[str]:
        """Where to write to them: nowhere, if their last known address has become another account's."""
        if not self.email_trusted and User.objects.holder_of(self.email):
            return []
        return [self.email]

    @property
    def sign_in_notes(self) -> list[str]:
        """What their last sign-in left to be desired, a sentence each: why they see less than they may expect."""
        notes = [self.groups_problem] if self.groups_problem else []
        if self.provider and not self.email_trusted:
            notes.append(
                f"Environments that are shared with {self.email} are not shown, because your identity provider has not "
                "verified that the address is yours, or another account holds it. Ask a platform admin for help."
            )
        return notes

    @property
    def team_ids(self) -> "models.QuerySet[Any, Any]":
        """The ids of the teams that they are in, as a part of another query, which reads no team for it."""
        return Team.members.through._default_manager.filter(user=self).values("team")

    @property
    def managed_team_ids(self) -> "models.QuerySet[Any, Any]":
        """The same of the teams that they manage."""
        return Team.managers.through._default_manager.filter(user=self).values("team")

    @property
    def is_platform_admin(self) -> bool:
        """Whether they manage clusters, templates and all environments."""
        return self.is_superuser

    @property
    def stands_in(self) -> bool:
        """Whether they are named as someone's stand-in today. A hint without a query; StandIn says for whom."""
        return self.stands_in_until is not None and self.stands_in_until >= timezone.now().date()

    @property
    def is_approver(self) -> bool:
        """Whether there can be requests that they decide on: as manager, platform admin or stand-in."""
        return self.is_manager or self.is_platform_admin or self.stands_in

    @property
    def role_name(self) -> str:
        """Their role in the portal, as a word."""
        if self.is_platform_admin:
            return "Platform admin"
        return "Manager" if self.is_manager else "Developer"


class TeamQuerySet(models.QuerySet["Team"]):
    """Queries for teams."""

    def shareable_by(self, user: User) -> "TeamQuerySet":
        """The teams that a person can share an environment with: every team, as they can with every person."""
        return self if user.is_active else self.none()


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

    objects = TeamQuerySet.as_manager()

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
