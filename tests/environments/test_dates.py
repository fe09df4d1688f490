"""Dates and times in words: one table for each way of saying them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from environments.lib import dates

NOW = datetime(2026, 11, 29, 10, 16, 30, tzinfo=UTC)
KOLKATA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("say", "when", "expected"),
    [
        (dates.day, NOW, "29 November 2026"),
        (dates.day, date(2027, 3, 3), "3 March 2027"),
        (dates.day, datetime(2026, 11, 30, 4, 0, tzinfo=KOLKATA), "29 November 2026"),
        (dates.date_and_time, NOW, "29 November 2026, 10:16"),
        (dates.date_and_time, datetime(2026, 11, 29, 4, 5, tzinfo=KOLKATA), "28 November 2026, 22:35"),
        (dates.exact, NOW, "29 November 2026, 10:16:30 UTC"),
    ],
)
def test_dates_and_times_have_one_form_and_are_in_utc(say, when, expected):
    assert say(when) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (NOW, "29 November"),
        (NOW + timedelta(days=2), "1 December"),
        (date(2027, 3, 3), "3 March"),
        (date(2027, 5, 30), "30 May"),  # 182 days ahead
        (date(2027, 5, 31), "31 May 2027"),
        (date(2026, 11, 28), "28 November 2026"),  # past
    ],
)
def test_only_a_date_within_the_next_six_months_has_no_year(when, expected):
    assert dates.upcoming_day(when, NOW) == expected


def test_what_is_to_come_has_its_time_of_day():
    assert dates.upcoming(NOW + timedelta(days=2), NOW) == "1 December, 10:16"
    assert dates.upcoming(NOW + timedelta(days=400), NOW) == "3 January 2028, 10:16"


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
    assert dates.relative(seconds) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(12, "in 12 seconds"), (2, "in a moment"), (-30, "in a moment")])
def test_a_next_try_that_has_come_is_in_a_moment(seconds, expected):
    assert dates.next_try(seconds) == expected
