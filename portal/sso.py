"""Site policy for sign-in: who gets an account, which one, and what the identity provider may say about it.

Nobody signs up. The first sign-in makes the account; a later one finds it by the provider's `sub`, which alone names a
person for good (OpenID Connect Core §5.7). An account that was made beforehand is found by its e-mail address, and
only where the provider says that it verified the address. Some providers (Entra ID, Canaille) make no such claim.
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

logger = logging.getLogger(__name__)

PROVIDER_ID = "sso"
DISCOVERY_SECONDS = 600
MAX_SUBJECT = 191  # characters, as allauth keeps it
UNAVAILABLE = "The identity provider is not responding correctly. Your account is fine. Try again in a few minutes."


class SignInRefused(Exception):  # noqa: N818 (a decision, not a fault)
    """Somebody may not sign in, with the sentence that tells them why."""


@dataclass(frozen=True)
class Claims:
    """What the identity provider says of a person. `email_verified` is None where it says nothing."""

    subject: str
    email: str
    email_verified: bool | None
    username: str
    first_name: str
    last_name: str
    groups: Any


def claims_from(extra_data: dict[str, Any]) -> Claims:
    """The claims of the ID token and of the userinfo endpoint as one; where both have a claim, the latter's."""
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
    """The user who signs in, found or made, with the claims and roles of now. Raises SignInRefused."""
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
    """The account that an unknown subject may use: a new one, or that of their verified address."""
    user = User.objects.with_address(claims.email).first()
    if user is None:
        new = User(email=claims.email)
        new.set_unusable_password()
        return new
    # A second subject with the address may be its next owner: an address can be given to somebody else.
    linked = SocialAccount.objects.filter(user=user, provider=PROVIDER_ID).exists()
    if linked or claims.email_verified is not True:
        raise SignInRefused(
            f"An account with the email address {claims.email} already exists, and the identity provider has not "
            "verified that the address is yours. Ask a platform admin for help."
        )
    return user


def _end_local_ways(user: User) -> None:
    """From now on the provider alone opens this account: whoever it locks out must not come in by a password."""
    if user.pk and user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        factors.reset(user)


def _update(user: User, claims: Claims) -> None:
    """Name and address as the provider has them now. Raises SignInRefused where the address is another's."""
    # An address that is new and expressly unverified could be anybody's.
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
    """The provider's user name where nobody has it yet, or the nearest to it."""
    others = User.objects.exclude(pk=user.pk)
    for name in (claims.username, user.username, claims.email[:150]):
        if name and not others.filter(username__iexact=name).exists():
            return name
    return f"{(claims.username or 'user')[:140]}-{get_random_string(8).lower()}"


class ProviderAdapter(OpenIDConnectOAuth2Adapter):
    """The provider's endpoints, its tokens and its claims, each checked before anything believes them."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, kept for ten minutes. Raises ProviderException where it is not usable."""
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
        """The address that the client is registered with, whatever host the request came by."""
        return f"{settings.PORTAL_URL}{reverse('sso_callback')}"

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """The access token, which is used once and not stored."""
        return SocialToken(token=str(data["access_token"]))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        """The claims of ID token and userinfo. Raises ProviderException where they do not belong together."""
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
    """The one identity provider. What its claims mean is for `account_for` alone to say."""

    oauth2_adapter_class = ProviderAdapter

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing: allauth would read the claims without checking them."""
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """Nothing: the portal keeps one address, on the user."""
        return []


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        """The provider of the settings. Raises SocialApp.DoesNotExist where there is none."""
        return Provider(request, app=self.get_app(request, provider=provider, client_id=client_id))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never: `pre_social_login` has made the account before this is asked."""
        return False

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Never: `account_for` decides this."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find or make the account, and give it the roles of now."""
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
        """Answer with a page that says what to do. The exception's own words may hold a token."""
        logger.warning("Sign-in failed: %s %s", error, type(exception).__name__ if exception else "")
        if error == AuthError.CANCELLED:
            response = failed(request, "You cancelled the sign-in.", status=403)
        elif exception is not None:
            response = failed(request, UNAVAILABLE, status=503)
        else:
            response = failed(request, "Your sign-in expired or was started in another browser.")
        raise ImmediateHttpResponse(response)


def failed(request: HttpRequest, sentence: str, *, status: int = 400) -> HttpResponse:
    """The page on which a sign-in ends that did not work. It has a button and sends nobody on by itself."""
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
