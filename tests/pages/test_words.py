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


@time_machine.travel(NOW, tick=False)
def test_a_moment_is_for_people_and_for_machines():
    time = time_of(portal_ui.relative(NOW - timedelta(minutes=3)))
    assert time.string == "3 minutes ago"
    assert time["datetime"] == "2026-11-23T14:02:30+00:00"
    assert time["title"] == "23 November 2026, 14:02:30 UTC"


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("show", "moment", "expected", "fresh"),
    [
        (portal_ui.relative, NOW - timedelta(minutes=3), "3 minutes ago", "near"),
        (portal_ui.next_try, NOW + timedelta(seconds=12), "in 12 seconds", "next"),
        (portal_ui.next_try, NOW - timedelta(seconds=30), "in a moment", "next"),
        (portal_ui.day, NOW, "23 November 2026", None),
        (portal_ui.date_and_time, NOW, "23 November 2026, 14:05", None),
        (portal_ui.upcoming, NOW + timedelta(days=2), "25 November, 14:05", None),
        (portal_ui.upcoming, NOW + timedelta(days=400), "28 December 2027, 14:05", None),
    ],
)
def test_only_relative_times_are_kept_fresh_by_the_script(show, moment, expected, fresh):
    time = time_of(show(moment))
    assert (time.string, time.get("data-relative")) == (expected, fresh)


@pytest.mark.parametrize("show", [portal_ui.relative, portal_ui.day, portal_ui.date_and_time, portal_ui.upcoming])
def test_no_moment_is_nothing(show):
    assert show(None) == ""


def time_of(html):
    return BeautifulSoup(html, "html.parser").time


def test_markdown_keeps_tables_and_drops_what_could_run():
    html = BeautifulSoup(
        portal_ui.markdown("| a |\n|---|\n| b |\n\n<b onclick=x>y</b> [z](javascript:1)"), "html.parser"
    )
    assert html.td.string == "b"
    assert html.find("b") is None
    assert "javascript:1" not in [link.get("href") for link in html.find_all("a")]
