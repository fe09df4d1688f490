"""Links an account to the identity that opens it, where a sign-in alone cannot tell.

After a move to another tenant or provider, people have new subjects. A platform admin says whose they are: on the
account's page in the admin, or with `manage.py link_identity` if no admin gets in.
"""

import logging

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from environments.actions import identities
from environments.models import UnlinkedIdentity, User
from portal.identities import free_uid
from portal.local import factors

logger = logging.getLogger(__name__)


def link(user: User, identity: UnlinkedIdentity, *, by: User | None) -> None:
    """Give an account a new key: from now on that identity opens it, and the former one does not.

    `by` is None on the command line. Raises PermissionDenied; ValidationError if the identity is linked already, or
    belongs to an account that owns or shares environments.
    """
    if by is not None and not by.is_platform_admin:
        raise PermissionDenied("Only platform admins link accounts.")
    try:
        with transaction.atomic():
            row = _lock(identity)
            _free_key(row, user)
            names = identities.names_of(user)
            user.provider, user.issuer, user.subject = row.provider, row.issuer, row.subject
            user.set_unusable_password()  # another one than before, which ends all sessions
            factors.reset(user)
            user.save()
            _rewrite_row(user)
            identities.carry_over(user, names)
            _decide(row, UnlinkedIdentity.Outcome.LINKED, user, by)
    except IntegrityError as error:
        raise ValidationError("This identity was linked at the same time. Reload the page.") from error


def let_in(identity: UnlinkedIdentity, *, by: User | None) -> None:
    """Record that an identity is another person: its next sign-in creates an account. Raises PermissionDenied.

    Raises ValidationError if somebody decided on it already.
    """
    if by is not None and not by.is_platform_admin:
        raise PermissionDenied("Only platform admins decide on identities.")
    with transaction.atomic():
        _decide(_lock(identity), UnlinkedIdentity.Outcome.SEPARATE, None, by)


def candidates(user: User) -> list[UnlinkedIdentity]:
    """The identities that may belong to an account: refused because of it, or with its address."""
    likely = Q(account=user) | Q(email__iexact=user.email)
    return list(UnlinkedIdentity.objects.waiting().filter(likely))


def _lock(identity: UnlinkedIdentity) -> UnlinkedIdentity:
    row = UnlinkedIdentity.objects.select_for_update().filter(pk=identity.pk, outcome="").first()
    if row is None:
        raise ValidationError("Someone has already decided on this identity. Reload the page.")
    return row


def _free_key(row: UnlinkedIdentity, user: User) -> None:
    """Take the key from the account that a first sign-in created for it, if nothing belongs to that account."""
    other = (
        User.objects.filter(provider=row.provider, issuer=row.issuer, subject=row.subject).exclude(pk=user.pk).first()
    )
    if other is None:
        return
    if other.environments.exists() or other.memberships.filter(wanted=True).exists():
        raise ValidationError(f"The account {other} of this identity has environments. Hand them over first.")
    SocialAccount.objects.filter(user=other).delete()
    other.subject, other.is_active, other.email_trusted = "", False, False
    other.save(update_fields=["subject", "is_active", "email_trusted"])


def _rewrite_row(user: User) -> None:
    """Make allauth's row follow the key; it says nothing of the new identity before that signs in."""
    SocialAccount.objects.filter(user=user).delete()
    uid = free_uid(user.provider, user.issuer, user.subject, user)
    token = {"iss": user.issuer, "sub": user.subject}
    SocialAccount.objects.create(user=user, provider=user.provider, uid=uid, extra_data={"id_token": token})


def _decide(row: UnlinkedIdentity, outcome: str, user: User | None, by: User | None) -> None:
    row.outcome, row.decided_at, row.decided_by = outcome, timezone.now(), by
    row.account = user or row.account
    row.save()
    logger.warning(
        "Identity %s at %s: %s, account %s, by user %s", row.pk, row.provider, outcome, row.account_id, by and by.pk
    )
