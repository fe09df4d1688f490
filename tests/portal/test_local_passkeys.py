"""Passkeys, in a real browser with an authenticator of its own, on a portal in a process of its own."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from portal.demo.ports import free_port
from tests.pages.browsing import CHROMIUM, SWITCHES
from tests.portal.local_people import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)"),
]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def manage(url: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How to run manage.py on a portal with local accounts."""
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "LOCAL_ACCOUNTS": "true",
        "PORTAL_URL": url,
        "SECURE": "false",
        "COLLECTED_STATIC": "false",
        "BROKER_URL": "memory://localhost",
        "EMAIL_URL": "memorymail://",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
    }
    return [sys.executable, "manage.py"], environment


@pytest.fixture
def invitation(tmp_path: Path) -> Iterator[str]:
    """The link of an invitation for a platform admin; the portal behind it runs."""
    url = f"http://localhost:{free_port()}"
    command, environment = manage(url, tmp_path)
    subprocess.run([*command, "migrate", "-v0"], env=environment, check=True, timeout=180)
    invite = [*command, "invite", "nia@example.com", "--role", "admin"]
    link = subprocess.run(invite, env=environment, check=True, timeout=180, capture_output=True, text=True).stdout
    log = (tmp_path / "log").open("w")
    serve = [*command, "runserver", "--noreload", url.rpartition(":")[2]]
    server = subprocess.Popen(serve, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"{url}/healthz")
        yield link.strip()
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def wait_for(url: str) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser with an authenticator. What it complains about fails the test, such as a script that was blocked."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = browser.new_context().new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield page
        browser.close()
    assert complaints == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_passkey_is_added_signs_in_and_confirms(page: Page, invitation: str) -> None:
    page.goto(invitation)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("Repeat new password").fill(PASSWORD)
    press(page, "Create account")
    expect(page.get_by_text("needs a second factor")).to_be_visible()

    page.get_by_role("link", name="Add passkey").click()
    page.get_by_label("Name").fill("Work laptop")
    press(page, "Add passkey")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    press(page, "Sign out")

    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Email address").fill("nia@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    press(page, "Use passkey")
    page.get_by_role("link", name="Security").click()

    page.get_by_role("link", name="Remove Work laptop").click()
    press(page, "Use passkey")
    expect(page.get_by_role("heading", name="Remove “Work laptop”?")).to_be_visible()
    press(page, "Remove passkey")
    expect(page.get_by_text("needs a second factor")).to_be_visible()
