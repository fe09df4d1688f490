"""Finds the user of a bearer token: from a table given at the start, or from a TokenRequest.

A requested token is a signed JWT, so the server stores nothing. It is valid until it expires, as long as its
ServiceAccount still exists with the same uid.
Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

from portal.demo.simulated.kinds import BY_NAME, Object
from portal.demo.simulated.rbac import User
from portal.demo.simulated.statuses import bad_value, invalid_options, not_found, unauthorized
from portal.demo.simulated.store import Store

AUDIENCE = "https://kubernetes.default.svc"
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_SERVICE_ACCOUNT = BY_NAME["ServiceAccount"]
_SHORTEST, _USUAL = 600, 3600  # seconds


class Accounts:
    """Reads and creates tokens."""

    def __init__(self, store: Store, key: bytes, tokens: dict[str, User]) -> None:
        self._store, self._key = store, key
        self.tokens = tokens
        self.longest: int | None = None  # seconds to which longer tokens are shortened; None: any lifetime is given

    def authenticate(self, header: str) -> User:
        """The user of an Authorization header; anonymous without one. Raises StatusError 401."""
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        known = self.tokens.get(token)
        if known is not None:
            return User(known.name, tuple(dict.fromkeys((*known.groups, "system:authenticated"))))
        return self._service_account(self._verified(token))

    def issue(self, name: str, namespace: str, body: Object, now: float | None = None) -> Object:
        """Answer a TokenRequest. Raises StatusError 404 without the account, 422 for a duration that is too short."""
        account = self._store.get(_SERVICE_ACCOUNT, name, namespace)
        if account is None:
            raise not_found(_SERVICE_ACCOUNT, name)
        spec = body.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or _USUAL)
        if seconds < _SHORTEST:
            why = bad_value("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
            raise invalid_options("authentication.k8s.io", "TokenRequest", [why])
        seconds = min(seconds, self.longest or seconds)
        begins = int(now if now is not None else time.time())
        ends = begins + seconds
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"audiences": [AUDIENCE], "expirationSeconds": seconds, "boundObjectRef": None},
            "status": {
                "token": self._signed(account["metadata"], begins, ends),
                "expirationTimestamp": datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        }

    def _signed(self, account: Object, begins: int, ends: int) -> str:
        namespace, name, uid = account["namespace"], account["name"], account["uid"]
        claims = {
            "aud": [AUDIENCE],
            "iat": begins,
            "exp": ends,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
        }
        text = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{text}.{self._signature(text)}"

    def _signature(self, text: str) -> str:
        digest = hmac.digest(self._key, text.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _verified(self, token: str) -> Any:
        text, _, signature = token.rpartition(".")
        if not text or not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            raise unauthorized()
        claims = text.partition(".")[2]
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))

    def _service_account(self, claims: Any) -> User:
        bound = claims["kubernetes.io"]
        namespace, name = bound["namespace"], bound["serviceaccount"]["name"]
        account = self._store.get(_SERVICE_ACCOUNT, name, namespace)
        if (
            claims["exp"] < time.time()
            or account is None
            or account["metadata"]["uid"] != bound["serviceaccount"]["uid"]
        ):
            raise unauthorized()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], groups)


def _encode(value: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
