"""Whose account a sign-in opens. A person is provider, issuer and subject (OpenID Connect Core §5.7).

There is no self-registration: the first sign-in creates the account, later ones find it by that key. An address is a
label. It grants something only if its provider vouches for it and no other account is known to hold it.

Nobody gets an account that may be another's: where the issuer of a known subject changed, or an account of the same
provider has the address, the sign-in is refused and recorded, and a platform admin links the two or lets the person
in as somebody else.
"""

import hashlib
import logging

from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import get_random_string

from environments.actions import identities
from environments.models import UnlinkedIdentity, User
from portal import providers
from portal.claims import Claims, claims_from
from portal.local import factors
from portal.providers import IdentityProvider
from portal.roles import apply_claim

logger = logging.getLogger(__name__)


class SignInRefused(Exception):  # noqa: N818 (a decision, not a fault)
    """The sign-in is refused; the message tells the user why."""


class LinkNeeded(SignInRefused):
    """The sign-in may be another account's: a platform admin has to say."""

    def __init__(self, sentence: str, account: User) -> None:
        super().__init__(sentence)
        self.account = account


def account_for(account: SocialAccount) -> User:
    """Find or create the user who signs in, and update claims and roles. Raises SignInRefused."""
    provider = providers.find(account.provider)
    if provider is None:
        raise SignInRefused("This identity provider is no longer configured. Ask a platform admin.")
    claims = claims_from(account.extra_data, provider)
    if not claims.email:
        raise SignInRefused(
            "The identity provider did not send your email address. Ask a platform admin to have it added."
        )
    try:
        with transaction.atomic():
            return _sign_in(account, claims, provider)
    except IntegrityError as error:
        raise SignInRefused("Your account was changed at the same time. Try again.") from error
    except LinkNeeded as refusal:
        _remember(claims, refusal.account, trusted=provider.vouches_for(claims.email, claims.email_verified))
        raise


def _sign_in(account: SocialAccount, claims: Claims, provider: IdentityProvider) -> User:
    user = _by_key(claims) or _of_the_version_before(claims) or _unknown(claims, provider)
    if not user.is_active:
        raise SignInRefused("Your account is deactivated. Ask a platform admin to activate it.")
    names, is_new = identities.names_of(user), user._state.adding
    _update(user, claims, provider)
    if is_new:
        _remember_namesake(user, claims)
    _end_local_ways(user)
    apply_claim(user, claims.groups, provider)
    _keep(account, user, claims)
    identities.carry_over(user, names)
    if claims.groups_problem:
        logger.warning("Sign-in of user %s at %s: %s", user.pk, provider.id, claims.groups_problem)
    return user


def _by_key(claims: Claims) -> User | None:
    key = {"provider": claims.provider, "issuer": claims.issuer, "subject": claims.subject}
    return User.objects.filter(**key).first()


def _of_the_version_before(claims: Claims) -> User | None:
    """The account that a version without keys made, if its own record names the same issuer."""
    row = SocialAccount.objects.filter(provider=claims.provider, uid=claims.subject).select_related("user").first()
    return row.user if row and not row.user.subject and _issuer_of(row) == claims.issuer else None


def _issuer_of(row: SocialAccount) -> str:
    token = row.extra_data.get("id_token") if isinstance(row.extra_data, dict) else None
    return str(token.get("iss", "")) if isinstance(token, dict) else ""


def _unknown(claims: Claims, provider: IdentityProvider) -> User:
    """The account for an unknown key: a new one, or a local one with their verified address. Raises LinkNeeded."""
    if not _is_another_person(claims):
        _refuse_known_subject(claims)
        _refuse_known_address(claims)
        if local := _local_account(claims, provider):
            return local
    new = User(email=claims.email)
    new.set_unusable_password()
    return new


def _is_another_person(claims: Claims) -> bool:
    """Whether a platform admin said so."""
    key = {"provider": claims.provider, "issuer": claims.issuer, "subject": claims.subject}
    return UnlinkedIdentity.objects.filter(**key, outcome=UnlinkedIdentity.Outcome.SEPARATE).exists()


def _refuse_known_subject(claims: Claims) -> None:
    """A subject is unique at its issuer only: at another one, it is another person, or the same who has moved."""
    known = User.objects.filter(provider=claims.provider, subject=claims.subject).first()
    row = SocialAccount.objects.filter(provider=claims.provider, uid=claims.subject).select_related("user").first()
    if owner := known or (row.user if row and not row.user.subject else None):
        raise LinkNeeded(
            "The identity provider has a new issuer, so the portal cannot tell whether an existing account is yours. "
            "Ask a platform admin to link your account to the new identity.",
            owner,
        )


def _refuse_known_address(claims: Claims) -> None:
    """A second subject with this address may be its next owner, because addresses can be reassigned."""
    theirs = Q(provider=claims.provider) | Q(provider="", socialaccount__provider=claims.provider)
    if owner := User.objects.with_address(claims.email).filter(theirs).order_by("-is_active", "-last_login").first():
        raise LinkNeeded(
            f"An account with the email address {claims.email} already exists, and it belongs to another identity at "
            "the identity provider. If the account is yours, ask a platform admin to link it to the new identity.",
            owner,
        )


