"""The catalog: what can be requested."""

import pytest

from tests.pages.reading import HTMX, labelled, one, read, words


@pytest.fixture
def page(client, dana):
    """Ask for the catalog as Dana."""
    client.force_login(dana)

    def get(search="", **more):
        return client.get("/catalog/", {"q": search} if search else {}, **more)

    return get


def test_each_template_is_a_card_that_leads_to_its_page(page, make_template):
    make_template("namespace", summary="For building.")
    make_template("gpu", name="GPU namespace", category="Machine learning")
    cards = read(page()).select("article.offer")
    assert [words(card.h2) for card in cards] == ["Namespace", "GPU namespace"]
    assert cards[0].a["href"] == "/catalog/namespace/"
    assert "For building." in words(cards[0])


def test_a_card_says_in_words_what_the_template_gives(page, template_version):
    tags = [words(tag) for tag in one(read(page()), "article.offer").select(".tags li")]
    assert "3 sizes" in tags
    assert "admin role" in tags
    assert "30 days" in tags


def test_the_search_narrows_by_name_summary_and_category(page, make_template):
    make_template("namespace")
    make_template("gpu", name="GPU", category="Machine learning")
    assert [words(card.h2) for card in read(page("machine")).select("article")] == ["GPU"]


def test_the_search_keeps_what_was_typed(page, template_version):
    soup = read(page("name"))
    assert labelled(soup, "Search templates")["value"] == "name"


def test_the_live_search_gets_only_the_cards(page, template_version):
    soup = read(page("name", headers=HTMX))
    assert soup.find("html") is None
    assert one(soup, "#cards").select("article")


def test_going_back_after_a_live_search_gets_the_whole_page(page, template_version):
    soup = read(page("name", headers=HTMX | {"HX-History-Restore-Request": "true"}))
    assert soup.find("html") is not None


def test_page_and_part_are_kept_apart_by_caches(page, template_version):
    assert "HX-Request" in page()["Vary"]


def test_nothing_found_differs_from_nothing_there(page, template_version):
    assert words(one(read(page("zzz")), ".empty h2")) == "No templates match “zzz”"
    template_version.template.versions.all().update(state="retired")
    assert words(one(read(page()), ".empty h2")) == "No templates yet"


def test_the_number_of_queries_does_not_grow_with_templates(client, dana, make_template, django_assert_max_num_queries):
    for number in range(12):
        make_template(f"template-{number}")
    client.force_login(dana)
    with django_assert_max_num_queries(6):
        assert len(read(client.get("/catalog/")).select("article")) == 12
