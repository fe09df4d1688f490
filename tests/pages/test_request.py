"""The request form and its preview."""

import uuid

import pytest

from environments.models import Environment
from tests.pages.reading import labelled, one, read, words

URL = "/catalog/namespace/request/"


@pytest.fixture
def answers(cluster, directory, team, template_version):
    """A form that is filled in correctly."""
    return {
        "key": str(uuid.uuid4()),
        "version": template_version.pk,
        "name": "Checkout refunds",
        "purpose": "Sprint 24",
        "size": "medium",
        "p_cost_centre": "1040",
        "cluster": cluster.pk,
        "team": team.pk,
        "collaborators": "",
        "collaborator_role": "developer",
    }


@pytest.fixture
def browser(client, dana):
    client.force_login(dana)
    return client


def test_the_form_asks_what_the_template_asks(browser, answers):
    soup = read(browser.get(URL))
    for label in ("Name", "Purpose", "Cost centre", "Cluster", "Team", "Collaborators", "Collaborator role"):
        labelled(soup, label)


def test_the_sizes_are_cards_with_their_figures(browser, answers):
    cards = read(browser.get(URL)).select("fieldset label.choice")
    assert [words(card) for card in cards] == [
        "Small 500m CPU 1 GiB memory 25 pods",
        "Medium 1 core 2 GiB memory 50 pods",
        "Large 4 cores 4 GiB memory 100 pods",
    ]
    assert [card.input.has_attr("checked") for card in cards] == [True, False, False]


def test_what_will_be_made_stands_beside_it(browser, answers):
    aside = one(read(browser.get(URL)), "#preview")
    titles = [words(line.b) for line in aside.select("li")]
    assert titles[0] == "Namespace"
    assert "Access" in titles
    assert "kind: ResourceQuota" in words(aside.details)


def test_a_correct_request_leads_to_the_environment(browser, answers):
    response = browser.post(URL, answers)
    environment = Environment.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/environments/{environment.namespace}/"


def test_sending_the_form_twice_makes_one_environment(browser, answers):
    first, second = browser.post(URL, answers), browser.post(URL, answers)
    assert first["Location"] == second["Location"]
    assert Environment.objects.count() == 1


def test_an_error_stands_at_its_field_and_in_the_summary(browser, answers):
    soup = read(browser.post(URL, answers | {"name": "!!!"}), status=422)
    control = labelled(soup, "Name")
    assert control["aria-invalid"] == "true"
    said = [one(soup, f"#{name}") for name in control["aria-describedby"].split()]
    assert "Use at least one letter or digit, for example checkout." in words(said[-1])
    link = one(soup, "#errors a")
    assert link["href"] == f"#{control['id']}"
    assert one(soup, "#errors")["role"] == "alert"
    assert soup.title.string.startswith("Error:")


def test_every_link_of_the_summary_leads_to_a_control(browser, answers):
    wrong = answers | {"name": "", "size": "huge", "p_cost_centre": "x", "cluster": "0", "collaborators": "nobody"}
    soup = read(browser.post(URL, wrong), status=422)
    links = [link["href"] for link in soup.select("#errors a")]
    assert len(links) == 5
    for href in links:
        assert one(soup, href).name in ("input", "select", "textarea")


def test_what_nobody_typed_is_not_blamed_on_a_field(browser, answers):
    del answers["key"]
    summary = one(read(browser.post(URL, answers), status=422), "#errors")
    assert summary.select("a") == []
    assert "The form was incomplete." in words(summary)


def test_a_wrong_size_is_said_at_the_sizes(browser, answers):
    fieldset = one(read(browser.post(URL, answers | {"size": "huge"}), status=422), "fieldset")
    assert words(one(fieldset, f"#{fieldset['aria-describedby']}"))


def test_what_was_typed_stays_after_an_error(browser, answers):
    soup = read(browser.post(URL, answers | {"name": "kube-system", "size": "large"}), status=422)
    assert labelled(soup, "Name")["value"] == "kube-system"
    assert one(soup, "input[name=size][checked]")["value"] == "large"
    assert one(soup, "input[name=key]")["value"] == answers["key"]


def test_a_typing_mistake_in_an_address_gets_a_suggestion(browser, answers, theo):
    soup = read(browser.post(URL, answers | {"collaborators": "theo@exampel.com"}), status=422)
    assert "Did you mean theo@example.com?" in words(one(soup, "#id_collaborators_error"))


def test_the_preview_follows_the_answers_and_changes_nothing(browser, answers):
    soup = read(browser.post("/catalog/namespace/preview/", answers | {"size": "large"}))
    assert soup.find("html") is None
    assert "CPU requests 4 cores" in words(one(soup, "#preview"))
    assert Environment.objects.count() == 0


def test_the_preview_answers_to_an_empty_form(browser, answers):
    assert one(read(browser.post("/catalog/namespace/preview/", {})), "#preview")


def test_without_scripts_a_button_shows_the_preview(browser, answers):
    soup = read(browser.post(URL, answers | {"preview": "1", "size": "large"}))
    assert "CPU requests 4 cores" in words(one(soup, "#preview"))
    assert Environment.objects.count() == 0


def test_the_first_button_of_the_form_requests(browser, answers):
    """Enter in a field presses the first one."""
    assert words(one(read(browser.get(URL)), "#request-form").find("button")) == "Request environment"


def test_the_form_is_refreshed_by_typing_not_by_sending(browser, answers):
    form = one(read(browser.get(URL)), "#request-form")
    assert form["method"] == "post"
    assert form["hx-post"] == "/catalog/namespace/preview/"
    assert "submit" not in form["hx-trigger"]
