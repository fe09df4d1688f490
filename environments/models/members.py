"""Who has access to an environment: its members, and the directory groups that hold its roles."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from environments.lib.phases import Role
from environments.models.clusters import Access, Cluster
from environments.models.people import Team, User


class Group(models.Model):
    """The directory group that holds one role of an environment. Its name is fixed before the first call."""

    environment = models.ForeignKey("environments.Environment", on_delete=models.CASCADE, related_name="groups")
    role = models.CharField(max_length=12, choices=Role)
    name = models.CharField(max_length=120, unique=True)
    directory_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("role",)
        constraints = (models.UniqueConstraint(fields=["environment", "role"], name="one_group_per_role"),)

    def __str__(self) -> str:
        return self.name


class GroupMemberQuerySet(models.QuerySet["GroupMember"]):
    """Queries for groups that are members."""

    def of(self, user: User) -> "GroupMemberQuerySet":
        """Those that a person is known to be in: by their teams, or by the groups claim of their last sign-in.

        A claim counts only where the cluster trusts the issuer that sent it: another has groups of the same names.
        """
        found = models.Q(team__in=user.teams.all())
        if user.issuer and user.groups_claim:
            values, issuer = list(user.groups_claim), user.issuer.rstrip("/")
            named = models.Q(name__in=values) | models.Q(path__in=values) | models.Q(directory_id__in=values)
            trusted = models.Q(environment__cluster__oidc_issuer__in=(issuer, f"{issuer}/"))
            found |= named & trusted & models.Q(team=None, environment__cluster__access=Access.OIDC)
        return self.filter(found)


class GroupMember(models.Model):
    """A group that the portal did not make, and that has a role: one of the directory, or a team of the portal.

    The portal binds its name and never changes it. `directory_id` is which one it is: another group that gets the name
    later gets nothing with it.
    """

    environment = models.ForeignKey("environments.Environment", on_delete=models.CASCADE, related_name="group_members")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships")
    name = models.CharField(max_length=255, help_text="As the directory spells it.")
    path = models.CharField(max_length=1000, blank=True, help_text="With the groups around it (Keycloak).")
    directory_id = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=12, choices=Role)
    wanted = models.BooleanField(default=True, help_text="Off: to be removed from the role binding.")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    size = models.PositiveIntegerField("members", null=True, help_text="How many the directory counts.")
    present = models.BooleanField("in the directory", null=True)
    bound = models.BooleanField("role binding", null=True)
    allowed = models.BooleanField("verified", null=True)
    message = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(null=True)

    objects = GroupMemberQuerySet.as_manager()

    class Meta:
        ordering = ("added_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["environment", "directory_id"], condition=models.Q(team=None), name="one_member_per_group"
            ),
            models.UniqueConstraint(fields=["environment", "team"], name="one_member_per_team"),
        )
        indexes = (models.Index(fields=["name"], name="group_member_name"),)

    def __str__(self) -> str:
        return str(self.team) if self.team else self.name

    def claim(self, cluster: Cluster) -> str:
        """The value of the groups claim by which a cluster knows a team; empty if its people are members one by one.

        Teams follow the claim of the portal's first identity provider: another has groups of its own.
        """
        if self.team is None or not cluster.bind_groups or cluster.access != Access.OIDC or not settings.OIDC_ISSUER:
            return ""
        return self.team.group if cluster.oidc_issuer.rstrip("/") == settings.OIDC_ISSUER.rstrip("/") else ""

    @property
    def is_expanded(self) -> bool:
        """Whether it is a team whose people are members one by one."""
        return self.team_id is not None and not self.claim(self.environment.cluster)

    @property
    def kind(self) -> str:
        """What it is, as a word: team or group."""
        return "team" if self.team_id else "group"


class MemberQuerySet(models.QuerySet["Member"]):
    """Queries for members."""

    def with_address(self, email: str) -> "MemberQuerySet":
        """The members with this address, in upper or lower case; not by `iexact`, see `People.with_address`.

        A label: two people may have had one address, one after the other. Use `of` for a person.
        """
        return self.alias(address=Lower("email")).filter(address=User.objects.normalize_email(email))

    def of(self, user: User) -> "MemberQuerySet":
        """This person's own: linked to them, or not linked yet and with an address that is known to be theirs."""
        if not user.email_trusted:
            return self.filter(person=user)
        mine = models.Q(person=user) | models.Q(person=None, address=User.objects.normalize_email(user.email))
        return self.alias(address=Lower("email")).filter(mine)


class Member(models.Model):
    """One person's access, and its status in the directory and on the cluster.

    `person` is who it is, from the moment that the portal knows them; until then it is whoever holds `email`.
    """

    environment = models.ForeignKey("environments.Environment", on_delete=models.CASCADE, related_name="members")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships"
    )
    email = models.EmailField()
    directory_email = models.CharField(
        max_length=254, blank=True, default="", db_default="", help_text="The address as the directory spells it."
    )
    address_lost = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The address has become another person's, so no role binding names it.",
    )
    username = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=12, choices=Role)
    wanted = models.BooleanField(default=True, help_text="Off: to be removed from the group.")
    through = models.ForeignKey(
        GroupMember,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="people",
        help_text="The team that they are a member with; empty if they were added themselves.",
    )
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    directory_id = models.CharField(
        max_length=200, blank=True, help_text="This person's ID in the directory, once the portal added them."
    )
    token_ends_at = models.DateTimeField(null=True)
    has_account = models.BooleanField(
        default=False, help_text="Whether they have a ServiceAccount for short-lived tokens."
    )
    account_name = models.CharField(
        max_length=63,
        blank=True,
        default="",
        db_default="",
        help_text="Its name. Empty: the one that follows from the address.",
    )
    in_group = models.BooleanField(null=True)
    bound = models.BooleanField("role binding", null=True)
    allowed = models.BooleanField("verified", null=True)
    message = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(null=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        ordering = ("added_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["environment", "email"], condition=models.Q(person=None), name="one_member_per_address"
            ),
            models.UniqueConstraint(fields=["environment", "person"], name="one_member_per_person"),
        )
        indexes = (models.Index(Lower("email"), name="member_address"),)

    def __str__(self) -> str:
        return self.email

    @property
    def is_of_group(self) -> bool:
        """Whether this is one of a group that is a member, who is not stored."""
        return self._state.adding

    def is_of(self, user: User) -> bool:
        """Whether this is the person's own, as `MemberQuerySet.of`. No query."""
        if self.person_id is not None:
            return self.person_id == user.pk
        return user.email_trusted and self.email.lower() == user.email.lower()

    @property
    def token_facts(self) -> dict[str, Any]:
        """What this member's tokens are known to say, as `User.token_facts`; empty before they signed in."""
        return self.person.token_facts if self.person else {}


class Stranger(models.Model):
    """Someone in a group of an environment whom the portal did not put there: an admin of the directory did."""

    environment = models.ForeignKey("environments.Environment", on_delete=models.CASCADE, related_name="strangers")
    role = models.CharField(max_length=12, choices=Role)
    directory_id = models.CharField(max_length=200)
    email = models.CharField(max_length=254, blank=True)
    username = models.CharField(max_length=255, blank=True)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When the portal saw them there first.")

    class Meta:
        ordering = ("seen_at", "id")
        constraints = (
            models.UniqueConstraint(fields=["environment", "role", "directory_id"], name="one_stranger_per_group"),
        )

    def __str__(self) -> str:
        return self.email or self.username or self.directory_id
