"""*Check sign-in* in the admin, and `manage.py check_connections`: what is right, what is wrong, and nothing secret."""

import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from environments.models import User
from portal import providers, sign_in_check
from tests.portal.browser import Browser
from tests.portal.provider import FakeProvider, new_key

PAGE = "/admin/sign-in/"
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def pem() -> str:
    return new_key()


@pytest.fixture
def sound(provider: FakeProvider, settings: Settings, pem: str, db: None) -> FakeProvider:
    """A provider at which nothing is wrong."""
    provider.secret = "pass-word-of-the-client"
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["secret"] = provider.secret
    provider.keys["k1"] = pem
    provider.metadata |= {
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "backchannel_logout_supported": True,
    }
    return provider


def found() -> dict[str, tuple[str, str]]:
    """What the check of the first provider says, by what was checked."""
    provider = providers.find("sso")
    assert provider is not None
    return {finding.what: (finding.tone, finding.text) for finding in sign_in_check.check(provider)}


def test_of_a_sound_provider_everything_is_ok(sound: FakeProvider) -> None:
    said = found()
    assert {tone for tone, _ in said.values()} == {"ok"}, said
    assert list(said) == [
        "Discovery document",
        "Clock",
        "Keys",
        "Scopes",
        "Client",
        "Authorization",
        "Sign-out",
        "Back-channel logout",
    ]
    assert "http://testserver/accounts/oidc/sso/backchannel-logout/" in said["Back-channel logout"][1]
    assert not User.objects.exists(), "nobody signed in"


