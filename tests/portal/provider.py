"""An OpenID Connect provider on the loopback: as correct as the flow needs, as odd as a test wants."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "portal", "secret"
SIGNING_KEY = "only-for-tests-" + "k" * 32


class FakeProvider:
    """Who signs in next is `claims`; `overrides` replaces whole answers: path -> (status, body)."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "dana", "email": "dana@example.com", "preferred_username": "dana"}
        self.userinfo: dict[str, Any] | None = None
        self.overrides: dict[str, tuple[int, Any]] = {}
        self.metadata: dict[str, Any] = {}
        self.id_token: dict[str, Any] = {}
        self.asked: list[str] = []
        self.challenges: dict[str, str] = {}
        self.nonces: dict[str, str] = {}
        self.accepts: tuple[str, ...] = ("client_secret_post", "client_secret_basic")
        self.client_key: Any = None  # public: whose assertions are accepted
        self.assertion_audience = ""  # empty: the issuer or the token endpoint
        self.tried: list[str] = []  # how the portal authenticated
        self.without_a_person = "login_required"
        self.keys: dict[str, str] = {}  # what it signs logout tokens with: PEM by ID
        self.issuer, self.secret = "", CLIENT_SECRET

    def grant(self, authorization_url: str) -> str:
        """The person agreed: the query of the redirect back, for the request that the browser brought."""
        query = dict(parse_qsl(urlsplit(authorization_url).query))
        assert query["code_challenge_method"] == "S256"
        self.challenges["code1"] = query["code_challenge"]
        self.nonces["code1"] = query["nonce"]
        return f"code=code1&state={query['state']}"

    def logout_token(self, key: str, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A logout token as this provider signs it; a claim that is None is left out."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": uuid.uuid4().hex}
        said |= {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}} | claims
        said = {name: value for name, value in said.items() if value is not None}
        head = {"kid": key, "typ": "logout+jwt"} | (headers or {})
        head = {name: value for name, value in head.items() if value is not None or name == "typ"}
        return jwt.encode(said, self.keys[key], "RS256", head)

    def answer(self, method: str, path: str, form: dict[str, list[str]], authorization: str = "") -> tuple[int, Any]:
        query = dict(parse_qsl(urlsplit(path).query))
        path = urlsplit(path).path
        self.asked.append(path)
        if path in self.overrides:
            return self.overrides[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, self._discovery()
            case "/authorize":  # as with `prompt=none`: in a browser the test takes this step itself
                return 302, f"{query['redirect_uri']}?error={self.without_a_person}&state={query['state']}"
            case "/token":
                return self._token(form, authorization)
            case "/jwks":
                return 200, {"keys": [_public(key, pem) for key, pem in self.keys.items()]}
            case "/userinfo":
                return 200, self.claims if self.userinfo is None else self.userinfo
        return 404, {}

    def _discovery(self) -> dict[str, Any]:
        at = self.issuer.removesuffix("/")
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/jwks",
            "end_session_endpoint": f"{at}/end-session",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        } | self.metadata

    def _token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        code = form["code"][0]
        if challenge != self.challenges.pop(code, None):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        payload = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": self.nonces.pop(code)}
        token = jwt.encode(payload | self.claims | self.id_token, SIGNING_KEY, algorithm="HS256")
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}

    def _is_client(self, form: dict[str, list[str]], authorization: str) -> bool:
        """Whether the portal proved who it is, in a way that this client is registered with."""
        if authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
            method, right = "client_secret_basic", [unquote(part) for part in pair] == [CLIENT_ID, self.secret]
        elif "client_assertion" in form:
            method, right = "private_key_jwt", self._is_signed(form)
        else:
            secret = form.get("client_secret")
            method, right = "client_secret_post", (form.get("client_id"), secret) == ([CLIENT_ID], [self.secret])
        self.tried.append(method)
        return right and method in self.accepts

    def _is_signed(self, form: dict[str, list[str]]) -> bool:
        audiences = [self.assertion_audience] if self.assertion_audience else [self.issuer, f"{self.issuer}/token"]
        try:
            said = jwt.decode(
                form["client_assertion"][0], self.client_key, ["RS256", "ES256"], audience=audiences, issuer=CLIENT_ID
            )
        except jwt.PyJWTError:
            return False
        return said["sub"] == CLIENT_ID and bool(said["jti"]) and 0 < said["exp"] - time.time() <= 60


def new_key() -> str:
    """A private key in PEM."""
    return (
        rsa.generate_private_key(65537, 2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _public(key: str, pem: str) -> dict[str, Any]:
    public = serialization.load_pem_private_key(pem.encode(), None).public_key()
    return jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True) | {"kid": key, "use": "sig", "alg": "RS256"}


@contextmanager
def running(provider: FakeProvider) -> Iterator[None]:
    """The provider on a free port, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond({})

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._respond(parse_qs(self.rfile.read(length).decode()))

        def _respond(self, form: dict[str, list[str]]) -> None:
            status, body = provider.answer(self.command, self.path, form, self.headers.get("Authorization", ""))
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", str(body))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
