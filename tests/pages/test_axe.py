"""axe-core finds nothing wrong with any page in light, in dark and on a phone, and none needs scrolling sideways.

Each page is loaded once: colours and width change while it is shown. Colours are all that dark has of its own, so only
the rules about colours run again there. 320 pixels are what a window of 1280 has left at 400 % (WCAG 2.2, 1.4.10).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, override_settings
from playwright.sync_api import Page

import portal.urls  # noqa: F401 (now, while it reads the settings of SSO-only, which this changes later)
from portal.demo.simulated import SimulatedCluster
from tests import once
from tests.pages import gallery, visits
from tests.pages.browsing import CHROMIUM, Site

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
COLOURS = ["color-contrast", "link-in-text-block"]
#: Runs all rules, best practices too, or the named ones: rule -> what it has to say about which elements.
RUN = """async rules => {
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const {violations} = await axe.run(document, {resultTypes: ["violations"], ...only});
  const why = node => [...node.any, ...node.all, ...node.none].map(check => check.message).join(" ");
  const say = node => `${node.target.join(" ")}: ${why(node)}`;
  return Object.fromEntries(violations.map(one => [one.id, one.nodes.map(say)]));
}"""
INVITATION = "/admin/environments/invitation/add/"
REDRAW = """() => django.jQuery("select.admin-autocomplete").select2("destroy").djangoAdminSelect2()"""
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
ZOOMED = {"width": 320, "height": 256}
BLANK = "/slipshod/"
SLIPSHOD = """<!doctype html><html lang="en" style="color-scheme: light dark"><title>Slipshod</title>
<main><h1>Page</h1><p style="color: light-dark(#000, #777); background: light-dark(#fff, #888)">Hard to read</p>
<pre style="overflow: auto; height: 5em; width: min(350px, 30vw)">%s</pre>
<p style="width: 340px">Wide</p></main></html>""" % ("Out of reach, in a long line of its own\n" * 20)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.browser,
    pytest.mark.timeout(900),  # half a minute if the machine has nothing else to do
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)"),
]


@dataclass
class Findings:
    """What is wrong: each line names the page, the variant, the rule and the elements."""

    pages: int = 0
    lines: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    sideways: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def add(self, name: str, variant: str, violations: dict[str, list[str]]) -> None:
        for rule, nodes in violations.items():
            self.counts[rule, variant] += 1
            self.lines.append(f"{name}, {variant}, {rule}: {len(nodes)} elements, {nodes[:3]}")


@pytest.fixture(scope="module")
def answered(django_db_setup, django_db_blocker, tmp_path_factory):
    """Every page, rendered, and the script that Django's admin asks for."""
    mail_folder = tmp_path_factory.mktemp("mail")
    local = {"LOCAL_ACCOUNTS": True, "MFA_REQUIRED_FOR": "nobody", "ROOT_URLCONF": "tests.portal.local_urls"}
    cache.clear()
    with (
        SimulatedCluster() as simulated,
        once.passing(django_db_blocker),
        override_settings(MAIL_FOLDER=str(mail_folder), PORTAL_URL="http://testserver", **local),
    ):
        world = gallery.build(simulated, mail_folder)
        admin = Client()
        admin.force_login(world.people["admin"])
        collected = visits.collect(world), admin.get("/admin/jsi18n/")
    cache.clear()
    return collected


@pytest.fixture(scope="module")
def findings(answered):
    visited, script = answered
    site, found = Site(Client()), Findings()
    site.answer("/admin/jsi18n/", script, part=False)
    try:
        for shown, page in _opened(site, visited.pages):
            _look(found, shown.name, page)
            found.pages += 1
    finally:
        site.close()
    found.complaints = site.complaints
    return found


def _opened(site: Site, pages: list[visits.Shown]) -> Iterator[tuple[visits.Shown, Page]]:
    """Each page in one and the same tab; nothing on it moves, and its live parts get no news."""
    site.answer(BLANK, HttpResponse(SLIPSHOD), part=False)
    page = site.open(BLANK, viewport=WIDE, color_scheme="light", reduced_motion="reduce")
    page.add_init_script("window.setInterval = () => 0")  # what loads itself again would take the rules away
    for shown in pages:
        site.answer(shown.path, HttpResponse(status=204))
        site.answer(f"{shown.path}workloads/", HttpResponse(status=204))  # what an environment's page loads later
        site.answer(shown.path, shown.response, part=False)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)
        page.goto(shown.path)
        yield shown, page


def _look(found: Findings, name: str, page: Page) -> None:
    page.evaluate(AXE)
    found.add(name, "light", page.evaluate(RUN, []))
    page.emulate_media(color_scheme="dark")
    found.add(name, "dark", page.evaluate(RUN, COLOURS))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    found.add(name, "phone", page.evaluate(RUN, []))
    page.set_viewport_size(ZOOMED)
    if (width := page.evaluate("document.documentElement.scrollWidth")) > ZOOMED["width"]:
        found.sideways.append(f"{name}: {width} pixels")


def test_no_page_violates_a_rule(findings):
    assert findings.lines == [], findings.counts


def test_no_page_needs_scrolling_sideways_at_400_percent(findings):
    assert findings.sideways == []


def test_the_browser_has_nothing_to_complain_about(findings):
    assert findings.complaints == []
    assert findings.pages > 120


def test_a_search_that_is_drawn_late_has_its_label_too(answered):
    visited, script = answered
    site = Site(Client())
    site.answer("/admin/jsi18n/", script, part=False)
    shown = next(shown for shown in visited.pages if shown.path == INVITATION)
    _, page = next(_opened(site, [shown]))
    page.evaluate(REDRAW)
    page.wait_for_selector(".select2-search__field[aria-label]")
    site.close()


def test_every_route_is_looked_at_or_says_why_not(answered):
    assert answered[0].without == set(visits.NO_PAGE)


def test_faults_are_found_in_each_variant():
    site, found = Site(Client()), Findings()
    site.answer(BLANK, HttpResponse(SLIPSHOD), part=False)
    page = site.open(BLANK, viewport=WIDE, color_scheme="light")
    _look(found, "slipshod", page)
    site.close()
    assert set(found.counts) == {
        ("color-contrast", "dark"),
        ("scrollable-region-focusable", "light"),
        ("scrollable-region-focusable", "phone"),
    }
    assert found.sideways == ["slipshod: 348 pixels"]
