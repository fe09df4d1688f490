"""Logout tokens, with which a provider ends sessions. They come from outside, so everything about them is checked.

Source: OpenID Connect Back-Channel Logout 1.0 §2.4 (the token) and §2.6 (its validation).
"""

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from django.conf import settings
from django.core.cache import cache

from portal.claims import exact, text
from portal.sso import ProviderAdapter, fetch
from portal.sso_faults import Kind, SignInFault

MAX_LENGTH = 20_000  # characters
KEYS_SECONDS, NEW_KEYS_SECONDS = 600, 30
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: What providers sign with. None of them takes a secret, so no public key can be taken for one.
_ALGORITHMS = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA")
)
_TYPES = frozenset({"", "jwt", "logout+jwt", "application/logout+jwt"})
_WITHOUT_END = 120  # seconds: how old a token without `exp` may be, as drafts of the standard allowed
_LATEST = 4102444800  # the year 2100: what is later is no time


class LogoutRefused(Exception):  # noqa: N818 (a decision, not a fault)
    """The token ends nothing; the message tells the provider why, and holds nothing of the token."""


@dataclass(frozen=True)
class LogoutToken:
    """Whose sessions to end: of a subject, one of them (`sid`), or both. `digest` identifies the token."""

    issuer: str
    subject: str
    sid: str
    digest: str
    expires_at: datetime


@dataclass(frozen=True)
class ProviderKey:
    """A public key of a provider; `algorithm` is empty if the key does not say."""

    id: Any
    algorithm: str
    key: Any


def verify(raw: str, adapter: ProviderAdapter) -> LogoutToken:
    """A token that this provider signed for this portal, now and for this purpose. Raises LogoutRefused."""
    if not raw or len(raw) > MAX_LENGTH:
        raise LogoutRefused("There is no logout_token, or it is too long.")
    try:
        issuer, client_id = adapter.openid_config["issuer"], adapter.get_provider().app.client_id
        claims = _decode(raw, adapter, issuer, client_id)
    except SignInFault as fault:
        raise LogoutRefused(f"The portal could not check the token ({fault.kind}: {fault.code}).") from fault
    subject, sid = exact(claims, "sub"), exact(claims, "sid")
    _check_purpose(claims, subject, sid)
    digest = hashlib.sha256(f"{issuer}\n{claims['jti']}".encode(errors="replace")).hexdigest()
    return LogoutToken(issuer, subject, sid, digest, _end_of(claims))


def _decode(raw: str, adapter: ProviderAdapter, issuer: str, client_id: str) -> dict[str, Any]:
    """The claims, once signature, issuer, audience and times are right."""
    header = _header(raw)
    for renew in (False, True):
        for key in _keys(adapter.openid_config["jwks_uri"], header, renew=renew):
            try:
                return _signed(raw, key, header["alg"], issuer, client_id)
            except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError, ValueError):
                continue
            except (jwt.PyJWTError, RecursionError) as error:
                raise LogoutRefused(f"The token's claims are not valid ({type(error).__name__}).") from error
    raise LogoutRefused("No key of the provider fits the token's signature.")


def _header(raw: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = jwt.get_unverified_header(raw)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise LogoutRefused("The token can't be read.") from error
    if header.get("alg") not in _ALGORITHMS:
        raise LogoutRefused("The token is not signed with a key pair.")
    if str(header.get("typ") or "").lower() not in _TYPES:
        raise LogoutRefused("The token is of another type.")
    return header


def _signed(raw: str, key: ProviderKey, algorithm: str, issuer: str, client_id: str) -> dict[str, Any]:
    """Raises PyJWTError."""
    required: Any = {"require": ["iss", "aud", "iat", "jti", "events"]}
    leeway = settings.CLOCK_LEEWAY_SECONDS
    said: dict[str, Any] = jwt.decode(
        raw, key.key, [algorithm], options=required, issuer=issuer, audience=client_id, leeway=leeway
    )
    return said


def _check_purpose(claims: dict[str, Any], subject: str, sid: str) -> None:
    """Raise LogoutRefused unless the token was made to end sessions, and names some."""
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise LogoutRefused("The token is not about ending a session.")
    if "nonce" in claims:
        raise LogoutRefused("The token has a nonce, as ID tokens do.")
    if not subject and not sid:
        raise LogoutRefused("The token names no subject and no session.")
    if "exp" not in claims and claims["iat"] < time.time() - _WITHOUT_END - settings.CLOCK_LEEWAY_SECONDS:
        raise LogoutRefused("The token has no end, and is too old.")


def _end_of(claims: dict[str, Any]) -> datetime:
    """When the token can no longer be used."""
    end = float(claims.get("exp") or claims["iat"] + _WITHOUT_END) + settings.CLOCK_LEEWAY_SECONDS
    return datetime.fromtimestamp(min(end, _LATEST), UTC)


def _keys(url: str, header: dict[str, Any], *, renew: bool) -> list[ProviderKey]:
    """The provider's keys that the token may be signed with. `renew`: only if they can be fetched again now.

    Providers change their keys, so an unknown key has them fetched again; not for every token that is sent here.
    """
    listed = cache.get(f"keys:{url}")
    if renew and not cache.add(f"keys-renewed:{url}", True, NEW_KEYS_SECONDS):
        return []
    if listed is None or renew:
        listed = fetch(url, kind=Kind.SIGNATURE).get("keys")
        cache.set(f"keys:{url}", listed, KEYS_SECONDS)
    named, algorithm = header.get("kid"), header["alg"]
    return [key for key in usable_keys(listed) if named in (None, key.id) and key.algorithm in ("", algorithm)]


def usable_keys(listed: Any) -> list[ProviderKey]:
    """The keys of a JSON Web Key Set (RFC 7517 §5) that can verify signatures; others are left out."""
    found = []
    for said in listed if isinstance(listed, list) else []:
        if not isinstance(said, dict) or said.get("use") == "enc":
            continue
        try:
            key = jwt.PyJWK(said).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue  # of a kind that is not known here
        found.append(ProviderKey(said.get("kid"), text(said, "alg"), key))
    return found
