"""Site policy for sign-in: who gets an account, which one, and what the identity provider may say about it.

There is no self-registration. The first sign-in creates the account. Later ones find it by the provider's `sub`, the
only permanent id of a person (OpenID Connect Core §5.7). An account that existed before is found by its email address,
but only if the provider says that it verified the address. Some providers (Entra ID, Canaille) make no such claim.
"""

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthError, ProviderException
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import get_random_string

from environments.models import User
from portal.local import factors
from portal.roles import apply_claim
from portal.sso_session import GuardedSession

logger = logging.getLogger(__name__)

PROVIDER_ID = "sso"
DISCOVERY_SECONDS = 600
MAX_SUBJECT = 191  # characters, as allauth keeps it
UNAVAILABLE = "The identity provider is not responding correctly. Your account is fine. Try again in a few minutes."


class SignInRefused(Exception):  # noqa: N818 (a decision, not a fault)
    """The sign-in is refused; the message tells the user why."""


@dataclass(frozen=True)
class Claims:
    """What the identity provider says about a person. `email_verified` is None if it says nothing."""

    subject: str
    email: str
    email_verified: bool | None
    username: str
    first_name: str
    last_name: str
    groups: Any


def claims_from(extra_data: dict[str, Any]) -> Claims:
    """Merge the claims of the ID token and of the userinfo endpoint; the latter wins."""
    said = {**(extra_data.get("id_token") or {}), **(extra_data.get("userinfo") or {})}
    name = _text(said, "name").partition(" ")
    return Claims(
        subject=_text(said, "sub"),
        email=_email(_text(said, "email")),
        email_verified={"true": True, "false": False}.get(str(said.get("email_verified")).casefold()),
        username=_text(said, "preferred_username")[:150],
        first_name=(_text(said, "given_name") or name[0])[:150],
        last_name=(_text(said, "family_name") or name[2])[:150],
        groups=said.get(settings.GROUPS_CLAIM),
    )


def account_for(account: SocialAccount) -> User:
    """Find or create the user who signs in, and update claims and roles. Raises SignInRefused."""
    claims = claims_from(account.extra_data)
    if not claims.email:
        raise SignInRefused(
            "The identity provider did not send your email address. Ask a platform admin to have it added."
        )
    try:
        with transaction.atomic():
            user = account.user if account.pk else _owner_of_address(claims)
            if not user.is_active:
                raise SignInRefused("Your account is deactivated. Ask a platform admin to activate it.")
            _update(user, claims)
            _end_local_ways(user)
            apply_claim(user, claims.groups)
            account.user = user
            account.save()
    except IntegrityError as error:
        raise SignInRefused("Your account was changed at the same time. Try again.") from error
    return user


def _owner_of_address(claims: Claims) -> User:
    """Return the account for an unknown subject: a new one, or the one with their verified address."""
    user = User.objects.with_address(claims.email).first()
    if user is None:
        new = User(email=claims.email)
        new.set_unusable_password()
        return new
    # A second subject with this address may be its next owner, because addresses can be reassigned.
    linked = SocialAccount.objects.filter(user=user, provider=PROVIDER_ID).exists()
    if linked or claims.email_verified is not True:
        raise SignInRefused(
            f"An account with the email address {claims.email} already exists, and the identity provider has not "
            "verified that the address is yours. Ask a platform admin for help."
        )
    return user


def _end_local_ways(user: User) -> None:
    """Remove password and factors: a user whom the provider locks out must not sign in with a password."""
    if user.pk and user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        factors.reset(user)


def _update(user: User, claims: Claims) -> None:
    """Update name and address from the provider. Raises SignInRefused if the address belongs to another account."""
    # A new address that the provider marks as unverified could belong to someone else.
    if not user.pk or claims.email_verified is not False:
        if User.objects.with_address(claims.email).exclude(pk=user.pk).exists():
            raise SignInRefused(
                f"The email address {claims.email} belongs to another account. Ask a platform admin for help."
            )
        user.email = claims.email
    user.username = _free_username(user, claims)
    user.first_name, user.last_name = claims.first_name, claims.last_name
    user.save()


