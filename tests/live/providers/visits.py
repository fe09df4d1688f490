"""A person at an identity provider: follows redirects and fills in forms, until the way leads back to the portal."""

from dataclasses import dataclass, field
from urllib.parse import urljoin

import httpx
from bs4 import BeautifulSoup, Tag

from portal.demo.idp import PASSWORD
from tests.services import PORTAL_URL

STEPS = 15
SIGN_IN, QUESTION = "sign-in", "question"

#: The buttons of a page that agree and deny, the first that is there. A form without one is sent without a button.
AGREE = ("[name=allow]", "[name=logout][value=yes]", "[name=answer][value=accept]", "[name=answer][value=logout]")
DENY = ("[name=answer][value=deny]", "[name=answer][value=stay]")


@dataclass
class Visit:
    """Where a visit ended, as a path of the portal (empty: at the provider), and which pages the provider showed."""

    path: str = ""
    pages: list[str] = field(default_factory=list)
    text: str = ""  # of the provider's page that it ended on


def visit(browser: httpx.Client, url: str, name: str, *, agree: bool = True) -> Visit:
    """Open a page of the provider, sign in as a person if it asks for that, and agree to its questions, or deny.

    Ends at the portal, or on a page that asks nothing.
    """
    seen, response = Visit(), browser.get(url)
    for _ in range(STEPS):
        if response.is_redirect:
            target = urljoin(str(response.url), response.headers["Location"])
            if target.startswith(PORTAL_URL):
                seen.path = target.removeprefix(PORTAL_URL)
                return seen
            response = browser.get(target)
        else:
            assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text}"
            page = BeautifulSoup(response.text, "html.parser")
            if not page.select_one("form[method=post i]"):
                seen.text = page.get_text(" ", strip=True)
                return seen
            response = _answer(browser, response, name, agree, seen)
    raise AssertionError(f"The provider still asks after {seen.pages}: {response.url}")


def _answer(browser: httpx.Client, response: httpx.Response, name: str, agree: bool, seen: Visit) -> httpx.Response:
    page = BeautifulSoup(response.text, "html.parser")
    form = page.select_one("form[method=post i]")
    assert form, response.text
    texts, passwords = form.select("[name=login], [name=username]"), form.select("[type=password]")
    if texts or passwords:
        if SIGN_IN not in seen.pages:
            seen.pages.append(SIGN_IN)
        fields = {str(each["name"]): name for each in texts} | {str(each["name"]): PASSWORD for each in passwords}
        return _submit(browser, response, form, fields | {"answer": ""})
    seen.pages.append(QUESTION)
    if not agree and (cancel := next((link for link in page.select("a") if "Cancel" in link.get_text()), None)):
        return browser.get(urljoin(str(response.url), str(cancel["href"])))
    button = next(filter(None, map(page.select_one, AGREE if agree else DENY)), None)
    pressed = {str(button["name"]): str(button.get("value", ""))} if button else {}
    return _submit(browser, response, form, pressed)


def _submit(browser: httpx.Client, response: httpx.Response, form: Tag, fields: dict[str, str]) -> httpx.Response:
    hidden = {str(each["name"]): str(each.get("value", "")) for each in form.select("input[type=hidden][name]")}
    target = urljoin(str(response.url), str(form.get("action") or response.url))
    return browser.post(target, data=hidden | fields, headers={"Referer": str(response.url)})
