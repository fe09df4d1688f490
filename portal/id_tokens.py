"""ID tokens, checked before use.

Their signature is not checked: they come from the token endpoint itself, over the connection that the portal opened
(OpenID Connect Core §3.1.3.7, no. 6). Logout tokens, which come from outside, are in portal/logout_tokens.py.
"""

import time
from typing import Any

import jwt
from django.conf import settings
from django.core.cache import cache

from portal.sso_faults import ADMIN, Kind, SignInFault

_OPTIONS: Any = {
    "verify_signature": False,
    "verify_iss": True,
    "verify_aud": True,
    "verify_exp": True,
    "require": ["iss", "aud", "exp"],
}


def decode(raw: str, *, issuer: str, client_id: str, host: str) -> dict[str, Any]:
    """The claims of an ID token that is this issuer's, for this client, in time, and used for the first time.

    Raises SignInFault.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            raw, options=_OPTIONS, issuer=issuer, audience=client_id, leeway=settings.CLOCK_LEEWAY_SECONDS
        )
    except jwt.ExpiredSignatureError as error:
        raise _late(raw, host) from error
    except jwt.InvalidIssuerError as error:
        raise _fault(Kind.ISSUER, "id_token_issuer", "is in another issuer's name", host) from error
    except jwt.InvalidAudienceError as error:
        raise _fault(Kind.AUDIENCE, "id_token_audience", "is for another client", host) from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise _fault(Kind.TOKEN, type(error).__name__, "can't be read", host) from error
    if not _is_new(claims):
        raise _fault(Kind.TOKEN, "id_token_replayed", "was used before", host)
    return claims


def check_nonce(claims: dict[str, Any], nonce: Any, host: str) -> None:
    """Raise SignInFault if a token does not answer the request that had this nonce (Core §3.1.3.7, no. 11)."""
    if nonce and claims.get("nonce") != nonce:
        raise _fault(Kind.NONCE, "id_token_nonce", "does not belong to this sign-in", host)


def _fault(kind: Kind, code: str, why: str, host: str) -> SignInFault:
    return SignInFault(kind, code, f"The ID token that the identity provider sent {why}. {ADMIN}", host=host)


def _late(raw: str, host: str) -> SignInFault:
    ended = jwt.decode(raw, options={"verify_signature": False}).get("exp", 0)
    late = max(1, round(time.time() - float(ended)))
    sentence = (
        f"The ID token that the identity provider sent had expired {late} seconds before it arrived. {ADMIN} "
        "The clocks of the portal and of the provider must agree."
    )
    return SignInFault(Kind.CLOCK, "id_token_expired", sentence, host=host)


def _is_new(claims: dict[str, Any]) -> bool:
    """Whether this process has not seen the token yet, if it has an ID of its own."""
    if not isinstance(claims.get("jti"), str):
        return True
    seconds = float(claims["exp"]) + settings.CLOCK_LEEWAY_SECONDS - time.time() + 1
    return bool(cache.add(f"id-token:{claims['iss']}:{claims['jti']}", True, timeout=max(1, seconds)))
