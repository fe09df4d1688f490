"""The frame around every page: the way around, who is signed in, and what the browser is told."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.models import Cluster
from tests.pages.reading import HTMX, one, read, words


@pytest.fixture
def page(client, template_version):
    def get(user, path="/"):
        client.force_login(user)
        return client.get(path)

    return get


def links(soup):
    """The main navigation."""
    return [words(link) for link in soup.select("nav[aria-label=Main] a")]


def test_everybody_gets_home_to_catalog_and_environments(page, dana):
    assert links(read(page(dana))) == ["Home", "Catalog", "Environments"]


def test_platform_admins_get_to_the_admin_and_in_the_demo_to_the_outbox(page, ada, settings, tmp_path):
    assert links(read(page(ada))) == ["Home", "Catalog", "Environments", "Approvals", "Reports", "Admin"]
    settings.MAIL_FOLDER = str(tmp_path)
    assert links(read(page(ada))) == ["Home", "Catalog", "Environments", "Approvals", "Reports", "Outbox", "Admin"]


@pytest.mark.parametrize(
    ("path", "current"),
    [("/", "Home"), ("/catalog/", "Catalog"), ("/catalog/namespace/", "Catalog"), ("/environments/", "Environments")],
)
def test_the_current_part_is_marked(page, dana, path, current):
    assert words(one(read(page(dana, path)), "nav [aria-current=page]")) == current


def test_it_says_who_is_signed_in_and_as_what(page, max_manager):
    assert words(one(read(page(max_manager)), ".who p")) == "Max Example Manager"


def test_signing_out_is_a_form_that_cannot_be_forged(page, dana):
    form = one(read(page(dana)), ".who form")
    assert form["method"] == "post"
    assert one(form, "input[name=csrfmiddlewaretoken]")["value"]


def test_the_first_thing_to_reach_is_a_way_past_the_navigation(page, dana):
    soup = read(page(dana))
    assert soup.body.find("a")["href"] == "#main"
    assert one(soup, "#main").name == "main"


@pytest.mark.parametrize(("headers", "times"), [({}, 1), (HTMX, 0)], ids=["page", "part"])
def test_only_whole_pages_ask_for_simulated_clusters(client, dana, cluster, make_environment, headers, times):
    path = f"/environments/{make_environment().namespace}/"
    client.force_login(dana)
    with CaptureQueriesContext(connection) as queries:
        read(client.get(path, headers=headers))
    asked = [
        query["sql"] for query in queries if query["sql"].startswith('SELECT 1 AS "a" FROM "environments_cluster"')
    ]
    assert len(asked) == times, asked


def test_a_simulated_cluster_is_said_to_be_one(page, dana, cluster):
    assert read(page(dana)).select(".top .pill") == []
    Cluster.objects.update(is_simulated=True)
    assert words(one(read(page(dana)), ".top .pill")) == "simulated cluster"


def test_the_portals_name_is_a_setting(page, dana, settings):
    settings.PORTAL_NAME = "Greenhouse"
    soup = read(page(dana))
    assert soup.title.string == "Catalog · Greenhouse"
    assert words(one(soup, "a.mark")) == "Greenhouse"


def test_htmx_may_not_evaluate_text_or_add_styles(page, dana):
    config = json.loads(one(read(page(dana)), "meta[name=htmx-config]")["content"])
    assert config["allowEval"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["selfRequestsOnly"] is True


def test_scripts_and_styles_come_from_the_portal_itself(page, dana):
    soup = read(page(dana))
    scripts, links = soup.find_all("script"), soup.find_all("link")
    assert scripts
    assert links
    sources = [tag["src"] for tag in scripts] + [tag["href"] for tag in links]
    assert all(source.startswith("/static/") for source in sources)
