"""Sign-in at an identity provider: its endpoints and tokens, each checked before use. portal/identities.py decides.

Sources: OpenID Connect Core, Discovery §4.1 and §4.3, RFC 9207 (the issuer in the authorization response).
"""

import json
import logging
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
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.claims import exact
from portal.identities import SignInRefused, account_for
from portal.setting import FIRST_PROVIDER
from portal.sso_session import GuardedSession

logger = logging.getLogger(__name__)

DISCOVERY_SECONDS = 600
_SENDS_ISSUER = "authorization_response_iss_parameter_supported"
MAX_SUBJECT = 191  # characters, as allauth keeps it
UNAVAILABLE = "The identity provider is not responding correctly. Your account is fine. Try again in a few minutes."


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
            self._check_issuer(found["issuer"])
            cache.set(f"discovery:{url}", found, DISCOVERY_SECONDS)
        return found

    def _check_issuer(self, advertised: str) -> None:
        """Raise ProviderException if the document is another issuer's (Discovery §4.3).

        `https://idp.example.com` and the same with a slash have one document (§4.1), so it may name either; from then
        on what it names is compared exactly.
        """
        configured = self.get_provider().app.settings["server_url"]
        if advertised.removesuffix("/") != configured.removesuffix("/"):
            logger.error("Identity provider %s: the issuer is %s, not %s", self.provider_id, advertised, configured)
            raise ProviderException("The discovery document is another issuer's.")

    def check_response(self, request: HttpRequest) -> None:
        """Raise ProviderException if another provider answered the authorization request (RFC 9207 §2.4)."""
        named, promised = request.GET.getlist("iss"), self.openid_config.get(_SENDS_ISSUER) is True
        if named != [self.openid_config["issuer"]] and (named or promised):
            raise ProviderException("The authorization response is another issuer's.")

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The registered redirect URI, whatever host the request used."""
        return f"{settings.PORTAL_URL}{callback_path(self.provider_id)}"

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
        if r"\u0000" in json.dumps(data):  # which PostgreSQL stores nowhere
            raise ProviderException("A claim contains a NUL character.")
        subjects = {exact(part, "sub") if isinstance(part, dict) else "" for part in data.values()}
        if len(subjects) != 1 or not 0 < len(subjects.pop()) <= MAX_SUBJECT:  # OpenID Connect Core §5.3.2
            raise ProviderException("ID token and userinfo are not about the same person.")
        account = SocialAccount(provider=self.provider_id, uid=exact(data["id_token"], "sub"), extra_data=data)
        login = Login(account=account, provider=self.get_provider())
        endpoint = self.openid_config.get("end_session_endpoint")
        login.for_sign_out = {"provider": self.provider_id, "id_token": raw, "endpoint": endpoint}
        return login


class Login(SocialLogin):
    """A sign-in whose account `account_for` finds. allauth would look for the subject alone."""

    for_sign_out: dict[str, Any]

    def lookup(self) -> None:
        """Find nothing."""
        self._did_authenticate_by_email = None


class Provider(OpenIDConnectProvider):
    """An identity provider. Only `account_for` interprets its claims."""

    oauth2_adapter_class = ProviderAdapter

    def wk_server_url(self, url: str) -> str:
        """Where the discovery document of an issuer is (Discovery §4.1)."""
        return f"{url.removesuffix('/')}/.well-known/openid-configuration"


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        """A provider of the settings. Raises SocialApp.DoesNotExist where there is none."""
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


def login_path(provider: str) -> str:
    """Where signing in at a provider starts."""
    return reverse("sso_login") if provider == FIRST_PROVIDER else reverse("provider_login", args=[provider])


def callback_path(provider: str) -> str:
    """Where a provider sends people back to: its redirect URI, without the host."""
    return reverse("sso_callback") if provider == FIRST_PROVIDER else reverse("provider_callback", args=[provider])


def failed(request: HttpRequest, sentence: str, *, status: int = 400) -> HttpResponse:
    """Show the page for a failed sign-in. It has a button and does not redirect."""
    return render(request, "portal/sign_in_failed.html", {"sentence": sentence}, status=status)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).netloc)
