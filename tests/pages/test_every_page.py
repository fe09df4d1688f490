"""What holds for every page: accessible structure, nothing inline, hostile names stay text, and who gets in."""

import re
import uuid
from itertools import pairwise

import pytest
from django.urls import reverse
from django.utils import timezone

from environments.lib.phases import Phase, Role, Status
from environments.models import Event
from tests.pages.reading import read

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
FAILED = {"Namespace": {"status": Status.FAILED, "message": HOSTILE, "attempts": 2}}

PUBLIC = {"sign-in": "account_login", "signed-out": "signed_out"}
PAGES = (
    "catalog",
    "nothing-found",
    "template",
    "request",
    "list",
    "environment",
    "failed",
    "deleting",
    "deleted",
    "waiting",
    "rejected",
)
ALL = (
    *PAGES,
    "approvals",
    "approvals-errors",
    "request-again",
    "withdraw",
    "history",
    "objects",
    "delete",
    "request-errors",
    "delete-errors",
    "missing",
    "outbox",
)


@pytest.fixture
def hostile(dana, team, cluster, template_version, make_environment, settings, tmp_path):
    """The world, named by somebody who means harm."""
    settings.MAIL_FOLDER = str(tmp_path)
    (tmp_path / "one.log").write_text(f"Subject: {HOSTILE}\nTo: x@example.com\n\n{HOSTILE}\n")
    dana.first_name = dana.last_name = team.name = cluster.name = HOSTILE[:60]
    template = template_version.template
    template.name = template.summary = template.readme = template.category = HOSTILE[:60]
    for row in (dana, team, cluster, template):
        row.save()
    texts = {"name": HOSTILE[:60], "purpose": HOSTILE, "members": {"x@example.com": Role.VIEWER}}
    usage = {"pods": ["49", "50"]}
    decision = {"decided_at": timezone.now(), "decided_by": dana, "decision_note": HOSTILE, "wanted": False}
    environments = {
        "environment": make_environment(usage=usage, **texts),
        "failed": make_environment(phase=Phase.FAILED, conditions=FAILED, **texts),
        "deleting": make_environment(phase=Phase.DELETING, **texts),
        "deleted": make_environment(phase=Phase.DELETED, **texts),
        "waiting": make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now(), **texts),
        "rejected": make_environment(phase=Phase.REJECTED, requested_at=timezone.now(), **decision, **texts),
    }
    environments["environment"].members.update(message=HOSTILE)
    Event.objects.create(
        environment=environments["environment"], kind=HOSTILE[:40], message=HOSTILE, data={"differences": [HOSTILE]}
    )
    return environments


@pytest.fixture
def visit(client, ada, hostile):
    """Any page, as a platform admin sees it."""
    client.force_login(ada)
    first = hostile["environment"].namespace
    paths = {
        "catalog": "/",
        "nothing-found": f"/?q={HOSTILE}",
        "template": "/catalog/namespace/",
        "request": "/catalog/namespace/request/",
        "list": "/environments/",
        "missing": "/nothing/",
        "outbox": "/outbox/",
        "approvals": "/approvals/",
        "withdraw": f"/environments/{hostile['waiting'].namespace}/delete/",
        "request-again": f"/catalog/namespace/request/?again={hostile['rejected'].namespace}",
        "decide": f"/environments/{hostile['waiting'].namespace}/decide/",
        **{name: f"/environments/{row.namespace}/" for name, row in hostile.items()},
        **{name: f"/environments/{first}/{name}/" for name in ("history", "objects", "delete")},
    }

    def get(name):
        if name == "request-errors":
            return client.post(paths["request"], {"name": HOSTILE, "collaborators": HOSTILE, "key": uuid.uuid4()})
        if name == "delete-errors":
            return client.post(paths["delete"], {"typed_name": HOSTILE * 2})
        if name == "approvals-errors":
            return client.post(paths["decide"], {"decision": "reject", "note": HOSTILE * 20})
        return client.get(paths[name])

    return get


@pytest.fixture
def every_page(visit):
    """Every page, read: name -> soup."""
    statuses = {"request-errors": 422, "delete-errors": 422, "approvals-errors": 422, "missing": 404}
    return {name: read(visit(name), status=statuses.get(name, 200)) for name in ALL}


def test_every_page_has_a_language_a_title_and_one_h1(every_page):
    for name, soup in every_page.items():
        assert soup.html["lang"] == "en", name
        assert soup.title.string.strip(), name
        assert len(soup.find_all("h1")) == 1, name


def test_headings_do_not_skip_a_level(every_page):
    for name, soup in every_page.items():
        levels = [int(heading.name[1]) for heading in soup.select("h1, h2, h3, h4")]
        steps = [after - before for before, after in pairwise(levels)]
        assert all(step <= 1 for step in steps), (name, levels)


def test_every_control_has_a_label(every_page):
    for name, soup in every_page.items():
        for control in soup.select("input:not([type=hidden]), select, textarea"):
            assert soup.find("label", attrs={"for": control["id"]}) is not None, (name, control)


def test_every_button_and_link_has_a_name(every_page):
    for name, soup in every_page.items():
        for node in soup.select("a, button"):
            assert node.get_text(strip=True), (name, node)


def test_ids_are_unique_and_references_lead_somewhere(every_page):
    for name, soup in every_page.items():
        ids = [node["id"] for node in soup.select("[id]")]
        assert len(ids) == len(set(ids)), (name, [one for one in ids if ids.count(one) > 1])
        for attribute in ("aria-labelledby", "aria-describedby", "data-copy", "form"):
            for node in soup.select(f"[{attribute}]"):
                assert set(node[attribute].split()) <= set(ids), (name, attribute, node[attribute])


def test_drawings_are_hidden_from_screen_readers_or_named(every_page):
    for name, soup in every_page.items():
        for drawing in soup.find_all("svg"):
            assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label"), (name, drawing)


def test_nothing_is_inline(every_page):
    for name, soup in every_page.items():
        assert soup.find_all("style") == [], name
        assert [tag for tag in soup.find_all("script") if not tag.get("src")] == [], name
        for node in soup.find_all(True):
            bad = [key for key in node.attrs if key == "style" or re.match(r"on|hx-on", key)]
            assert bad == [], (name, node.name, bad)


def test_hostile_names_stay_text(every_page):
    for name, soup in every_page.items():
        assert soup.find("img") is None, name
        assert all("alert" not in tag.get_text() for tag in soup.find_all("script")), name


def test_hostile_names_are_shown_as_they_are(every_page):
    for name in ("environment", "list", "history", "outbox", "template", "approvals", "rejected", "request-again"):
        assert "<script>alert" in every_page[name].get_text(), name


def test_every_page_has_the_same_content_security_policy(visit):
    for name in ALL:
        policy = visit(name)["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path",
    ["", "catalog/namespace/", "catalog/namespace/request/", "environments/", "environments/x/", "outbox/"],
)
def test_without_signing_in_there_is_nothing_to_see(client, db, path):
    response = client.get(f"/{path}")
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("page", ["", "history/", "objects/", "delete/"])
def test_a_stranger_finds_no_page_of_an_environment(client, sam, make_environment, page):
    client.force_login(sam)
    assert client.get(f"/environments/{make_environment().namespace}/{page}").status_code == 404
