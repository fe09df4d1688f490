"""A large catalog and a long form stay pleasant: few queries, and no work done twice."""

import html

import pytest

from tests.makers import SPEC
from tests.pages.reading import HTMX, read

KINDS = [
    {"type": "quantity", "mode": "restricted", "choices": ["1", "2", "4"], "default": "1", "required": True},
    {"type": "quantity", "minimum": "1", "maximum": "64", "default": "2"},
    {"type": "integer", "minimum": "1", "default": "3"},
    {"type": "choice", "choices": ["test", "acceptance", "production"], "default": "test"},
    {"type": "boolean", "default": "true"},
    {"type": "text"},
    {"type": "string", "pattern": "[a-z0-9-]*"},
    {"mode": "fixed", "default": "on"},
]
LONG = {
    "parameters": [
        {"name": f"p{number}", "label": f"Question {number}", "help": "Some help."} | KINDS[number % len(KINDS)]
        for number in range(40)
    ],
    "sizes": [
        {"name": f"size{number}", "quota": {"pods": str(number), "requests.cpu": "${p0}"}} for number in range(1, 7)
    ],
    "quota": {f"count/kind{number}.example.com": f"${{p{number % 5 * 8}}}" for number in range(20)},
    "limits": {"default": {"cpu": "100m", "memory": "128Mi"}},
    "annotations": {f"example.com/p{number}": f"${{p{number}}}" for number in range(40)},
}


@pytest.fixture
def large_catalog(make_template, team):
    """200 templates in eight categories, every tenth for one team."""
    versions = []
    for number in range(200):
        texts = {"category": f"Category {number % 8}", "readme": "Words. " * 200}
        versions.append(make_template(f"template-{number}", spec=SPEC | {"lifetime_days": number + 1}, **texts))
    for version in versions[::10]:
        version.template.teams.add(team)


def test_a_catalog_of_200_templates_takes_the_queries_of_a_small_one(
    client, dana, sam, large_catalog, django_assert_max_num_queries
):
    client.force_login(dana)
    with django_assert_max_num_queries(5):
        assert len(read(client.get("/catalog/")).select("article.offer")) == 200
    with django_assert_max_num_queries(5):
        cards = read(client.get("/catalog/", {"q": "category 3"}, headers=HTMX)).select("article.offer")
    assert len(cards) == 25
    client.force_login(sam)
    with django_assert_max_num_queries(5):
        assert len(read(client.get("/catalog/")).select("article.offer")) == 180


def test_the_catalog_reads_each_content_once(client, dana, large_catalog, monkeypatch):
    client.force_login(dana)
    client.get("/catalog/")
    monkeypatch.setattr("environments.spec.template.parse", lambda data: pytest.fail("it was read before"))
    assert client.get("/catalog/").status_code == 200
    assert client.get("/catalog/template-3/").status_code == 200


def test_content_that_changed_is_read_again(template_version):
    assert template_version.parsed().quota["services"] == "10"
    template_version.spec = template_version.spec | {"quota": {"services": "11"}}
    assert template_version.parsed().quota == {"services": "11"}


def test_a_form_with_40_questions_takes_the_queries_of_a_short_one(
    client, dana, make_template, cluster, directory, django_assert_max_num_queries
):
    make_template("long", spec=LONG)
    client.force_login(dana)
    with django_assert_max_num_queries(5):
        assert len(read(client.get("/catalog/long/")).select("tbody tr")) == 22
    with django_assert_max_num_queries(13):
        page = read(client.get("/catalog/long/request/"))
    asked = page.select("#request-form [name^=p_]")
    assert len(asked) == 35  # the other five are fixed
    with django_assert_max_num_queries(10):
        preview = client.post("/catalog/long/preview/", {"name": "x", "p_p0": "4"})
    assert "count/kind0.example.com: '4'" in html.unescape(preview.content.decode())
