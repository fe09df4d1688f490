"""*Check sign-in*: what an identity provider says and does, asked as a sign-in asks it, but without a person.

Nothing is redeemed: the token endpoint is asked with a code that no provider gave, and the authorization endpoint with
`prompt=none`. Findings hold no secret and no token.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.http import HttpRequest

from environments.models import User
from portal.claims import claims_from
from portal.logout_tokens import usable_keys
from portal.providers import IdentityProvider
from portal.sso import ProviderAdapter, backchannel_path, callback_path, fetch
from portal.sso_faults import Kind, SignInFault, of_call

OK, WARN, BAD = "ok", "warn", "bad"

#: What `prompt=none` is told where all else is right: nobody is signed in.
_ASKS_TO_SIGN_IN = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
_NO_CODE = "allotment-check"
#: RFC 7636's example, which belongs to no sign-in.
_VERIFIER, _CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
_LONGEST = 300  # characters of a claim on the page


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: what, how it is (ok, warn or bad), and a sentence."""

    what: str
    tone: str
    text: str


@dataclass(frozen=True)
class ClaimRow:
    """A claim of the last sign-in, as the ID token and the userinfo endpoint had it. Empty: not there."""

    name: str
    id_token: str
    userinfo: str


def check(provider: IdentityProvider) -> list[Finding]:
    """Everything that can be found out about a provider without a person, in the order in which it is asked."""
    adapter = ProviderAdapter(HttpRequest(), provider.id)
    try:
        config = adapter.discover()
    except SignInFault as fault:
        return [Finding("Discovery document", BAD, fault.for_admins)]
    return [
        Finding("Discovery document", OK, f"The issuer is {config['issuer']}."),
        *_of_clock(adapter),
        _of_keys(config),
        _of_scopes(adapter, config),
        _of_client(adapter),
        _of_authorization(adapter, config),
        _of_sign_out(provider, config),
        _of_backchannel(provider, config),
    ]


def claims_of(user: User, provider: IdentityProvider) -> tuple[list[ClaimRow], list[Finding]]:
    """The claims of a person's last sign-in at a provider, and what the portal makes of them. Empty without one."""
    account = SocialAccount.objects.filter(user=user, provider=provider.id).first()
    data = account.extra_data if account and isinstance(account.extra_data, dict) else {}
    token, more = _object(data.get("id_token")), _object(data.get("userinfo"))
    if not token:
        return [], []
    rows = [ClaimRow(name, _shown(token, name), _shown(more, name)) for name in sorted({*token, *more})]
    return rows, list(_of_claims(data, provider))


def _of_claims(data: dict[str, Any], provider: IdentityProvider) -> Iterator[Finding]:
    claims = claims_from(data, provider)
    if not claims.email:
        yield Finding("email", BAD, "There is no email address, and no one can sign in without one.")
    elif not provider.vouches_for(claims.email, claims.email_verified):
        sentence = "The address does not count as verified. OIDC_EMAILS and OIDC_EMAIL_DOMAINS decide this."
        yield Finding("email", WARN, sentence)
    else:
        yield Finding("email", OK, "The address is there and counts as verified.")
    if not provider.groups_claim:
        yield Finding("groups", WARN, "GROUPS_CLAIM is empty, so sign-in grants no roles and no teams.")
    elif claims.groups_problem:
        yield Finding(provider.groups_claim, BAD, claims.groups_problem)
    else:
        yield Finding(provider.groups_claim, OK, "The groups are there.")


def _of_clock(adapter: ProviderAdapter) -> Iterator[Finding]:
    """Whether the clocks agree, if the provider's answers have a date."""
    url = adapter.get_provider().server_url
    try:
        with get_adapter().get_requests_session() as session:
            said = session.get(url).headers.get("Date", "")
        off = round(abs(parsedate_to_datetime(said).timestamp() - time.time()))
    except (requests.RequestException, ValueError, TypeError):
        return
    leeway = settings.CLOCK_LEEWAY_SECONDS
    if off > max(leeway, 2):
        sentence = f"The clocks differ by {off} seconds, more than CLOCK_LEEWAY_SECONDS allows ({leeway})."
        yield Finding("Clock", BAD, sentence)
    else:
        yield Finding("Clock", OK, "The clocks of the portal and of the provider agree.")


def _of_keys(config: dict[str, Any]) -> Finding:
    try:
        keys = usable_keys(fetch(config["jwks_uri"], kind=Kind.SIGNATURE).get("keys"))
    except SignInFault as fault:
        return Finding("Keys", BAD, fault.for_admins)
    if not keys:
        return Finding("Keys", BAD, "The provider lists no key that can verify a signature.")
    kinds = ", ".join(sorted({key.algorithm for key in keys} - {""}))
    return Finding("Keys", OK, f"Keys that can verify signatures: {len(keys)}{f' ({kinds})' if kinds else ''}.")


