"""The activity on an environment's page: people first, repeats folded, a switch in the address."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.lib.activity import Activity
from environments.models import Event
from tests.pages.reading import HTMX, one, read, words

CROSSING = {"resource": "pods", "level": "warn", "used": "42", "hard": "50"}


@pytest.fixture
def environment(make_environment, dana):
    environment = make_environment()
    now = timezone.now()
    data = {"crossings": [CROSSING], "thresholds": {"warn": 80, "bad": 95}}
    for hour in range(30):
        Event.objects.create(
            environment=environment,
            kind=Activity.QUOTA_NEARLY_FULL,
            message="Pods are at 84 %.",
            data=data,
            at=now - timedelta(hours=hour + 1),
        )
    for day, kind in enumerate((Activity.EXTENDED, Activity.CHECK_REQUESTED), 3):
        at = now - timedelta(days=day)
        Event.objects.create(environment=environment, kind=kind, message="Done.", actor=dana, at=at)
    Event.objects.create(environment=environment, kind=Activity.READY, message="Ready.", at=now - timedelta(days=9))
    return environment


@pytest.fixture
def card(client, environment, dana):
    def get(query="", **more):
        client.force_login(dana)
        soup = read(client.get(f"/environments/{environment.namespace}/{query}", **more))
        return one(soup, "[aria-labelledby=events-title]")

    return get


def titles(card) -> list[str]:
    return [words(line) for line in card.select(".timeline > li b")]


def test_people_come_first_and_thirty_alerts_are_one_line(card):
    found = card()
    assert [words(heading) for heading in found.select("h3")] == ["People", "Portal", "Alerts"]
    assert titles(found) == ["Requested", "Extended", "Check requested", "Ready", "Pods above 80 %"]
    assert "30 times since" in words(found.select(".timeline > li")[-1])


@pytest.mark.parametrize(
    ("query", "found", "current"),
    [
        ("?activity=people", ["Requested", "Extended", "Check requested"], "People"),
        ("?activity=portal", ["Ready"], "Portal"),
        ("?activity=alerts", ["Pods above 80 %"], "Alerts"),
        ("?activity=nonsense", ["Requested", "Extended", "Check requested", "Ready", "Pods above 80 %"], "All"),
    ],
)
def test_the_switch_is_in_the_address(card, query, found, current):
    shown = card(query)
    assert titles(shown) == found
    assert words(one(shown, ".switch [aria-current]")) == current
    assert [link["href"] for link in shown.select(".switch a")] == [
        "?#events-title",
        "?activity=people#events-title",
        "?activity=portal#events-title",
        "?activity=alerts#events-title",
    ]


def test_a_refresh_keeps_the_switch(client, environment, dana):
    environment.phase = "Provisioning"
    environment.save()
    client.force_login(dana)
    address = f"/environments/{environment.namespace}/?activity=portal"
    assert one(read(client.get(address)), "#live")["hx-get"] == address
    part = read(client.get(address, headers=HTMX))
    assert titles(one(part, "[aria-labelledby=events-title]")) == ["Ready"]


def test_the_full_history_has_the_same_switch_and_every_entry(client, environment, dana):
    client.force_login(dana)
    address = f"/environments/{environment.namespace}/history/"
    soup = read(client.get(address))
    assert titles(soup) == ["Requested", "Pods above 80 %", "Extended", "Check requested", "Ready"]
    repeats = one(soup, ".timeline details")
    assert words(repeats.summary) == "All 30 entries"
    assert len(repeats.select("li")) == 30
    soup = read(client.get(f"{address}?activity=people"))
    assert titles(soup) == ["Requested", "Extended", "Check requested"]
    assert words(one(soup, ".switch [aria-current]")) == "People"


def test_the_pages_of_a_history_keep_the_switch(client, environment, dana):
    Event.objects.bulk_create(
        Event(environment=environment, kind=Activity.CHANGED_BY_HAND, message=f"number {number}")
        for number in range(60)
    )
    client.force_login(dana)
    soup = read(client.get(f"/environments/{environment.namespace}/history/?activity=portal"))
    assert one(soup, "a[rel=next]")["href"] == "?activity=portal&page=2"


def test_a_kind_without_activity_says_so(client, make_environment, dana):
    environment = make_environment()
    client.force_login(dana)
    for page in ("", "history/"):
        soup = read(client.get(f"/environments/{environment.namespace}/{page}?activity=alerts"))
        assert "No activity of this kind yet" in words(soup.main)
