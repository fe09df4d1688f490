"""A browser in front of what the portal rendered, without a server between them.

Pages are rendered first and handed over afterwards: the test database belongs to one thread, and Playwright keeps an
event loop in it from which Django would not ask the database.
"""

import shutil
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Route, expect, sync_playwright

from tests.pages.reading import HTMX

CHROMIUM = shutil.which("chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ORIGIN = "https://portal.test"  # a browser ignores some headers of a site without TLS, and says so
_SILENCE = HttpResponse()

expect.set_options(timeout=60_000)  # milliseconds; the five seconds it has are not enough on a busy machine


class Site:
    """Rendered pages by method, address and whether htmx asks; and the browser that is shown them.

    `complaints`: errors and warnings of the browser, except of requests that a test lets fail.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.complaints: list[str] = []
        self._answers: dict[tuple[str, str, bool], HttpResponse] = {}
        self._failing: set[str] = set()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def keep(self, path: str, *, part: bool = False, data: dict[str, Any] | None = None) -> HttpResponse:
        """Render a page, or the part of it that htmx asks for, and answer with it from now on."""
        method = self.client.get if data is None else self.client.post
        response = method(path, data, headers=HTMX if part else {})
        self.answer(path, response, part=part, method="GET" if data is None else "POST")
        return response

    def answer(self, path: str, response: HttpResponse, *, part: bool = True, method: str = "GET") -> None:
        """Answer with this from now on."""
        self._answers[method, path, part] = response
        if response is _SILENCE or response.status_code >= 400:
            self._failing.add(path)

    def fall_silent(self, path: str) -> None:
        """Do not answer htmx any more."""
        self.answer(path, _SILENCE)

    def open(self, path: str, **options: Any) -> Page:
        """Show a page. From here on the test must not use the database."""
        if self._browser is None:
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = self._browser.new_context(base_url=ORIGIN, locale="en-GB", **options).new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        page.route("**/*", self._fulfil)
        page.goto(path)
        return page

    def close(self) -> None:
        """Close the browser, if one was opened."""
        if self._browser and self._playwright:
            self._browser.close()
            self._playwright.stop()

    def _fulfil(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.path.startswith("/static/"):
            route.fulfill(path=str(finders.find(url.path.removeprefix("/static/"))))
            return
        address = url.path + (f"?{url.query}" if url.query else "")
        response = self._answers.get((route.request.method, address, "hx-request" in route.request.headers))
        if response is _SILENCE:
            route.abort()
        elif response is None:
            route.fulfill(status=404, body="not rendered for this test")
        else:
            route.fulfill(status=response.status_code, headers=dict(response.items()), body=response.content)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self._is_wanted(message):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _is_wanted(self, message: ConsoleMessage) -> bool:
        """Whether it is about a request that the test lets fail: by the browser, or by htmx, which names no address."""
        source = urlsplit(message.location.get("url", "")).path
        return source in self._failing or (bool(self._failing) and source.endswith("/htmx-2.min.js"))