def _of_scopes(adapter: ProviderAdapter, config: dict[str, Any]) -> Finding:
    asked, listed = adapter.get_provider().get_scope(), config.get("scopes_supported")
    if not isinstance(listed, list):
        return Finding("Scopes", WARN, f"The portal asks for {' '.join(asked)}. The provider does not list its scopes.")
    if missing := [scope for scope in asked if scope not in listed]:
        return Finding("Scopes", WARN, f"The provider does not list {' '.join(missing)}. Change OIDC_SCOPES.")
    return Finding("Scopes", OK, f"The portal asks for {' '.join(asked)}, and the provider lists them.")


def _of_client(adapter: ProviderAdapter) -> Finding:
    """Whether the token endpoint takes the client's credentials: of a code that no one gave, it says so first."""
    provider = adapter.get_provider()
    ways = " or ".join(dict.fromkeys(way.method for way in adapter.ways))
    try:
        adapter.get_client(adapter.request, provider.app).get_access_token(_NO_CODE, pkce_code_verifier=_VERIFIER)
    except SignInFault as fault:
        if fault.kind is Kind.CODE:
            return Finding("Client", OK, f"The provider accepts the portal's credentials ({ways}).")
        tone = BAD if fault.kind in (Kind.CLIENT, Kind.CERTIFICATE, Kind.UNREACHABLE) else WARN
        return Finding("Client", tone, f"Asked with {ways}: {fault.for_admins}")
    return Finding("Client", BAD, "The provider gave a token for a code that it never made.")


def _of_authorization(adapter: ProviderAdapter, config: dict[str, Any]) -> Finding:
    """Whether the authorization endpoint takes client ID, redirect URI and scopes."""
    provider = adapter.get_provider()
    redirect = f"{settings.PORTAL_URL}{callback_path(provider.app.provider_id)}"
    query = {
        "client_id": provider.app.client_id,
        "redirect_uri": redirect,
        "response_type": "code",
        "scope": " ".join(provider.get_scope()),
        "state": _NO_CODE,
        "nonce": _NO_CODE,
        "code_challenge": _CHALLENGE,
        "code_challenge_method": "S256",
        "prompt": "none",
    }
    endpoint = config["authorization_endpoint"]
    url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(url, allow_redirects=False)
    except requests.RequestException as error:
        return Finding("Authorization", BAD, of_call(error, url).for_admins)
    return _of_redirect(answer, redirect)


def _of_redirect(answer: requests.Response, redirect: str) -> Finding:
    what = "Authorization"
    if answer.status_code >= 500:
        sentence = f"The provider has a problem of its own with prompt=none ({answer.status_code})."
        return Finding(what, WARN, f"{sentence} Sign in once to see whether it accepts the client.")
    if answer.status_code >= 400:
        sentence = f"The provider refuses the client ID or the redirect URI ({answer.status_code}). Register {redirect}"
        return Finding(what, BAD, f"{sentence} for this client.")
    location = answer.headers.get("Location", "")
    error = parse_qs(urlsplit(location).query).get("error", [""])[0][:60]
    if location.startswith(redirect) and error and error not in _ASKS_TO_SIGN_IN:
        return Finding(what, BAD, f"The provider refuses what a sign-in asks for ({error}).")
    if location.startswith(redirect) and error:
        return Finding(what, OK, "The provider accepts client ID, redirect URI and scopes.")
    return Finding(what, WARN, "The provider answers with a page. Sign in once to see whether it accepts the client.")


def _of_sign_out(provider: IdentityProvider, config: dict[str, Any]) -> Finding:
    endpoint = config.get("end_session_endpoint")
    if not isinstance(endpoint, str) or not endpoint:
        return Finding("Sign-out", WARN, "The provider has no sign-out address, so its own session continues.")
    parts = urlsplit(endpoint)
    if (parts.scheme, parts.netloc) != provider.origin:
        return Finding("Sign-out", WARN, "The provider's sign-out is on another host than its issuer, and is not used.")
    return Finding("Sign-out", OK, "Signing out of the portal ends the provider's session too.")


def _of_backchannel(provider: IdentityProvider, config: dict[str, Any]) -> Finding:
    address = f"{settings.PORTAL_URL}{backchannel_path(provider.id)}"
    if config.get("backchannel_logout_supported") is True:
        return Finding("Back-channel logout", OK, f"The provider can end sessions here. Register {address} there.")
    hours = f"{settings.SESSION_COOKIE_AGE / 3600:g}"
    sentence = f"The provider lists no back-channel logout. Sessions here last up to {hours} hours (SESSION_HOURS)."
    return Finding("Back-channel logout", WARN, sentence)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _shown(claims: dict[str, Any], name: str) -> str:
    """A claim as text for people."""
    if name not in claims:
        return ""
    value = claims[name]
    texts = [
        each if isinstance(each, str) else json.dumps(each) for each in (value if isinstance(value, list) else [value])
    ]
    text = ", ".join(texts)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
