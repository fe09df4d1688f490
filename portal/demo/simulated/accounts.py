"""Finds the user of a bearer token: from a table given at the start, or from a TokenRequest.

A requested token is a signed JWT, so the server stores nothing. It is valid until it expires, as long as its
ServiceAccount still exists with the same uid, and about ten seconds longer where it was in use.
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
from portal.demo.simulated.statuses import bad_request, bad_value, invalid_options, not_found, unauthorized
from portal.demo.simulated.store import Store

AUDIENCE = "https://kubernetes.default.svc"
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_SERVICE_ACCOUNT = BY_NAME["ServiceAccount"]
_SHORTEST, _USUAL, _LONGEST = 600, 3600, 2**32  # seconds
_REMEMBERED = 10.0  # seconds for which a token that was found good is not looked at again
_BOUND = ("Pod", "Secret", "Node")


class Accounts:
    """Reads and creates tokens."""

    def __init__(self, store: Store, key: bytes, tokens: dict[str, User]) -> None:
        self._store, self._key = store, key
        self.tokens = tokens
        self.remembers = _REMEMBERED
        self._known: dict[str, tuple[User, float]] = {}
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
        return self._remembered(token)

    def _remembered(self, token: str) -> User:
        """The account of a token. What was found is remembered for a while, as in the API server."""
        user, until = self._known.get(token, (ANONYMOUS, 0.0))
        if time.monotonic() < until:
            return user
        self._known = {each: found for each, found in self._known.items() if found[1] > time.monotonic()}
        user = self._service_account(self._verified(token))
        self._known[token] = (user, time.monotonic() + self.remembers)
        return user

    def issue(self, name: str, namespace: str, body: Object, now: float | None = None) -> Object:
        """Answer a TokenRequest. Raises StatusError 404 without the account, 422 for a duration that is too short."""
        account = self._store.get(_SERVICE_ACCOUNT, name, namespace)
        if account is None:
            raise not_found(_SERVICE_ACCOUNT, name)
        spec = body.get("spec") or {}
        seconds = _seconds(spec)
        self._require_bound(spec.get("boundObjectRef") or {}, namespace)
        seconds = min(seconds, self.longest or seconds)
        begins = int(now if now is not None else time.time())
        ends = begins + seconds
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "audiences": spec.get("audiences") or [AUDIENCE],
                "expirationSeconds": seconds,
                "boundObjectRef": None,
            },
            "status": {
                "token": self._signed(account["metadata"], begins, ends),
                "expirationTimestamp": datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        }

    def _require_bound(self, reference: Object, namespace: str) -> None:
        """Raise StatusError 400, 404 where what a token is to be bound to cannot be, or is not there."""
        if not reference:
            return
        kind = BY_NAME.get(reference.get("kind", ""))
        if kind is None or kind.kind not in _BOUND:
            raise bad_request(f"cannot bind token for serviceaccount to type {reference.get('kind')}")
        if self._store.get(kind, reference.get("name", ""), namespace if kind.namespaced else "") is None:
            raise not_found(kind, reference.get("name", ""))

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


def _seconds(spec: Object) -> int:
    """For how long a token is asked for. Raises StatusError 400, 422."""
    seconds = spec.get("expirationSeconds", _USUAL)
    if not isinstance(seconds, int):
        raise bad_request('TokenRequest in version "v1" cannot be handled as a TokenRequest: json: cannot unmarshal')
    why = "may not specify a duration less than 10 minutes" if seconds < _SHORTEST else ""
    why = why or ("may not specify a duration larger than 2^32 seconds" if seconds > _LONGEST else "")
    if why:
        causes = [bad_value("spec.expirationSeconds", seconds, why)]
        raise invalid_options("authentication.k8s.io", "TokenRequest", causes)
    return seconds


def _encode(value: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
