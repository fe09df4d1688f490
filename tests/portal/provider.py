"""An OpenID Connect provider on the loopback: as correct as the flow needs, as odd as a test wants."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt

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
        self.issuer = ""

    def grant(self, authorization_url: str) -> str:
        """The person agreed: the query of the redirect back, for the request that the browser brought."""
        query = dict(parse_qsl(urlsplit(authorization_url).query))
        assert query["code_challenge_method"] == "S256"
        self.challenges["code1"] = query["code_challenge"]
        return f"code=code1&state={query['state']}"

    def answer(self, method: str, path: str, form: dict[str, list[str]]) -> tuple[int, Any]:
        self.asked.append(path)
        if path in self.overrides:
            return self.overrides[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, self._discovery()
            case "/token":
                return self._token(form)
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

    def _token(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != self.challenges.pop(form["code"][0], None) or form["client_secret"] != [CLIENT_SECRET]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        payload = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60} | self.claims | self.id_token
        token = jwt.encode(payload, SIGNING_KEY, algorithm="HS256")
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


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
            status, body = provider.answer(self.command, self.path, form)
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
