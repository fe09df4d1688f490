"""Sign-in at an identity provider: its endpoints and tokens, each checked before use. portal/identities.py decides.

Sources: OpenID Connect Core, Discovery §4.1 and §4.3, RFC 9207 (the issuer in the authorization response).
"""

import json
import logging
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import get_random_string

from portal import id_tokens, sso_client
from portal.claims import exact
from portal.identities import SignInRefused, account_for
from portal.setting import FIRST_PROVIDER
from portal.sign_in_log import failed
from portal.sso_faults import ADMIN, Kind, SignInFault, broken, expired_state, host_of, of_answer, of_call
from portal.sso_session import GuardedSession

logger = logging.getLogger(__name__)

DISCOVERY_SECONDS = 600
_SENDS_ISSUER = "authorization_response_iss_parameter_supported"
_NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
MAX_SUBJECT = 191  # characters, as allauth keeps it
#: What is requested if OIDC_SCOPES is empty; of a provider that lists its scopes, only those that it has.
SCOPES = ("openid", "profile", "email", "groups")


class ProviderAdapter(OpenIDConnectOAuth2Adapter):
    """The provider's endpoints, tokens and claims, each checked before use."""

    client_class = sso_client.TokenClient
    basic_auth = False  # `ways` decides; allauth's fails on a list that is null

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, cached for ten minutes. Raises SignInFault if it is not usable."""
        url = self.get_provider().server_url
        found: dict[str, Any] | None = cache.get(f"discovery:{url}")
        return self.discover() if found is None else found

    def discover(self) -> dict[str, Any]:
        """The discovery document as it is now. Raises SignInFault if it is not usable."""
        url = self.get_provider().server_url
        found = fetch(url, kind=Kind.DISCOVERY)
        if missing := [name for name in _NEEDED if not _is_url(found.get(name))]:
            raise broken(f"no_{missing[0]}", host_of(url), kind=Kind.DISCOVERY)
        self._check_issuer(found["issuer"])
        cache.set(f"discovery:{url}", found, DISCOVERY_SECONDS)
        return found

    def _check_issuer(self, advertised: str) -> None:
        """Raise SignInFault if the document is another issuer's (Discovery §4.3).

        `https://idp.example.com` and the same with a slash have one document (§4.1), so it may name either; from then
        on what it names is compared exactly.
        """
        configured = self.get_provider().app.settings["server_url"]
        if advertised.removesuffix("/") != configured.removesuffix("/"):
            logger.error("Identity provider %s: the issuer is %s, not %s", self.provider_id, advertised, configured)
            sentence = (
                f"The identity provider calls itself by another issuer URL than the portal's settings do. {ADMIN} "
                "OIDC_ISSUER must be the issuer of its discovery document."
            )
            raise SignInFault(Kind.ISSUER, "discovery_issuer", sentence, host=host_of(configured))

    def check_response(self, request: HttpRequest) -> None:
        """Raise SignInFault if another provider answered the authorization request (RFC 9207 §2.4)."""
        named, promised = request.GET.getlist("iss"), self.openid_config.get(_SENDS_ISSUER) is True
        if named != [self.openid_config["issuer"]] and (named or promised):
            raise broken("response_issuer", self.host, kind=Kind.ISSUER)

    @property
    def host(self) -> str:
        """The issuer's host, for the log."""
        return host_of(self.get_provider().app.settings["server_url"])

    @property
    def ways(self) -> list[sso_client.Way]:
        """How the portal may authenticate at the token endpoint."""
        chosen, config = self.get_provider().app.settings.get("client_auth", ""), self.openid_config
        listed = config.get("token_endpoint_auth_methods_supported")
        return sso_client.ways(chosen, listed, config["issuer"], config["token_endpoint"])

    def get_client(self, request: HttpRequest, app: SocialApp) -> sso_client.TokenClient:
        """A client of the token endpoint, with the ways to authenticate there."""
        client: sso_client.TokenClient = super().get_client(request, app)
        client.ways = self.ways
        key = [str(app.settings.get(name, "")) for name in ("client_key", "client_key_id", "client_key_algorithm")]
        client.signing_key = sso_client.SigningKey(*key)
        return client

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The registered redirect URI, whatever host the request used."""
        return f"{settings.PORTAL_URL}{callback_path(self.provider_id)}"

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """The access token, which is used once and not stored."""
        return SocialToken(token=str(data["access_token"]))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        """The claims of ID token and userinfo. Raises SignInFault if they do not belong together."""
        raw = kwargs["response"].get("id_token")
        if not isinstance(raw, str):
            raise broken("no_id_token", self.host)
        issuer = self.openid_config["issuer"]
        data = {"id_token": id_tokens.decode(raw, issuer=issuer, client_id=app.client_id, host=self.host)}
        if _is_url(self.openid_config.get("userinfo_endpoint")):
            data["userinfo"] = fetch(self.profile_url, headers={"Authorization": f"Bearer {token.token}"})
        if r"\u0000" in json.dumps(data):  # which PostgreSQL stores nowhere
            raise broken("nul_in_claim", self.host)
        subjects = {exact(part, "sub") for part in data.values()}
        if len(subjects) != 1:  # OpenID Connect Core §5.3.2
            raise broken("userinfo_of_another_subject", self.host)
        if not 0 < len(subjects.pop()) <= MAX_SUBJECT:
            raise broken("unusable_subject", self.host)
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

    def start(self, request: HttpRequest, next_url: str) -> HttpResponse:
        """The redirect to the provider, with a nonce that its ID token must repeat. Raises SignInFault."""
        nonce = get_random_string(32)
        params = self.get_auth_params() | {"nonce": nonce}
        response: HttpResponse = self.redirect(
            request, process=AuthProcess.LOGIN, next_url=next_url, auth_params=params, nonce=nonce
        )
        return response

    def get_scope(self) -> list[str]:
        """What to request: OIDC_SCOPES, or what the portal needs and the provider has. Raises SignInFault."""
        if chosen := " ".join(self.app.settings["scope"]).split():
            return chosen
        listed = self.get_oauth2_adapter(self.request).openid_config.get("scopes_supported")
        if not isinstance(listed, list):
            return list(SCOPES)
        return [scope for scope in SCOPES if scope in listed or scope == "openid"]


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
        account = sociallogin.account
        nonce, host = sociallogin.state.get("nonce"), host_of(account.extra_data["id_token"]["iss"])
        id_tokens.check_nonce(account.extra_data["id_token"], nonce, host)
        try:
            sociallogin.user = account_for(account)
        except SignInRefused as refusal:
            fault = SignInFault(Kind.ACCOUNT, type(refusal).__name__, str(refusal), host=host, status=403)
            raise ImmediateHttpResponse(failed(request, account.provider, fault)) from refusal

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Show a page that says what to do, without the exception's text, which may contain a token."""
        fault = _fault(request, provider, exception, extra_context)
        raise ImmediateHttpResponse(failed(request, provider.app.provider_id, fault))