def _free_username(user: User, claims: Claims) -> str:
    """Return the provider's user name, with a suffix if it is taken."""
    others = User.objects.exclude(pk=user.pk)
    for name in (claims.username, user.username, claims.email[:150]):
        if name and not others.filter(username__iexact=name).exists():
            return name
    return f"{(claims.username or 'user')[:140]}-{get_random_string(8).lower()}"


class ProviderAdapter(OpenIDConnectOAuth2Adapter):
    """The provider's endpoints, tokens and claims, each checked before use."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, cached for ten minutes. Raises ProviderException if it is not usable."""
        url = self.get_provider().server_url
        found: dict[str, Any] | None = cache.get(f"discovery:{url}")
        if found is None:
            with get_adapter().get_requests_session() as session:
                response = session.get(url)
                response.raise_for_status()
                found = response.json()
            needed = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not isinstance(found, dict) or not all(_is_url(found.get(name)) for name in needed):
                raise ProviderException("The discovery document is incomplete.")
            cache.set(f"discovery:{url}", found, DISCOVERY_SECONDS)
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The registered redirect URI, whatever host the request used."""
        return f"{settings.PORTAL_URL}{reverse('sso_callback')}"

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """The access token, which is used once and not stored."""
        return SocialToken(token=str(data["access_token"]))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        """The claims of ID token and userinfo. Raises ProviderException if they do not belong together."""
        raw = kwargs["response"].get("id_token")
        if not isinstance(raw, str):
            raise ProviderException("There is no ID token.")
        data: dict[str, Any] = {"id_token": self._decode_id_token(app, raw)}
        if _is_url(self.openid_config.get("userinfo_endpoint")):
            data["userinfo"] = self._fetch_user_info(token.token)
        subjects = {_text(part, "sub") if isinstance(part, dict) else "" for part in data.values()}
        if len(subjects) != 1 or not 0 < len(subjects.pop()) <= MAX_SUBJECT:  # OpenID Connect Core §5.3.2
            raise ProviderException("ID token and userinfo are not about the same person.")
        login = self.get_provider().sociallogin_from_response(request, data)
        login.for_sign_out = {"id_token": raw, "endpoint": self.openid_config.get("end_session_endpoint")}
        return login


class Provider(OpenIDConnectProvider):
    """The identity provider. Only `account_for` interprets its claims."""

    oauth2_adapter_class = ProviderAdapter

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return nothing: allauth would read the claims without checking them."""
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """Return nothing: the portal stores one address, on the user."""
        return []


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        """The provider of the settings. Raises SocialApp.DoesNotExist where there is none."""
        return Provider(request, app=self.get_app(request, provider=provider, client_id=client_id))

    def get_requests_session(self) -> GuardedSession:
        """For discovery, tokens, keys and userinfo."""
        return GuardedSession()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return False: `pre_social_login` has created the account already."""
        return False

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Return False: `account_for` decides this."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find or create the account, and update its roles."""
        try:
            sociallogin.user = account_for(sociallogin.account)
        except SignInRefused as refusal:
            raise ImmediateHttpResponse(failed(request, str(refusal), status=403)) from refusal

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Show a page that says what to do, without the exception's text, which may contain a token."""
        logger.warning("Sign-in failed: %s %s", error, type(exception).__name__ if exception else "")
        if error == AuthError.CANCELLED:
            response = failed(request, "You cancelled the sign-in.", status=403)
        elif exception is not None:
            response = failed(request, UNAVAILABLE, status=503)
        else:
            response = failed(request, "Your sign-in expired or was started in another browser.")
        raise ImmediateHttpResponse(response)


def failed(request: HttpRequest, sentence: str, *, status: int = 400) -> HttpResponse:
    """Show the page for a failed sign-in. It has a button and does not redirect."""
    return render(request, "portal/sign_in_failed.html", {"sentence": sentence}, status=status)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""


def _email(text: str) -> str:
    """The address in lower case, empty where it is none."""
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return User.objects.normalize_email(text) if len(text) <= 254 else ""


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).netloc)
