"""An issuer that a real API server trusts: https, with an authority of its own, tokens by the device code grant."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.detours import Authority, tls_front
from tests.portal.provider import FakeProvider, running

CLIENT_ID = "kubectl"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_CLAIMS = {"email": ("email", "email_verified"), "groups": ("groups",)}  # what a scope brings into the token


class Issuer(FakeProvider):
    """Signs in `claims` for every code. RFC 8628."""

    def __init__(self) -> None:
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._pending: dict[str, str] = {}

    def answer(self, method: str, path: str, form: dict[str, list[str]], authorization: str = "") -> tuple[int, Any]:
        match path:
            case "/jwks":
                return 200, {"keys": [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key())) | _USE]}
            case "/device":
                return self._begin(form)
        return super().answer(method, path, form, authorization)

    def _discovery(self) -> dict[str, Any]:
        more = {"device_authorization_endpoint": f"{self.issuer}/device", "response_types_supported": ["code"]}
        signing = {"id_token_signing_alg_values_supported": ["ES256"], "subject_types_supported": ["public"]}
        return super()._discovery() | more | signing

    def _begin(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        if form["client_id"] != [CLIENT_ID]:
            return 400, {"error": "invalid_client"}
        code = f"code-{len(self._pending)}"
        self._pending[code] = form["scope"][0]
        return 200, {"device_code": code, "user_code": "ABCD", "verification_uri": f"{self.issuer}/code", "interval": 0}

    def _token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        scopes = self._pending.get(form["device_code"][0])
        if form["grant_type"] != [_DEVICE_CODE] or scopes is None:
            return 400, {"error": "invalid_grant"}
        now, known = int(time.time()), scopes.split()
        claims = {name: self.claims[name] for scope in known for name in _CLAIMS.get(scope, ()) if name in self.claims}
        payload = {"iss": self.issuer, "aud": CLIENT_ID, "sub": self.claims["sub"], "iat": now, "exp": now + 600}
        token = jwt.encode(payload | claims, self._key, algorithm="ES256", headers={"kid": _USE["kid"]})
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


_USE = {"kid": "one", "use": "sig", "alg": "ES256"}


@contextmanager
def issuing(authority: Authority) -> Iterator[Issuer]:
    """The issuer at https://127.0.0.1:…, until the end of the block."""
    issuer = Issuer()
    with running(issuer):
        port = int(issuer.issuer.rpartition(":")[2])
        with tls_front(port, authority.context("127.0.0.1")) as front:
            issuer.issuer = f"https://{front.address}"
            yield issuer