def fetch(url: str, *, kind: Kind = Kind.ANSWER, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at an address of a provider. Raises SignInFault."""
    try:
        with get_adapter().get_requests_session() as session:
            response = session.get(url, headers=headers)
            response.raise_for_status()
    except requests.RequestException as error:
        raise of_call(error, url, kind=kind) from error
    return sso_client.json_object(response, url, kind=kind)


def _fault(
    request: HttpRequest, provider: Provider, exception: Exception | None, context: dict[str, Any] | None
) -> SignInFault:
    """What allauth found: an exception, an error in the provider's redirect, or a state that is not known."""
    host = host_of(provider.app.settings["server_url"])
    if exception is not None:
        return exception if isinstance(exception, SignInFault) else broken(type(exception).__name__, host)
    if "state" not in (context or {}):
        return expired_state()
    return of_answer(request.GET, host) if "error" in request.GET else broken("no_code", host)


def login_path(provider: str) -> str:
    """Where signing in at a provider starts."""
    return reverse("sso_login") if provider == FIRST_PROVIDER else reverse("provider_login", args=[provider])


def callback_path(provider: str) -> str:
    """Where a provider sends people back to: its redirect URI, without the host."""
    return reverse("sso_callback") if provider == FIRST_PROVIDER else reverse("provider_callback", args=[provider])


def backchannel_path(provider: str) -> str:
    """Where a provider ends sessions, without the host."""
    first = provider == FIRST_PROVIDER
    return reverse("sso_backchannel_logout") if first else reverse("provider_backchannel_logout", args=[provider])


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).netloc)
