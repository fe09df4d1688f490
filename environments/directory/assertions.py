"""Clients that sign for their tokens instead of sending a secret (RFC 7523 §2.2)."""

import json
import time
import uuid

import jwt

from environments.lib.errors import PermanentError

LIFETIME = 300  # seconds


def signed(client_id: str, key: str, token_url: str) -> str:
    """A signed statement that this client asks this token endpoint. `key`: a private key as PEM or JWK.

    Raises PermanentError (BadKey), which says nothing of the key. Claims: RFC 7523 §3.
    """
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    try:
        if not key.lstrip().startswith("{"):
            return jwt.encode(claims, key, algorithm="RS256")
        found = jwt.PyJWK(json.loads(key))
        headers = {"kid": found.key_id} if found.key_id else None
        return jwt.encode(claims, found.key, algorithm=found.algorithm_name, headers=headers)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise PermanentError(
            "The directory's secret is not a private key (PEM or JWK). A platform admin must correct it.",
            reason="BadKey",
        ) from error
