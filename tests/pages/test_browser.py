"""What only a browser can show: live parts that disturb nobody, the keyboard's way, and room on a phone."""

import time
import uuid
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.utils import timezone
from playwright.sync_api import expect

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import AccessRequest, Condition, Environment, Event
from tests.pages.browsing import CHROMIUM, Site
from tests.pages.reading import HTMX

POLLS = 2500  # milliseconds in which a live part looks again at least twice
REQUEST, PREVIEW = "/catalog/namespace/request/", "/catalog/namespace/preview/"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)"),
]


@pytest.fixture
def site(client, dana):
    """The portal as Dana sees it. What the browser complains about fails the test."""
    client.force_login(dana)
    site = Site(client)
    yield site
    site.close()
    assert site.complaints == []


@pytest.fixture
def waiting(make_environment, theo):
    """An environment that waits for its group, and will for long."""
    waits = {
        "status": Status.WAITING,
        "message": "Slow down.",
        "attempts": 2,
        "next_try_at": timezone.now() + timedelta(hours=5),
    }
    pending = {"status": Status.PENDING}
    return make_environment(
        phase=Phase.PROVISIONING,
        conditions={"Group": waits, "Members": pending, "RoleBinding": pending, "Access": pending},
        members={theo.email: Role.DEVELOPER},
        usage={"pods": ["1", "9"]},
    )


@pytest.fixture
def address(site, waiting):
    """The address of the environment that waits; its page and its live part are rendered."""
    path = f"/environments/{waiting.namespace}/"
    site.keep(path)
    site.keep(path, part=True)
    return path


def finish(environment):
    """What a worker would write at the end."""
    Condition.objects.filter(environment=environment).update(status=Status.DONE, attempts=0, next_try_at=None)
    Environment.objects.filter(pk=environment.pk).update(
        phase=Phase.READY, observed_generation=1, ready_at=timezone.now()
    )


def test_a_refresh_without_news_leaves_the_page_alone(site, address):
    page = site.open(address)
    page.wait_for_timeout(POLLS)
    page.evaluate("window.before = document.getElementById('live')")
    page.wait_for_timeout(POLLS)
    assert page.evaluate("window.before === document.getElementById('live')")


def test_news_come_without_taking_focus_or_closing_what_was_opened(site, address, waiting):
    Event.objects.create(environment=waiting, kind=Activity.CHANGED_BY_HAND, message="Something new.")
    news = site.client.get(address, headers={"HX-Request": "true"})
    page = site.open(address)
    page.click("#objects-summary")
    page.focus("#retry")
    site.answer(address, news)
    expect(page.get_by_text("Something new.")).to_be_visible()
    expect(page.locator("#retry")).to_be_focused()
    assert page.locator("#objects").evaluate("node => node.open")


def test_the_dashboard_takes_the_timelines_place_and_the_page_comes_to_rest(site, address, waiting):
    finish(waiting)
    ready = site.client.get(address, headers={"HX-Request": "true"})
    page = site.open(address)
    expect(page.locator("#live h2").first).to_have_text("Progress")
    site.answer(address, ready)
    expect(page.locator("#live h2").first).to_have_text("Ready to use")
    expect(page.locator("#status")).to_have_text("Ready")
    expect(page).to_have_title("Ready · Checkout refunds · Allotment")
    assert page.locator("#live").get_attribute("hx-trigger").startswith("every 30s")


