"""A template's page: what it is for, what each size allows, how it is governed."""

import pytest

from tests.pages.reading import one, read, rows, words


@pytest.fixture
def page(client, dana):
    """Look at a template as Dana."""
    client.force_login(dana)
    return lambda slug="namespace": client.get(f"/catalog/{slug}/")


def test_the_sizes_stand_side_by_side(page, template_version):
    soup = read(page())
    assert [words(cell) for cell in soup.select("thead th")] == ["Resource", "Small", "Medium", "Large"]
    assert ["CPU requests", "500m", "1 core", "4 cores"] in rows(soup)


def test_what_sets_the_sizes_apart_comes_first(page, template_version):
    names = [row[0] for row in rows(read(page()))]
    assert names == ["CPU requests", "Memory requests", "Pods", "Services"]


def test_what_is_not_allowed_is_said_in_a_word(page, template_version):
    soup = read(page())
    assert "Load balancers" not in [row[0] for row in rows(soup)]
    assert words(one(soup, "p.closed")) == "Not allowed: load balancers."


def test_numbers_of_objects_are_folded(page, make_template):
    quota = {"pods": "3", "count/jobs.batch": "20", "count/secrets": "9", "requests.nvidia.com/gpu": "0"}
    make_template("preview", spec={"quota": quota})
    soup = read(page("preview"))
    more = one(soup, "details#more-sizes")
    assert words(more.summary) == "Numbers of objects (2)"
    assert rows(more) == [["Jobs", "20"], ["Secrets (objects)", "9"]]
    assert words(one(soup, "p.closed")) == "Not allowed: NVIDIA GPUs."
    assert rows(one(soup, ".card > .scroll")) == [["Pods", "3"]]


def test_a_quota_of_nothing_else_shows_its_numbers(page, make_template):
    make_template("preview", spec={"quota": {"count/jobs.batch": "20"}})
    soup = read(page("preview"))
    assert rows(soup) == [["Jobs", "20"]]
    assert soup.select("details") == []


def test_a_template_without_sizes_shows_its_quota(page, make_template):
    make_template(
        "preview",
        spec={"quota": {"pods": "${pods}", "services": "3"}, "parameters": [{"name": "pods", "type": "integer"}]},
    )
    assert rows(read(page("preview"))) == [["Pods", "your choice"], ["Services", "3"]]


def test_the_rules_are_sentences(page, template_version):
    text = words(one(read(page()), "aside"))
    assert "No traffic in or out by default." in text
    assert "200m CPU and 256Mi memory" in text
    assert "30 days" in text
    assert "Collaborators can be developer or viewer." in text


def test_the_main_action_is_the_request(page, template_version):
    assert one(read(page()), "a.button.primary")["href"] == "/catalog/namespace/request/"


def test_the_readme_is_markdown(page, template_version):
    assert words(one(read(page()), ".prose strong")) == "me"


def test_html_in_a_readme_stays_text(page, make_template):
    make_template("bad", readme="<script>alert(1)</script> [x](javascript:alert(1)) ![y](x onerror=alert(1))")
    prose = one(read(page("bad")), ".prose")
    assert prose.find("script") is None
    assert [link for link in prose.find_all("a") if str(link.get("href")).startswith("javascript")] == []


def test_a_retired_template_has_no_page(page, template_version):
    template_version.template.versions.update(state="retired")
    read(page(), status=404)


def test_an_unknown_template_is_not_found(page):
    read(page("nothing"), status=404)
