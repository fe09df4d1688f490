"""The page on which people choose which emails they get, and when."""

import pytest
from django.test import Client

from environments.lib.emails import ALWAYS, Topic
from environments.models import User
from tests.pages.reading import labelled, one, read, words

ADDRESS = "/emails/"


@pytest.fixture
def page(client):
    def get(user):
        client.force_login(user)
        return read(client.get(ADDRESS))

    return get


def answers(**more: str) -> dict[str, str]:
    return {topic.value: "now" for topic in Topic} | more


def test_everything_comes_at_once_until_something_else_is_chosen(page, dana):
    soup = page(dana)
    for topic in (Topic.STATE, Topic.ACCESS, Topic.ALERTS):
        assert words(one(labelled(soup, topic.label), "option[selected]")) == "At once"
        assert len(labelled(soup, topic.label).select("option")) == 3


def test_emails_that_cannot_be_turned_off_are_named_with_the_reason(page, max_manager):
    soup = page(max_manager)
    assert [words(option) for option in labelled(soup, Topic.DECISIONS.label).select("option")] == [
        "At once",
        "Once a day",
    ]
    always = words(one(soup, "[aria-labelledby=always-title]"))
    for title, reason in ALWAYS:
        assert f"{title} {reason}" in always


def test_a_choice_is_stored_and_shown(client, page, dana, theo):
    client.force_login(dana)
    answer = client.post(ADDRESS, answers(alerts="daily", state="off"), follow=True)
    assert answer.redirect_chain == [(ADDRESS, 302)]
    soup = read(answer)
    assert "Email settings saved." in words(soup.main)
    assert words(one(labelled(soup, Topic.ALERTS.label), "option[selected]")) == "Once a day"
    assert User.objects.get(pk=dana.pk).email_choices["state"] == "off"
    assert User.objects.get(pk=theo.pk).email_choices == {}


@pytest.mark.parametrize(("field", "value"), [("decisions", "off"), ("alerts", "fax"), ("alerts", "")])
def test_what_is_not_offered_is_refused_at_its_field_and_changes_nothing(client, max_manager, field, value):
    client.force_login(max_manager)
    soup = read(client.post(ADDRESS, answers(state="off", **{field: value})), status=422)
    assert labelled(soup, Topic(field).label)["aria-invalid"] == "true"
    assert words(one(labelled(soup, Topic.STATE.label), "option[selected]")) == "Off"  # what was chosen is kept
    assert User.objects.get(pk=max_manager.pk).email_choices == {}


def test_a_developer_is_not_asked_about_what_only_approvers_get(page, client, dana):
    soup = page(dana)
    assert not soup.select("[name=decisions], [name=care], [name=summary]")
    assert client.post(ADDRESS, answers(decisions="daily", summary="on")).status_code == 302
    dana.refresh_from_db()
    assert "decisions" not in dana.email_choices
    assert not dana.wants_summary


def test_the_monthly_summary_is_chosen_here_too(client, page, max_manager):
    client.force_login(max_manager)
    client.post(ADDRESS, answers(summary="on"))
    assert page(max_manager).select("[name=summary][checked]")
    client.post(ADDRESS, answers())
    max_manager.refresh_from_db()
    assert not max_manager.wants_summary


def test_the_account_menu_leads_here(client, dana):
    client.force_login(dana)
    assert one(read(client.get("/")), ".who a[href='/emails/']")


def test_it_takes_a_token_of_the_form(dana):
    client = Client(enforce_csrf_checks=True)
    client.force_login(dana)
    assert client.post(ADDRESS, answers(state="off")).status_code == 403
    assert User.objects.get(pk=dana.pk).email_choices == {}
