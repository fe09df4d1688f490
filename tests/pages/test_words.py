"""The filters that put moments, durations and Markdown into a page."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup

from environments.templatetags import portal_ui

NOW = datetime(2026, 11, 23, 14, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(None, ""), (0, "0 ms"), (18, "18 ms"), (2400, "2.4 s"), (190_000, "3 min"), (20_000_000, "5 h")],
)
def test_durations_are_said_in_the_unit_that_suits_them(milliseconds, expected):
    assert portal_ui.duration(milliseconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "just now"),
        (-4, "just now"),
        (3, "in a moment"),
        (-12, "12 seconds ago"),
        (89, "in 89 seconds"),
        (90, "in 2 minutes"),
        (-60 * 89, "89 minutes ago"),
        (60 * 90, "in 2 hours"),
        (-35 * 3600, "35 hours ago"),
        (36 * 3600, "in 2 days"),
        (23 * 86_400, "in 23 days"),
    ],
)
def test_moments_are_said_as_seen_from_now(seconds, expected):
    assert portal_ui.in_words(seconds) == expected


@time_machine.travel(NOW, tick=False)
def test_a_moment_is_for_people_and_for_machines():
    time = BeautifulSoup(portal_ui.relative(NOW - timedelta(minutes=3)), "html.parser").time
    assert time.string == "3 minutes ago"
    assert time["datetime"] == "2026-11-23T14:02:30+00:00"
    assert time["title"] == "23 November 2026, 14:02:30 UTC"


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(("seconds", "expected"), [(12, "in 12 seconds"), (2, "in a moment"), (-30, "in a moment")])
def test_a_next_try_that_has_come_is_in_a_moment(seconds, expected):
    assert BeautifulSoup(portal_ui.next_try(NOW + timedelta(seconds=seconds)), "html.parser").time.string == expected


def test_clocks_name_their_time_zone():
    assert BeautifulSoup(portal_ui.clock(NOW), "html.parser").time.string == "14:05:30 UTC"
    assert BeautifulSoup(portal_ui.date_and_time(NOW), "html.parser").time.string == "23 Nov 2026, 14:05:30 UTC"


@pytest.mark.parametrize("show", [portal_ui.relative, portal_ui.clock, portal_ui.date_and_time])
def test_no_moment_is_nothing(show):
    assert show(None) == ""


def test_markdown_keeps_tables_and_drops_what_could_run():
    html = BeautifulSoup(
        portal_ui.markdown("| a |\n|---|\n| b |\n\n<b onclick=x>y</b> [z](javascript:1)"), "html.parser"
    )
    assert html.td.string == "b"
    assert html.find("b") is None
    assert "javascript:1" not in [link.get("href") for link in html.find_all("a")]