@pytest.mark.parametrize(
    ("change", "what", "tone", "words"),
    [
        ({"overrides": {DISCOVERY: (404, "")}}, "Discovery document", "bad", "OIDC_ISSUER must be its issuer URL"),
        ({"metadata": {"issuer": "https://x.example"}}, "Discovery document", "bad", "issuer: discovery_issuer"),
        ({"keys": {}}, "Keys", "bad", "no key"),
        ({"overrides": {"/jwks": (500, "")}}, "Keys", "bad", "http_500"),
        ({"metadata": {"scopes_supported": None}}, "Scopes", "warn", "does not list its scopes"),
        ({"secret": "another-one-since"}, "Client", "bad", "client: invalid_client"),
        ({"overrides": {"/token": (200, {"access_token": "x"})}}, "Client", "bad", "for a code that it never made"),
        ({"overrides": {"/token": (200, "<html>")}}, "Client", "warn", "answer: not_json"),
        ({"without_a_person": "invalid_scope"}, "Authorization", "bad", "(invalid_scope)"),
        ({"overrides": {"/authorize": (400, "no")}}, "Authorization", "bad", "/accounts/oidc/sso/login/callback/"),
        ({"overrides": {"/authorize": (200, "<html>")}}, "Authorization", "warn", "answers with a page"),
        ({"overrides": {"/authorize": (500, "no")}}, "Authorization", "warn", "of its own with prompt=none (500)"),
        ({"metadata": {"end_session_endpoint": None}}, "Sign-out", "warn", "no sign-out address"),
        ({"metadata": {"end_session_endpoint": "https://x.example/"}}, "Sign-out", "warn", "on another host"),
        ({"metadata": {"backchannel_logout_supported": False}}, "Back-channel logout", "warn", "up to 12 hours"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_has_its_sentence(
    sound: FakeProvider, change: dict[str, Any], what: str, tone: str, words: str
) -> None:
    for name, value in change.items():
        setattr(sound, name, getattr(sound, name) | value if name == "metadata" else value)
    said = found()
    assert said[what][0] == tone
    assert words in said[what][1]
    assert "Your account is fine" not in said[what][1], "that is for people who sign in"
    assert "pass-word-of-the-client" not in str(said)


def test_scopes_of_the_settings_that_are_not_listed_are_named(sound: FakeProvider, settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["scope"] = ["openid", "roles"]
    assert found()["Scopes"] == ("warn", "The provider does not list roles. Change OIDC_SCOPES.")


def test_clocks_that_differ_are_told(sound: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_check, "time", SimpleNamespace(time=lambda: time.time() + 300))
    tone, text = found()["Clock"]
    assert (tone, "differ by" in text, "CLOCK_LEEWAY_SECONDS allows (60)" in text) == ("bad", True, True)


class TestThePage:
    @pytest.fixture
    def admin(self, sound: FakeProvider) -> Browser:
        sound.claims |= {"groups": ["platform-admins"], "email_verified": True, "locale": "<b>en</b>"}
        browser = Browser()
        browser.sign_in(sound)
        return browser

    def test_asks_nobody_before_it_is_told_to(self, admin: Browser, sound: FakeProvider) -> None:
        asked = len(sound.asked)
        page = BeautifulSoup(admin.get(PAGE).content, "html.parser")
        assert len(sound.asked) == asked
        assert [heading.get_text() for heading in page.select(".panel h3")] == ["Your last sign-in", "Its claims"]

    def test_shows_what_was_found(self, admin: Browser) -> None:
        page = BeautifulSoup(admin.post(PAGE).content, "html.parser")
        rows = {
            row.th.get_text(): row.select_one(".pill").get_text()
            for row in page.select("[aria-labelledby=found-sso] tbody tr")
        }
        assert rows["Client"] == "OK"
        assert set(rows.values()) == {"OK"}

    def test_shows_the_claims_of_the_admin_and_no_token(self, admin: Browser) -> None:
        response = admin.get(PAGE)
        page = BeautifulSoup(response.content, "html.parser")
        rows = {
            row.th.get_text(): [cell.get_text() for cell in row.select("td")] for row in page.select(".panel tbody tr")
        }
        assert rows["groups"] == ["platform-admins", "platform-admins"]
        assert rows["locale"] == ["<b>en</b>", "<b>en</b>"], "escaped"
        assert rows["iss"][1] == "–"
        assert admin.session["sso"]["id_token"] not in response.content.decode()

    def test_says_what_is_missing_in_them(self, sound: FakeProvider, settings: Settings) -> None:
        sound.claims |= {"groups": ["platform-admins"]}
        browser = Browser()
        browser.sign_in(sound)
        settings.GROUPS_CLAIM = "roles"
        text = browser.get(PAGE).content.decode()
        assert "did not send the claim roles" in text
        assert "does not count as verified" in text

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_is_for_platform_admins(self, sound: FakeProvider, method: str) -> None:
        browser = Browser()
        browser.sign_in(sound)
        asked = len(sound.asked)
        response = getattr(browser, method)(PAGE, follow=True)
        assert response.status_code == 403
        assert len(sound.asked) == asked

    def test_needs_a_token_of_its_own_form(self, admin: Browser) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = admin.cookies
        assert strict.post(PAGE).status_code == 403

    def test_is_linked_from_the_front_page(self, admin: Browser) -> None:
        page = BeautifulSoup(admin.get("/admin/").content, "html.parser")
        assert page.select_one(f'a[href="{PAGE}"]')


class _Smtp(socketserver.StreamRequestHandler):
    """A mail server that takes no password."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # who wants TLS hangs up
            self.talk()

    def talk(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            answers = {
                b"EHLO": b"250-here\r\n250 AUTH PLAIN LOGIN\r\n",
                b"QUIT": b"221 bye\r\n",
                b"AUTH": b"535 no\r\n",
            }
            self.wfile.write(answers.get(word, b"535 no\r\n"))


@contextmanager
def mail_server(settings: Settings, **more: Any) -> Iterator[None]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        options = {"host": "127.0.0.1", "port": server.server_address[1], "timeout": 5} | more
        settings.MAILERS = {"default": {"BACKEND": "portal.smtp.EmailBackend", "OPTIONS": options}}
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def command() -> tuple[list[str], str]:
    """The lines of the command, and its complaint at the end."""
    out = StringIO()
    try:
        call_command("check_connections", stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


class TestTheCommand:
    def test_says_ok_of_everything_that_works(self, sound: FakeProvider, settings: Settings) -> None:
        with mail_server(settings):
            lines, complaint = command()
        assert complaint == ""
        assert {line[:2] for line in lines} == {"OK"}, lines
        assert [line.split(": ")[0][6:] for line in lines][:4] == ["Database", "Migrations", "Broker", "Mail server"]

    def test_fails_where_something_does_not_work_and_shows_no_secret(
        self, sound: FakeProvider, settings: Settings
    ) -> None:
        sound.secret = "another-one-since"
        settings.CELERY_BROKER_URL = "redis://:broker-pass-word@127.0.0.1:1/0"
        with mail_server(settings, username="portal", password="mail-pass-word"):
            lines, complaint = command()
        bad = [line for line in lines if line.startswith("BAD")]
        assert [line.split(": ")[0][6:] for line in bad] == ["Broker", "Mail server", "sso"]
        assert "does not accept user name and password" in bad[1]
        assert complaint == "3 checks failed."
        assert not any(word in str(lines) for word in ("broker-pass-word", "mail-pass-word", "another-one-since"))

    @pytest.mark.parametrize(
        ("options", "words"),
        [({"port": 1}, "refuses the connection"), ({"use_ssl": True}, "answers without TLS")],
        ids=["nobody", "no TLS"],
    )
    def test_says_what_is_wrong_with_the_mail_server(
        self, sound: FakeProvider, settings: Settings, options: dict[str, Any], words: str
    ) -> None:
        with mail_server(settings, **options):
            lines, complaint = command()
        assert any(line.startswith("BAD") and words in line for line in lines), lines
        assert complaint == "1 check failed."

    def test_warns_where_no_mail_is_sent(self, sound: FakeProvider) -> None:
        lines, complaint = command()
        assert any(line.startswith("WARN  Mail server") for line in lines)
        assert complaint == ""