def _local_account(claims: Claims, provider: IdentityProvider) -> User | None:
    """The local account with this address, which only the first identity provider may take over.

    Raises LinkNeeded where that one does not vouch for the address.
    """
    local = User.objects.with_address(claims.email).local().first()
    if local is None or not provider.is_first:
        return None
    if not provider.vouches_for(claims.email, claims.email_verified):
        raise LinkNeeded(
            f"An account with the email address {claims.email} already exists, and the identity provider has not "
            "verified that the address is yours. Ask a platform admin to link your account to the new identity.",
            local,
        )
    return local


def _update(user: User, claims: Claims, provider: IdentityProvider) -> None:
    """Update key, names and address from the provider. Raises SignInRefused if a local account has the address."""
    user.provider, user.issuer, user.subject = claims.provider, claims.issuer, claims.subject
    vouched = provider.vouches_for(claims.email, claims.email_verified)
    # A new address that the provider marks as unverified could belong to someone else, and no cluster accepts it.
    if not user.pk or vouched or claims.email_verified is not False:
        _refuse_address_of_local_account(user, claims, provider)
        user.email, user.claimed_email = claims.email, claims.token_email
        user.email_trusted = vouched and _take_over_address(user)
    elif user.email == claims.email:
        user.email_trusted = False
    user.username = _free_username(user, claims)
    user.first_name, user.last_name = claims.first_name, claims.last_name
    user.claimed_username, user.token_claims = claims.token.get("preferred_username", ""), claims.token
    user.groups_problem = claims.groups_problem[:300]
    user.save()


def _refuse_address_of_local_account(user: User, claims: Claims, provider: IdentityProvider) -> None:
    local = User.objects.with_address(claims.email).local().exclude(pk=user.pk)
    if provider.is_first and local.exists():
        raise SignInRefused(
            f"The email address {claims.email} belongs to another account. Ask a platform admin for help."
        )


def _take_over_address(user: User) -> bool:
    """Make this account the only one that is known to hold its address; False if another provider's account is.

    What a provider says last is true of its own people: who had the address before has it no more.
    """
    others = User.objects.with_address(user.email).exclude(pk=user.pk)
    former = others.filter(Q(provider=user.provider) | Q(is_active=False, email_trusted=True))
    identities.lose_address(list(former))
    return not others.filter(email_trusted=True).exists()


def _free_username(user: User, claims: Claims) -> str:
    """Return the provider's user name, with a suffix if it is taken."""
    others = User.objects.exclude(pk=user.pk)
    for name in (claims.username, user.username, claims.email[:150]):
        if name and not others.filter(username__iexact=name).exists():
            return name
    return f"{(claims.username or 'user')[:140]}-{get_random_string(8).lower()}"


def _end_local_ways(user: User) -> None:
    """Remove password and factors: a user whom the provider locks out must not sign in with a password."""
    if user.pk and user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        factors.reset(user)


def _keep(account: SocialAccount, user: User, claims: Claims) -> None:
    """Write allauth's row, one for each account. The version before finds people by it."""
    rows = SocialAccount.objects.filter(user=user)
    kept = rows.filter(provider=claims.provider).order_by("-last_login").first()
    account.pk = kept.pk if kept else None
    account.date_joined = kept.date_joined if kept else timezone.now()
    account.user, account.uid = user, free_uid(claims.provider, claims.issuer, claims.subject, user)
    account.save()
    rows.exclude(pk=account.pk).delete()


def free_uid(provider: str, issuer: str, subject: str, user: User) -> str:
    """What allauth's row has for the subject: itself, unless another issuer's person has it."""
    if not SocialAccount.objects.filter(provider=provider, uid=subject).exclude(user=user).exists():
        return subject
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()


def _remember_namesake(user: User, claims: Claims) -> None:
    """Offer a new account to be linked, if another has its address: the same person at another provider, perhaps."""
    if other := User.objects.with_address(user.email).exclude(pk=user.pk).order_by("-is_active", "pk").first():
        _remember(claims, other, trusted=user.email_trusted)


def _remember(claims: Claims, account: User, *, trusted: bool) -> None:
    """Record the identity for the platform admins. What was decided stays, unless the link was undone since."""
    said = {
        "email": claims.token_email or claims.email,
        "email_trusted": trusted,
        "username": claims.username,
        "name": f"{claims.first_name} {claims.last_name}".strip(),
        "account": account,
        "last_seen_at": timezone.now(),
    }
    row, _ = UnlinkedIdentity.objects.update_or_create(
        provider=claims.provider, issuer=claims.issuer, subject=claims.subject, defaults=said
    )
    if row.outcome == UnlinkedIdentity.Outcome.LINKED:
        UnlinkedIdentity.objects.filter(pk=row.pk).update(outcome="", decided_at=None, decided_by=None)
    logger.warning("Identity %s at %s may belong to user %s", row.pk, claims.provider, account.pk)
