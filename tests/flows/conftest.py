"""The demo, started as a person would, and a real browser in front of it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from portal.demo.idp import PASSWORD
from portal.demo.ports import free_port
from tests.pages.browsing import CHROMIUM, SWITCHES

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 180.0  # seconds for the first start of the demo


def pytest_collection_modifyitems(items):
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="Chromium is not installed (Debian's package chromium)")
        for item in items:
            if item.path.parent == Path(__file__).parent:
                item.add_marker(skip)


class Demo:
    """`python -m portal.demo` in a folder, on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()  # the identity provider takes the second
        self.url = f"http://localhost:{self.port}"

    def start(self) -> None:
        # Tests that were started in the background ignore Ctrl-C, and would pass that on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "-m", "portal.demo", "--port", str(self.port), "--data", str(self.folder / "data")]
        with (self.folder / "demo.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            assert self.process.poll() is None, (self.folder / "demo.log").read_text()
            assert time.monotonic() < deadline, (self.folder / "demo.log").read_text()
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    running = Demo(tmp_path_factory.mktemp("demo"))
    running.start()
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="module")
def chromium():
    """A browser for one module: while Playwright's event loop is there, Django asks no database in this thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, demo):
    """Open a page as one of the demo's people; what the browser complains about fails the test."""
    contexts, complaints = [], []

    def sign_in(name: str, **options):
        context = chromium.new_context(base_url=demo.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if _is_ours(message, demo) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.fill("input[name=login]", name)
        page.keyboard.press("Enter")
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{demo.url}/**")
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []


def _is_ours(message, demo) -> bool:
    """Whether it is an error or a warning of a portal page, except of a page that is refused on purpose.

    A complaint about a header has no address.
    """
    url = message.location.get("url", "")
    refused = "responded with a status of 4" in message.text and "/static/" not in url
    return message.type in ("error", "warning") and (not url or demo.url in url) and not refused
