"""The token endpoint: how the portal authenticates there, and what its answers mean.

Sources: RFC 6749 §2.3.1 and §5, RFC 7523 §3, OpenID Connect Core §9 and Discovery §3 (client_secret_basic is the
default of a provider that lists no way).
"""

import base64
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from django.core.cache import cache

from portal.sso_faults import Kind, SignInFault, broken, host_of, of_answer, of_call

BASIC, POST, KEY = "client_secret_basic", "client_secret_post", "private_key_jwt"

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60


@dataclass(frozen=True)
class SigningKey:
    """The portal's private key for `private_key_jwt`, in PEM, with its ID at the provider."""

    pem: str
    id: str
    algorithm: str


@dataclass(frozen=True)
class Way:
    """One way to authenticate. `audience` is whom a signed assertion is for."""

    method: str
    audience: str = ""


def ways(chosen: str, listed: Any, issuer: str, endpoint: str) -> list[Way]:
    """The ways to try, in order. `chosen` is OIDC_CLIENT_AUTH (empty: what the provider lists).

    Providers that list both ways with a secret accept from each client only the one that it is registered with. For an
    assertion's audience Core asks for the issuer; older providers want the token endpoint.
    """
    if chosen == KEY:
        return [Way(KEY, issuer), Way(KEY, endpoint)]
    if chosen:
        return [Way(chosen)]
    known = [method for method in (POST, BASIC) if isinstance(listed, list) and method in listed]
    return [Way(method) for method in known or (BASIC, POST)]


def assertion(key: SigningKey, client_id: str, audience: str) -> str:
    """A signed statement that the portal is this client, good once and for a minute. Raises PyJWTError, ValueError."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": uuid.uuid4().hex, "iat": now}
    headers = {"kid": key.id} if key.id else None
    return jwt.encode(claims | {"exp": now + _ASSERTION_SECONDS}, key.pem, key.algorithm, headers=headers)


class TokenClient(OAuth2Client):
    """allauth's client, which authenticates in any of the ways, and tells the endpoint's errors apart."""

    ways: list[Way]
    signing_key: SigningKey

    def get_access_token(
        self, code: str, pkce_code_verifier: str | None = None, extra_data: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The token endpoint's answer. Raises SignInFault."""
        form = {"redirect_uri": self.callback_url, "grant_type": "authorization_code", "code": code}
        form |= {"code_verifier": pkce_code_verifier} if pkce_code_verifier else {}
        first, *others = self._in_order()
        try:
            return self._ask(form, first)
        except SignInFault as fault:
            if fault.kind is not Kind.CLIENT or not others:
                raise
        found = self._ask(form, others[0])
        cache.set(self._remembered, others[0].method + others[0].audience, None)
        return found

    @property
    def _remembered(self) -> str:
        return f"client-auth:{self.consumer_key}:{self.access_token_url}"

    def _in_order(self) -> list[Way]:
        """The ways, the one that worked last first: a refused try counts as an attack at some providers."""
        worked = cache.get(self._remembered)
        return sorted(self.ways, key=lambda way: way.method + way.audience != worked)

    def _ask(self, form: dict[str, str], way: Way) -> dict[str, Any]:
        headers, more = self._authentication(way)
        sent = {"headers": headers | {"Accept": "application/json"}, "allow_redirects": False}
        try:
            with get_adapter().get_requests_session() as session:
                response = session.post(self.access_token_url, data=form | more, **sent)
        except requests.RequestException as error:
            raise of_call(error, self.access_token_url) from error
        return self._read(response)

    def _authentication(self, way: Way) -> tuple[dict[str, str], dict[str, str]]:
        """The header and the form's fields that say who the portal is."""
        identity = {"client_id": self.consumer_key}
        if way.method == BASIC:  # both parts are encoded first, so that a colon in them is none (RFC 6749 §2.3.1)
            pair = f"{quote(self.consumer_key, safe='')}:{quote(self.consumer_secret, safe='')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}
        if way.method == POST:
            return {}, identity | {"client_secret": self.consumer_secret}
        try:
            signed = assertion(self.signing_key, self.consumer_key, way.audience)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            sentence = "The portal's own key for the identity provider can't be used. Tell a platform admin."
            raise SignInFault(Kind.CLIENT, "unusable_key", sentence, host=host_of(self.access_token_url)) from error
        return {}, identity | {"client_assertion_type": _ASSERTION, "client_assertion": signed}

    def _read(self, response: requests.Response) -> dict[str, Any]:
        """The answer's fields. Raises SignInFault for an error, and for what is no answer."""
        host = host_of(self.access_token_url)
        try:
            found = json_object(response, self.access_token_url)
        except SignInFault:
            if response.status_code == requests.codes.unauthorized:
                raise of_answer({"error": "invalid_client"}, host) from None
            if response.ok and not response.is_redirect:
                raise
            raise broken(f"http_{response.status_code}", host) from None
        if "error" in found:
            raise of_answer(found, host)
        if not response.ok:
            raise broken(f"http_{response.status_code}", host)
        if not isinstance(found.get("access_token"), str):
            raise broken("no_access_token", host)
        return found


def json_object(response: requests.Response, url: str, *, kind: Kind = Kind.ANSWER) -> dict[str, Any]:
    """An answer's JSON object. Raises SignInFault if it is none."""
    try:
        found = response.json()
    except (ValueError, RecursionError):
        raise broken("not_json", host_of(url), kind=kind) from None
    if not isinstance(found, dict):
        raise broken("not_an_object", host_of(url), kind=kind)
    return found