def test_an_approval_changes_header_facts_and_members_within_three_seconds(site, make_environment, theo):
    asked = make_environment(
        phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now(), ends_at=None, members={theo.email: Role.DEVELOPER}
    )
    path = f"/environments/{asked.namespace}/"
    site.keep(path)
    site.keep(path, part=True)
    Condition.objects.all().delete()
    asked.members.update(in_group=True, bound=True, allowed=True)
    Environment.objects.update(phase=Phase.READY, ready_at=timezone.now(), decided_at=timezone.now())
    ready = site.client.get(path, headers=HTMX)
    page = site.open(path)
    expect(page.locator(".head .actions")).to_have_text("Withdraw request")
    site.answer(path, ready)
    started = time.monotonic()
    expect(page.locator(".head .actions")).to_contain_text("Delete environment")
    assert time.monotonic() - started < 3
    expect(page.locator("#download-kubeconfig")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("Approved")
    expect(page.locator("[aria-labelledby=access-title]")).to_contain_text("allowed by the cluster")


def test_a_settled_page_rests_while_nobody_sees_it_and_looks_when_somebody_does(site, make_environment):
    environment = make_environment()
    path = f"/environments/{environment.namespace}/"
    site.keep(path)
    Environment.objects.update(phase=Phase.DELETED, wanted=False, deleted_at=timezone.now())
    gone = site.keep(path, part=True)
    page = site.open(path)
    see = "is => { Object.defineProperty(document, 'hidden', {value: !is, configurable: true}); }"
    page.evaluate(see, False)
    page.evaluate("htmx.trigger(document.body, 'look')")  # as the timer would
    page.wait_for_timeout(POLLS)
    expect(page.locator("#status")).to_have_text("Ready")
    assert gone.status_code == 200
    page.evaluate(see, True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#status")).to_have_text("Deleted")
    expect(page.locator(".head .actions")).to_have_count(0)


def test_an_approver_goes_on_writing_while_news_come(site, ada, make_environment):
    site.client.force_login(ada)
    asked = make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now(), ends_at=None)
    path = f"/environments/{asked.namespace}/"
    site.keep(path)
    site.keep(path, part=True)
    Event.objects.create(environment=asked, kind=Activity.REMINDED, message="Something new.")
    news = site.client.get(path, headers=HTMX)
    page = site.open(path)
    note = page.locator("#decision textarea")
    note.fill("Please use the small one")
    note.press("Home")
    site.answer(path, news)
    expect(page.get_by_text("Something new.")).to_be_visible()
    expect(note).to_be_focused()
    page.keyboard.type("No. ")
    expect(note).to_have_value("No. Please use the small one")


def test_news_above_do_not_move_what_is_being_read_and_bars_keep_their_order(site, make_environment, theo):
    environment = make_environment(
        usage={"pods": ["30", "50"], "requests.cpu": ["500m", "1"]}, members={theo.email: Role.DEVELOPER}
    )
    path = f"/environments/{environment.namespace}/"
    site.keep(path)
    site.keep(path, part=True)
    AccessRequest.objects.create(environment=environment, person=theo)
    Environment.objects.update(usage={"pods": ["30", "50"], "requests.cpu": ["850m", "1"]}, fullest=0.85)
    news = site.client.get(path, headers=HTMX)
    page = site.open(path, viewport={"width": 700, "height": 500})
    quota = page.locator("#quota-title")
    page.evaluate("window.scrollTo(0, document.getElementById('quota-title').offsetTop - 40)")
    top = quota.evaluate("node => node.getBoundingClientRect().top")
    site.answer(path, news)
    page.evaluate("htmx.trigger(document.body, 'look')")
    expect(page.locator(".quota")).to_contain_text("850m")
    assert page.locator(".quota .name").all_text_contents() == ["Pods", "CPU requests"]
    assert abs(quota.evaluate("node => node.getBoundingClientRect().top") - top) < 2
    assert page.get_by_text("Theo Example requests access.").count() == 1  # above: it moved the rest down


def test_copying_takes_the_commands_and_says_so(site, make_environment):
    path = f"/environments/{make_environment().namespace}/"
    site.keep(path)
    page = site.open(path, permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy-use")
    expect(page.locator("#copy-use")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("kubectl auth can-i create pods")
    expect(page.locator("#copy-use .visually-hidden")).to_have_text("test commands")


@pytest.mark.parametrize("broken", [None, HttpResponse(status=503)])
def test_a_portal_that_does_not_answer_is_said_and_forgotten(site, address, broken):
    as_before = site.client.get(address, headers={"HX-Request": "true"})
    page = site.open(address)
    if broken is None:
        site.fall_silent(address)
    else:
        site.answer(address, broken)
    expect(page.locator("#stale")).to_be_visible()
    site.answer(address, as_before)
    expect(page.locator("#stale")).to_be_hidden()


def test_what_is_no_longer_there_is_said_by_the_whole_page(site, address):
    page = site.open(address)
    site.answer(address, HttpResponse("<h1>Page not found</h1>"), part=False)
    site.answer(address, HttpResponse(status=404))
    expect(page.locator("h1")).to_have_text("Page not found")


def test_times_keep_themselves_fresh(site, address):
    page = site.open(address)
    requested = page.locator("dl.facts div", has_text="Requested").locator("time")
    expect(requested).to_have_text("6 seconds ago", timeout=15_000)


def test_the_list_follows_typing_and_going_back_restores_it(site, make_environment):
    for name in ("canary", "worker"):
        make_environment(name=name)
    site.keep("/environments/")
    # The form sends all its fields; the address bar gets those that are in use.
    site.answer("/environments/?q=cana&phase=&template=&cluster=&sort=", site.keep("/environments/?q=cana", part=True))
    site.keep("/environments/?q=cana")
    site.answer("/elsewhere/", HttpResponse("<h1>Elsewhere</h1>"), part=False)
    page = site.open("/environments/")
    page.locator("#id_q").fill("cana")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    assert page.url.endswith("/environments/?q=cana")
    expect(page.locator("#id_q")).to_be_focused()
    page.goto("/elsewhere/")
    page.go_back()
    expect(page.locator("header.top")).to_be_visible()
    expect(page.locator("#id_q")).to_have_value("cana")


def test_the_preview_follows_the_form(site, cluster, directory, template_version):
    site.keep(REQUEST)
    site.keep(PREVIEW, part=True, data={"size": "large", "cluster": cluster.pk})
    page = site.open(REQUEST)
    expect(page.locator("#id_name")).to_be_focused()
    page.get_by_label("Large").check()
    expect(page.locator("#preview")).to_contain_text("CPU requests 4 cores")


def test_after_a_mistake_the_focus_is_on_the_summary_and_its_links_lead_to_the_fields(
    site, cluster, directory, template_version
):
    site.keep(REQUEST)
    site.keep(REQUEST, data={"name": "kube-system", "key": uuid.uuid4(), "version": template_version.pk})
    page = site.open(REQUEST)
    page.fill("#id_name", "kube-system")
    page.keyboard.press("Enter")
    expect(page.locator("#errors")).to_be_focused()
    page.click("#errors a >> nth=0")
    expect(page.locator("#id_name")).to_be_focused()


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(site, waiting):
    finish(waiting)
    path = f"/environments/{waiting.namespace}/"
    site.keep(path)
    page = site.open(path)
    reached = []
    while reached[-1:] != ["steps-summary"] and len(reached) < 40:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("(node => node.id || node.textContent.trim())(document.activeElement)"))
    assert reached[0] == "Skip to content"
    assert reached[2:8] == ["Home", "Catalog", "Environments", "Emails", "Sign out", "to-environments"]
    assert reached.index("delete") < reached.index("use-lines") < reached.index("steps-summary")


@pytest.mark.parametrize("width", [320, 390, 640, 960, 1280])
def test_no_page_needs_scrolling_sideways(site, make_environment, width):
    environment = make_environment(
        name="Averylongnamewithoutanyspacesthatneverendsandgoesonandon0123",
        members={"a.very.long.address.that.does.not.end@subsidiary.international.example.com": Role.DEVELOPER},
        usage={"requests.memory": ["1863Mi", "2Gi"], "pods": ["3", "50"]},
        purpose="x" * 200,
    )
    own = f"/environments/{environment.namespace}/"
    paths = ["/", "/catalog/", "/catalog/namespace/", REQUEST, "/environments/", own]
    paths += [f"{own}{name}/" for name in ("history", "objects", "delete", "details", "members")]
    for path in paths:
        site.keep(path)
    page = site.open("/", viewport={"width": width, "height": 800})
    for path in paths:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        wide = "[...document.querySelectorAll('.card')].filter(c => c.scrollWidth > c.clientWidth + 1).length"
        assert page.evaluate(wide) == 0, path


def test_one_box_selects_every_environment_on_the_page(site, ada, make_environment):
    for number in range(3):
        make_environment(name=f"Load {number}")
    site.client.force_login(ada)
    site.keep("/environments/")
    page = site.open("/environments/")
    boxes = page.locator("input[name=on]")
    page.get_by_label("All on this page").check()
    assert boxes.evaluate_all("boxes => boxes.map(box => box.checked)") == [True] * 3
    page.get_by_label("All on this page").uncheck()
    page.get_by_label("Select Load 1").check()
    assert page.evaluate("new FormData(document.getElementById('bulk')).getAll('on').length") == 1


def test_no_filter_of_a_report_looks_like_the_number_beside_the_navigation(site, ada, make_environment):
    make_environment()
    site.client.force_login(ada)
    site.keep("/reports/trends/")
    page = site.open("/reports/trends/")
    look = "field => [getComputedStyle(field).backgroundColor, getComputedStyle(field).fontSize]"
    looks = page.locator(".report-filters .field").evaluate_all(f"fields => fields.map({look})")
    assert len(looks) > 3
    assert all(each == looks[0] for each in looks)


def test_a_list_sorts_by_its_headings(site, dana, make_environment):
    for name in ("banana", "apple"):
        make_environment(name=name)
    for query in ("", "?sort=name", "?sort=-name"):
        site.keep(f"/environments/{query}")
    page = site.open("/environments/")
    names = page.locator("tbody th a")
    for expected in (["apple", "banana"], ["banana", "apple"]):
        page.get_by_role("columnheader", name="Environment").get_by_role("link").click()
        expect(names).to_have_text(expected)
    expect(page.get_by_role("columnheader", name="Environment")).to_have_attribute("aria-sort", "descending")


def test_no_state_runs_into_what_is_beside_it_on_a_phone(site, dana, theo, make_environment):
    make_environment(name="Mine")
    make_environment(theo, phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now())
    site.keep("/")
    page = site.open("/", viewport={"width": 390, "height": 800})
    row = page.get_by_role("row").filter(has_text="Waiting for approval")
    pill = row.locator(".pill").bounding_box()
    owner = row.get_by_role("cell", name="Theo Example").bounding_box()
    assert pill
    assert owner
    assert pill["x"] + pill["width"] <= owner["x"] or pill["y"] + pill["height"] <= owner["y"]
