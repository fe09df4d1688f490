"""The switch of the monthly summary: for those who have reports, by POST, and each for themselves."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from environments.models import User
from tests.pages.reading import one, read, words


@pytest.mark.parametrize("who", ["max_manager", "ada"])
def test_it_is_switched_on_and_off_where_the_reports_are(client, request, who):
    person = request.getfixturevalue(who)
    client.force_login(person)
    form = one(read(client.get("/reports/")), "form[action='/reports/summary/']")
    assert words(form.button) == "Send it to me"
    assert "Monthly summary turned on." in words(
        read(client.post("/reports/summary/", {form.button["name"]: "on"}, follow=True)).main
    )
    person.refresh_from_db()
    assert person.wants_summary
    form = one(read(client.get("/reports/")), "form[action='/reports/summary/']")
    assert words(form.button) == "Stop it"
    client.post("/reports/summary/")
    person.refresh_from_db()
    assert not person.wants_summary


def test_a_developer_is_refused_and_nobody_changes_it_by_opening_an_address(client, dana, max_manager):
    client.force_login(dana)
    assert client.post("/reports/summary/", {"wanted": "on"}).status_code == 403
    client.force_login(max_manager)
    assert client.get("/reports/summary/?wanted=on").status_code == 405
    for person in (dana, max_manager):
        person.refresh_from_db()
        assert not person.wants_summary


@time_machine.travel(datetime(2026, 11, 23, 8, tzinfo=UTC), tick=False)
def test_it_says_when_the_next_one_comes_and_keeps_the_filters(client, max_manager):
    client.force_login(max_manager)
    form = one(read(client.get("/reports/?period=last-month")), "form[action^='/reports/summary/']")
    response = client.post(form["action"], {"wanted": "on"}, follow=True)
    assert response.redirect_chain == [("/reports/?period=last-month", 302)]
    assert "We'll send the next one to max@example.com on 1 December 2026" in words(read(response).main)
    max_manager.managed_teams.clear()
    assert "once you manage a team" in words(read(client.post(form["action"], {"wanted": "on"}, follow=True)).main)


@time_machine.travel(datetime(2026, 11, 23, 8, tzinfo=UTC), tick=False)
def test_a_platform_admin_switches_it_for_somebody(client, ada, max_manager):
    client.force_login(ada)
    address = reverse("admin:environments_user_change", args=[max_manager.pk])
    assert read(client.get(address)).select("[name=wants_summary]")
    assert client.post(address, {"is_active": "on", "wants_summary": "on"}).status_code == 302
    max_manager = User.objects.get(pk=max_manager.pk)
    assert (max_manager.wants_summary, max_manager.summary_sent_for) == (True, date(2026, 10, 1))


def test_it_takes_a_token_of_the_form(max_manager):
    client = Client(enforce_csrf_checks=True)
    client.force_login(max_manager)
    assert client.post("/reports/summary/", {"wanted": "on"}).status_code == 403
    assert not User.objects.get(pk=max_manager.pk).wants_summary
