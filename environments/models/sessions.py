"""Sessions that identity providers opened, so that a provider can end them, and the logout tokens that were used.

Source: OpenID Connect Back-Channel Logout 1.0.
"""

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone

from environments.models.people import User


class ProviderSessionQuerySet(models.QuerySet["ProviderSession"]):
    """Queries for sessions by whose they are at the provider."""

    def named(self, provider: str, issuer: str, subject: str, sid: str) -> "ProviderSessionQuerySet":
        """The sessions that a logout token names: one by `sid`, or all of a subject. One of the two may be empty.

        A session whose ID token had no `sid` is taken for the one that is meant, if the subject is its own.
        """
        rows = self.filter(provider=provider, issuer=issuer)
        if subject:
            rows = rows.filter(subject=subject)
        if sid:
            rows = rows.filter(Q(sid=sid) | Q(sid="") if subject else Q(sid=sid))
        return rows if subject or sid else rows.none()

    def end(self) -> int:
        """End these sessions; how many there were."""
        keys = list(self.values_list("session_id", flat=True))
        return Session.objects.filter(pk__in=keys).delete()[0]


class ProviderSession(models.Model):
    """A session that a sign-in at an identity provider opened. The database deletes it with the session.

    The version before deletes sessions and users without knowing of this table: hence the database's own cascade.
    """

    session = models.OneToOneField(Session, on_delete=models.DB_CASCADE, primary_key=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.DB_CASCADE, related_name="+")
    provider = models.CharField("identity provider", max_length=32)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=191)
    sid = models.CharField("session ID at the provider", max_length=255, blank=True)
    started_at = models.DateTimeField(default=timezone.now)

    objects = ProviderSessionQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["provider", "subject"], name="provider_session_subject"),
            models.Index(fields=["provider", "sid"], name="provider_session_sid"),
        )

    def __str__(self) -> str:
        return f"{self.user} at {self.provider}"


class UsedLogoutTokenQuerySet(models.QuerySet["UsedLogoutToken"]):
    """Queries for used logout tokens."""

    def use(self, provider: str, digest: str, until: datetime) -> bool:
        """Use up a token; False if it was used before. Forgets tokens that have expired."""
        self.filter(expires_at__lt=timezone.now()).delete()
        try:
            with transaction.atomic():
                self.create(provider=provider, digest=digest, expires_at=until)
        except IntegrityError:
            return False
        return True


class UsedLogoutToken(models.Model):
    """A logout token that was used: it must not end later sessions. Kept until it expires."""

    provider = models.CharField("identity provider", max_length=32)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the issuer and the token's ID.")
    expires_at = models.DateTimeField(db_index=True)

    objects = UsedLogoutTokenQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["provider", "digest"], name="one_use_per_logout_token"),)

    def __str__(self) -> str:
        return f"{self.provider}: {self.digest[:8]}"
