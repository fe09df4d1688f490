"""Ways through a sign-in at a real provider: Django's test client is the portal, httpx the browser at the provider."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
from bs4 import BeautifulSoup
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tests.kubectls import UnavailableError
from tests.live.providers.servers import CALLBACK, Client, Provider
from tests.live.providers.visits import Visit, visit
from tests.portal.browser import Browser, use_issuer
from tests.services import PORTAL_URL


class Running:
    """The providers that were asked for, each started once."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: dict[type[Provider], Provider] = {}

    def get[P: Provider](self, kind: type[P]) -> P:
        """The provider, as it was at its start. Skips the test if it cannot be had on this machine."""
        if kind not in self._running:
            provider = kind(self._factory.mktemp(kind.__name__))
            try:
                provider.start()
            except UnavailableError as error:
                pytest.skip(f"no {kind.name}: {error}")
            except BaseException:
                provider.stop()
                raise
            self._running[kind] = provider
        found = cast("P", self._running[kind])
        found.reset()
        return found

    def stop(self) -> None:
        for provider in self._running.values():
            provider.stop()


def configure(
    settings: Settings, provider: Provider, client: Client | None = None, issuer: str = "", **more: object
) -> None:
    """The portal's settings for a provider; `more` is what else allauth's app has."""
    client = client or provider.client
    use_issuer(settings, issuer or provider.issuer, client.id, client.secret)
    settings.PORTAL_URL = PORTAL_URL
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"] |= more


def arrive(person: httpx.Client, name: str, *, agree: bool = True) -> tuple[Browser, HttpResponse, Visit]:
    """Sign in from the portal's sign-in page to the portal's answer to what the provider says."""
    browser = Browser()
    start = browser.get("/accounts/login/")
    assert start.status_code == 302, start.content.decode()
    seen = visit(person, start.url, name, agree=agree)
    assert seen.path, seen.text
    return browser, browser.get(seen.path), seen


def sentence(response: HttpResponse, status: int) -> str:
    """What the page of a failed sign-in says."""
    assert response.status_code == status, response.content.decode()
    page = BeautifulSoup(response.content, "html.parser")
    assert page.select_one("main h1").get_text() == "Sign-in failed"
    return page.select_one("main [role=alert]").get_text(" ", strip=True)


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """What the log says of the last sign-in that failed."""
    fields = [vars(record)["fields"] for record in caplog.records if "kind" in vars(record).get("fields", {})]
    return {name: fields[-1][name] for name in ("kind", "code", "host")}


@contextmanager
def logout_tokens(port: int) -> Iterator[list[str]]:
    """The logout tokens that arrive at a port from now on."""
    tokens: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            tokens.extend(form["logout_token"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield tokens
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def discovery(provider: Provider) -> dict[str, Any]:
    """What the provider says of itself."""
    found: dict[str, Any] = httpx.get(f"{provider.issuer.removesuffix('/')}/.well-known/openid-configuration").json()
    return found


def id_token(provider: Provider, person: httpx.Client, name: str, client: Client) -> dict[str, Any]:
    """The claims of an ID token that another program gets, with its header as `header`."""
    verifier = secrets.token_urlsafe(40)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {"scope": "openid profile email groups", "response_type": "code", "state": "state", "nonce": "nonce"}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    place = {"client_id": client.id, "redirect_uri": CALLBACK}
    seen = visit(person, f"{discovery(provider)['authorization_endpoint']}?{urlencode(asked | place)}", name)
    form = {"grant_type": "authorization_code", "code": parse_qs(urlsplit(seen.path).query)["code"][0]}
    form |= place | {"client_secret": client.secret, "code_verifier": verifier}
    raw = httpx.post(discovery(provider)["token_endpoint"], data=form).json()["id_token"]
    claims: dict[str, Any] = jwt.decode(raw, options={"verify_signature": False})
    return claims | {"header": jwt.get_unverified_header(raw)}


def sign_in(person: httpx.Client, name: str) -> Browser:
    browser, response, _ = arrive(person, name)
    assert response.status_code == 302, response.content.decode()
    return browser
