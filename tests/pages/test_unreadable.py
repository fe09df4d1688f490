"""A stored content that this portal cannot read is a sentence where it is needed, and troubles nothing else."""

import pytest
from django.db.models import QuerySet

from environments import actions
from environments.lib.phases import Phase
from environments.models import Environment, TemplateVersion
from environments.web import pages
from tests.arranging import settle
from tests.pages.reading import one, read, words

BROKEN = {"quota": {"pods": "5"}, "of_another_time": True}


def spoil(version):
    """Make a published version unreadable, as an older or newer portal may have left it."""
    QuerySet(TemplateVersion).filter(pk=version.pk).update(spec=BROKEN)  # the product's own query set refuses this


@pytest.fixture
def broken(template_version):
    spoil(template_version)
    template_version.refresh_from_db()
    return template_version


@pytest.fixture
def stranded(make_environment):
    environment = make_environment(name="Stranded", usage={"pods": ["2", "50"]})
    make_environment(name="Sound")
    Environment.objects.filter(pk=environment.pk).update(spec=BROKEN)
    return environment


def test_the_catalog_offers_the_others_and_says_what_is_wrong_with_one(client, dana, broken, make_template):
    make_template("sound")
    client.force_login(dana)
    first, second = read(client.get("/catalog/")).select("article.offer")
    assert "Not available" in words(first)
    assert first.find("a") is None
    assert one(second, "h2 a")["href"] == "/catalog/sound/"
    assert read(client.get("/catalog/sound/request/")).select_one("#request-form")


@pytest.mark.parametrize("page", ["", "request/"])
def test_the_templates_own_pages_are_a_sentence(client, dana, broken, page):
    client.force_login(dana)
    soup = read(client.get(f"/catalog/namespace/{page}"), status=409)
    assert words(soup.h1) == "This template can't be read"


def test_a_request_and_its_preview_are_refused_with_the_sentence(client, dana, broken):
    client.force_login(dana)
    for page in ("request/", "preview/"):
        assert "can't be read" in words(read(client.post(f"/catalog/namespace/{page}", {"name": "x"}), status=409))
    assert not Environment.objects.exists()


def test_the_list_shows_it_beside_the_others(client, dana, stranded):
    client.force_login(dana)
    assert {words(link) for link in read(client.get("/environments/")).select("tbody th a")} == {"Stranded", "Sound"}


def test_the_environments_page_says_so_and_shows_everything_else(client, dana, stranded):
    client.force_login(dana)
    soup = read(client.get(f"/environments/{stranded.namespace}/"))
    notice = one(soup, ".notice.bad")
    assert "This environment's template can't be read." in words(notice)
    assert "dana@example.com" in words(soup.main)
    assert "2 of 50" in words(one(soup, ".quota"))
    assert soup.find("a", href=f"/environments/{stranded.namespace}/delete/")


@pytest.mark.parametrize("page", ["history/", "delete/", "members/", "alerts/", "usage/"])
def test_the_pages_that_do_not_need_the_content_open(client, dana, stranded, page):
    client.force_login(dana)
    assert client.get(f"/environments/{stranded.namespace}/{page}").status_code == 200


def test_the_page_of_its_objects_is_a_sentence(client, dana, stranded):
    client.force_login(dana)
    soup = read(client.get(f"/environments/{stranded.namespace}/objects/"), status=409)
    assert "can't be read" in words(soup.h1)
    assert "can still delete the environment" in words(soup.main)
    assert one(soup, "main a.primary")["href"] == f"/environments/{stranded.namespace}/"


def test_a_version_that_can_be_read_is_the_way_out(client, dana, stranded):
    spec, template = stranded.version.spec, stranded.version.template
    TemplateVersion.objects.filter(pk=stranded.version_id).update(state=TemplateVersion.State.RETIRED)
    state = TemplateVersion.State.PUBLISHED
    version = TemplateVersion.objects.create(template=template, number=2, state=state, spec=spec)
    client.force_login(dana)
    path = f"/environments/{stranded.namespace}/move/"
    assert "The current version can't be read" in words(read(client.get(path)).main)
    assert client.post(path, {"version": 2}).status_code == 302
    stranded.refresh_from_db()
    assert (stranded.version, stranded.readable_spec) == (version, version.parsed())


def test_a_newer_version_that_cannot_be_read_is_not_offered(make_environment, template_version):
    environment = make_environment()
    TemplateVersion.objects.filter(pk=template_version.pk).update(state=TemplateVersion.State.RETIRED)
    state = TemplateVersion.State.PUBLISHED
    TemplateVersion.objects.create(template=template_version.template, number=2, state=state, spec=BROKEN)
    assert pages.newer(environment) is None


def test_reconciling_it_fails_with_the_sentence_and_touches_nothing(make_environment, dana):
    environment = make_environment()
    Environment.objects.filter(pk=environment.pk).update(spec=BROKEN)
    actions.try_again(environment, dana)
    environment = settle(environment)
    assert environment.phase == Phase.FAILED
    failed = environment.conditions.get(status="Failed")
    assert failed.reason == "TemplateUnreadable"
    assert "cannot read the environment" in failed.message
