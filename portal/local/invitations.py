"""Invitations to a local account: signed links, each valid once, for some days, until an admin revokes it.

The link contains a signature over the row and its address, and is stored nowhere: read access to the database is not
enough to use an invitation.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from environments.models import Invitation, Team, User
from portal.roles import give

_SALT = "portal.invitation"
GONE = "This invitation has expired or was already used. Ask the person who invited you for a new one."


def invite(invitation: Invitation, teams: Iterable[Team] = (), *, by: User | None) -> Invitation:
    """Store an invitation, replacing an open one to the same address. Raises ValidationError if there is an account.

    `by` is None for invitations from the command line.
    """
    invitation.email = User.objects.normalize_email(invitation.email)
    refuse_known(invitation.email)
    now = timezone.now()
    with transaction.atomic():
        Invitation.objects.open().filter(email=invitation.email).update(revoked_at=now, revoked_by=by)
        invitation.invited_by = by
        invitation.invited_at, invitation.expires_at = now, now + timedelta(days=settings.INVITATION_DAYS)
        invitation.save()
        invitation.teams.set(teams)
    return invitation


def refuse_known(email: str) -> None:
    """Raise ValidationError if there is a local account with this address.

    An account of an identity provider may have it too: a local one lets its owner in while the provider is down.
    """
    if User.objects.with_address(email).local().exists():
        raise ValidationError(f"{email} already has an account.")


def link(invitation: Invitation) -> str:
    """The address that opens the invitation."""
    token = signing.Signer(salt=_SALT).sign_object([invitation.pk, invitation.email])
    return f"{settings.PORTAL_URL}{reverse('accept_invitation', args=[token])}"


def find(token: str) -> Invitation | None:
    """Return the open invitation of a link; None for any other link."""
    try:
        pk, email = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Invitation.objects.open().filter(pk=pk, email=email).first()


def revoke(invitation: Invitation, *, by: User) -> bool:
    """Close an invitation, and return whether it was still open."""
    open_one = Invitation.objects.open().filter(pk=invitation.pk)
    return bool(open_one.update(revoked_at=timezone.now(), revoked_by=by))


def accept(invitation: Invitation, password: str) -> User:
    """Create the account with the invited role and teams. Raises ValidationError if the invitation is closed."""
    try:
        with transaction.atomic():
            # The conditional update is what makes a link good only once, also for two clicks at the same time.
            if not Invitation.objects.open().filter(pk=invitation.pk).update(accepted_at=timezone.now()):
                raise ValidationError(GONE)
            refuse_known(invitation.email)
            user = prospect(invitation)
            user.set_password(password)
            user.email_trusted = User.objects.holder_of(user.email) is None
            user.save()
            give(user, invitation.role, invitation.teams.all())
            Invitation.objects.filter(pk=invitation.pk).update(account=user)
    except IntegrityError as error:
        raise ValidationError(GONE) from error
    return user


def prospect(invitation: Invitation) -> User:
    """Return the future account, not stored yet, for checking that the password is not similar to it."""
    return User(
        username=_free_username(invitation.email),
        email=invitation.email,
        first_name=invitation.first_name,
        last_name=invitation.last_name,
    )


def send(invitation_id: int) -> None:
    """Send the link and record when, if the invitation is still open."""
    invitation = Invitation.objects.open().select_related("invited_by").filter(pk=invitation_id).first()
    if invitation is None:
        return
    context = {"invitation": invitation, "link": link(invitation), "portal_name": settings.PORTAL_NAME}
    body = render_to_string("email/invitation.txt", context)
    EmailMessage(f"[{settings.PORTAL_NAME}] Your account", body, to=[invitation.email]).send()
    Invitation.objects.filter(pk=invitation.pk).update(mailed_at=timezone.now())


def _free_username(email: str) -> str:
    name = email.partition("@")[0][:140]
    while User.objects.filter(username__iexact=name).exists():
        name = f"{email.partition('@')[0][:140]}-{get_random_string(4).lower()}"
    return name
