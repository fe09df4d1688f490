"""Repeats are one line with their number; alerts are a line for each resource."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from environments.lib import dates
from environments.lib.activity import Activity
from environments.models import Event
from environments.routine.folding import fold

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)  # a Friday


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


def crossing(resource: str, used: str, level: str = "warn") -> dict[str, str]:
    return {"resource": resource, "level": level, "used": used, "hard": "100"}


def alert(hours: float, *crossings: dict[str, str]) -> Event:
    data = {"crossings": list(crossings), "thresholds": {"warn": 80, "bad": 95}}
    at = NOW - timedelta(hours=hours)
    return Event(kind=Activity.QUOTA_NEARLY_FULL, message="…", data=data, tone="warn", at=at)


def plain(hours: float, message: str = "Restored.", kind: Activity = Activity.REPAIRED, **more) -> Event:
    return Event(kind=kind, message=message, at=NOW - timedelta(hours=hours), **more)


def told(events: list[Event], **how) -> list[tuple[str, str, str]]:
    return [(line.title, line.repeats, line.message) for line in fold(events, **how)]


def test_alerts_about_a_resource_are_one_line_with_the_newest_figures():
    events = [
        alert(1, crossing("pods", "97", "bad"), crossing("services", "80")),
        alert(30, crossing("pods", "85")),
        alert(74, crossing("pods", "81")),
    ]
    assert told(events) == [
        ("Pods above 95 %", "3 times since Tuesday", "97 % of the quota: 97 of 100."),
        ("Services above 80 %", "", "80 % of the quota: 80 of 100."),
    ]


def test_the_line_has_the_colour_of_the_newest_level():
    assert [
        line.tone for line in fold([alert(1, crossing("pods", "80")), alert(2, crossing("pods", "97", "bad"))])
    ] == ["warn"]


def test_an_alert_of_an_earlier_version_names_its_percentage():
    event = alert(1, crossing("pods", "83"))
    event.data = {"crossings": event.data["crossings"]}
    assert told([event])[0][0] == "Pods above 83 %"


def test_the_same_by_the_same_person_is_one_line_and_anything_else_is_not():
    events = [
        plain(1),
        plain(2, "Another."),
        plain(3),
        plain(4, kind=Activity.DEGRADED),
        plain(5, actor_id=7),
    ]
    assert [(title, repeats) for title, repeats, _ in told(events)] == [
        ("Repaired", "2 times since 09:00"),
        ("Repaired", ""),
        ("Degraded", ""),
        ("Repaired", ""),
    ]


def test_in_runs_the_order_stays():
    events = [
        alert(1, crossing("pods", "81")),
        alert(2, crossing("pods", "82")),
        plain(3),
        alert(4, crossing("pods", "83")),
        plain(5),
        plain(6),
    ]
    assert [(title, repeats[:7]) for title, repeats, _ in told(events, runs=True)] == [
        ("Pods above 80 %", "2 times"),
        ("Repaired", ""),
        ("Pods above 80 %", ""),
        ("Repaired", "2 times"),
    ]


def test_every_event_is_behind_a_line():
    events = [alert(1, crossing("pods", "81")), plain(2), plain(3, "Another."), plain(4)]
    for runs in (False, True):
        assert {id(event) for line in fold(events, runs=runs) for event in line.events} == set(map(id, events))


def test_an_alert_without_figures_reads_as_it_was_written():
    event = Event(kind=Activity.QUOTA_NEARLY_FULL, message="Pods are at 84 %.", at=NOW)
    assert told([event]) == [("Quota nearly full", "", "Pods are at 84 %.")]


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "11:00"), (12, "00:00"), (13, "Thursday"), (144, "Saturday"), (156, "Saturday"), (157, "27 November 2026")],
)
def test_a_beginning_is_named_as_people_would(hours, words):
    assert dates.since(NOW - timedelta(hours=hours), NOW) == words
