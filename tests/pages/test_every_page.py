"""What holds for every page: accessible structure, nothing inline, hostile names stay text, and who gets in."""

import re
import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from environments.lib.phases import Phase, Role, Status
from environments.models import Environment, Event
from tests import makers, once
from tests.pages.reading import read

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
FAILED = {"Namespace": {"status": Status.FAILED, "message": HOSTILE, "attempts": 2}}

PUBLIC = {"sign-in": "account_login", "signed-out": "signed_out"}
PAGES = (
    "home",
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
    "review",
    "hand-over",
    "approvals",
    "approvals-errors",
    "request-again",
    "withdraw",
    "history",
    "objects",
    "delete",
    "members",
    "emails",
    "request-errors",
    "delete-errors",
    "missing",
    "outbox",
)


def hostile(mail_folder: Path) -> dict[str, Environment]:
    """The world, named by somebody who means harm."""
    (mail_folder / "one.log").write_text(f"Subject: {HOSTILE}\nTo: x@example.com\n\n{HOSTILE}\n")
    team, cluster, version = makers.make_team(), makers.make_cluster(), makers.make_template()
    dana, template = makers.make_dana(team), version.template
    dana.first_name = dana.last_name = team.name = cluster.name = HOSTILE[:60]
    template.name = template.summary = template.readme = template.category = HOSTILE[:60]
    for row in (dana, team, cluster, template):
        row.save()
    make_environment = makers.environment_maker(dana, team, cluster, makers.make_directory(), version)
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


def visit(client: Client, environments: dict[str, Environment], name: str) -> HttpResponse:
    """Any page, by its name."""
    first = environments["environment"].namespace
    paths = {
        "home": "/",
        "catalog": "/catalog/",
        "review": f"/bulk/?do=extend&on={first}&on={environments['deleted'].namespace}",
        "hand-over": f"/bulk/?do=hand-over&on={first}",
        "nothing-found": f"/catalog/?q={HOSTILE}",
        "template": "/catalog/namespace/",
        "request": "/catalog/namespace/request/",
        "list": "/environments/",
        "missing": "/nothing/",
        "outbox": "/outbox/",
        "emails": "/emails/",
        "approvals": "/approvals/",
        "withdraw": f"/environments/{environments['waiting'].namespace}/delete/",
        "request-again": f"/catalog/namespace/request/?again={environments['rejected'].namespace}",
        "decide": f"/environments/{environments['waiting'].namespace}/decide/",
        **{name: f"/environments/{row.namespace}/" for name, row in environments.items()},
        **{name: f"/environments/{first}/{name}/" for name in ("history", "objects", "delete", "members")},
    }
    if name == "request-errors":
        return client.post(paths["request"], {"name": HOSTILE, "collaborators": HOSTILE, "key": uuid.uuid4()})
    if name == "delete-errors":
        return client.post(paths["delete"], {"typed_name": HOSTILE * 2})
    if name == "approvals-errors":
        return client.post(paths["decide"], {"decision": "reject", "note": HOSTILE * 20})
    return client.get(paths[name])


@pytest.fixture(scope="module")
def answers(django_db_setup, django_db_blocker, tmp_path_factory):
    """Every page as a platform admin sees it, rendered once for all tests: name -> response."""
    mail_folder = tmp_path_factory.mktemp("mail")
    with once.passing(django_db_blocker), override_settings(MAIL_FOLDER=str(mail_folder)):
        environments = hostile(mail_folder)
        client = Client()
        client.force_login(makers.make_ada())
        return {name: visit(client, environments, name) for name in ALL}


@pytest.fixture(scope="module")
def every_page(answers):
    """Every page, read: name -> soup."""
    assert len(answers) == len(ALL)
    statuses = {"request-errors": 422, "delete-errors": 422, "approvals-errors": 422, "missing": 404}
    return {name: read(answer, status=statuses.get(name, 200)) for name, answer in answers.items()}


def test_every_page_has_a_language_a_title_and_one_h1(every_page):
    for name, soup in every_page.items():
        assert soup.html["lang"] == "en", name
        assert soup.title.string.strip(), name
        assert len(soup.find_all("h1")) == 1, name


def test_headings_do_not_skip_a_level(every_page):
    for name, soup in every_page.items():
        levels = [int(heading.name[1]) for heading in soup.select("h1, h2, h3, h4")]
        assert levels, name
        steps = [after - before for before, after in pairwise(levels)]
        assert all(step <= 1 for step in steps), (name, levels)


def test_every_control_has_a_label(every_page):
    assert every_page["request"].select("input:not([type=hidden]), select, textarea")
    for name, soup in every_page.items():
        for control in soup.select("input:not([type=hidden]), select, textarea"):
            assert soup.find("label", attrs={"for": control["id"]}) is not None, (name, control)


def test_every_button_and_link_has_a_name(every_page):
    for name, soup in every_page.items():
        nodes = soup.select("a, button")
        assert nodes, name
        for node in nodes:
            assert node.get_text(strip=True), (name, node)


def test_ids_are_unique_and_references_lead_somewhere(every_page):
    for name, soup in every_page.items():
        ids = [node["id"] for node in soup.select("[id]")]
        assert ids, name
        assert len(ids) == len(set(ids)), (name, [one for one in ids if ids.count(one) > 1])
        for attribute in ("aria-labelledby", "aria-describedby", "data-copy", "form"):
            for node in soup.select(f"[{attribute}]"):
                assert set(node[attribute].split()) <= set(ids), (name, attribute, node[attribute])


def test_drawings_are_hidden_from_screen_readers_or_named(every_page):
    assert any(soup.find("svg") for soup in every_page.values())
    for name, soup in every_page.items():
        for drawing in soup.find_all("svg"):
            assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label"), (name, drawing)


def test_nothing_is_inline(every_page):
    for name, soup in every_page.items():
        assert soup.find_all("style") == [], name
        assert [tag for tag in soup.find_all("script") if not tag.get("src")] == [], name
        assert soup.body.find(True), name
        for node in soup.find_all(True):
            bad = [key for key in node.attrs if key == "style" or re.match(r"on|hx-on", key)]
            assert bad == [], (name, node.name, bad)


def test_hostile_names_stay_text(every_page):
    for name, soup in every_page.items():
        assert soup.find("img") is None, name
        scripts = soup.find_all("script")
        assert scripts, name
        assert all("alert" not in tag.get_text() for tag in scripts), name


def test_hostile_names_are_shown_as_they_are(every_page):
    for name in ("environment", "list", "history", "outbox", "template", "approvals", "rejected", "request-again"):
        assert "<script>alert" in every_page[name].get_text(), name


def test_every_page_has_the_same_content_security_policy(answers):
    for name, answer in answers.items():
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy, name
        assert "unsafe" not in policy, name


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
