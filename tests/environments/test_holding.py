"""An alert comes once a level has lasted; a resource is emailed about once a day unless it gets worse."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.lib.activity import Activity
from environments.models import Environment
from environments.routine import alerts
from environments.routine.holding import BAD, WARN, lasting, remember, to_mail
from environments.routine.usage.recording import fullest

START = datetime(2026, 11, 29, 10, tzinfo=UTC)
HOLD = timedelta(minutes=10)


def minutes(number: float) -> datetime:
    return START + timedelta(minutes=number)


def course(series: list[tuple[float, str]], before: str = "") -> list[str]:
    """The level that counts after each of the levels that were reached at these minutes."""
    state, rising, found = ({"pods": before} if before else {}), {}, []
    for minute, level in series:
        state, rising = lasting(state, {"pods": level} if level else {}, rising, minutes(minute), HOLD)
        found.append(state.get("pods", ""))
    return found


@pytest.mark.parametrize(
    ("series", "found"),
    [
        ([(0, WARN), (9.9, WARN), (10, WARN)], ["", "", WARN]),
        ([(0, WARN), (5, ""), (6, WARN), (12, WARN), (16, WARN)], ["", "", "", "", WARN]),  # begun anew
        ([(0, WARN), (4, BAD), (10, BAD), (14, BAD)], ["", "", "", BAD]),  # a rise is one alert, not two
        ([(0, WARN), (9, BAD), (12, BAD), (13, WARN)], ["", "", "", WARN]),
        ([(0, BAD), (10, BAD)], ["", BAD]),  # both at once are one
        ([(0, BAD), (5, WARN), (10, WARN)], ["", "", WARN]),
        ([(0, BAD), (5, WARN), (6, BAD), (12, BAD), (16, BAD)], ["", "", "", "", BAD]),
    ],
)
def test_a_level_counts_once_it_has_lasted(series, found):
    assert course(series) == found


@pytest.mark.parametrize(
    ("series", "before", "found"),
    [
        ([(0, WARN)], BAD, [WARN]),
        ([(0, "")], BAD, [""]),
        ([(0, WARN), (1, BAD), (11, BAD)], BAD, [WARN, WARN, BAD]),
    ],
)
def test_a_level_is_left_at_once(series, before, found):
    assert course(series, before) == found


def test_without_holding_off_a_level_counts_at_once():
    assert lasting({}, {"pods": BAD}, {}, START, timedelta(0)) == ({"pods": BAD}, {})


@pytest.mark.parametrize(
    ("level", "last", "hours", "mails"),
    [
        (WARN, None, 0, True),
        (WARN, WARN, 23.9, False),
        (WARN, WARN, 24, True),
        (BAD, WARN, 1, True),  # it got worse
        (BAD, BAD, 1, False),
        (WARN, BAD, 1, False),
    ],
)
def test_a_resource_is_emailed_about_once_a_day_unless_it_gets_worse(level, last, hours, mails):
    mailed = {"pods": [last, START.isoformat()]} if last else {}
    assert to_mail({"pods": level}, mailed, START + timedelta(hours=hours)) == (["pods"] if mails else [])


def test_only_the_emails_of_the_last_day_are_remembered():
    mailed = {"pods": [WARN, START.isoformat()], "services": [BAD, minutes(60).isoformat()]}
    now = START + timedelta(hours=24.5)
    after = remember(["pods"], {"pods": BAD}, mailed, now)
    assert after == {"services": [BAD, minutes(60).isoformat()], "pods": [BAD, now.isoformat()]}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ""), (1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (600, "10 minutes"), (0.2, "")],
)
def test_the_time_to_last_is_said_in_words(settings, seconds, words):
    settings.ALERT_HOLD_SECONDS = seconds
    assert alerts.hold_in_words() == words


# What is stored


def look(environment: Environment, minute: float, **used: int) -> None:
    """A pass at this minute that found so many percent of each resource in use."""
    row = Environment.objects.get(pk=environment.pk)
    row.usage = {name: [str(percent), "100"] for name, percent in used.items()}
    row.fullest = fullest(row.usage)
    row.save(update_fields=["usage", "fullest"])
    alerts.check([row], minutes(minute))


def told(environment: Environment) -> list[tuple[list[str], list[str], bool]]:
    """Of each alert, the resources, those that are emailed about, and whether an email is owed; the first first."""
    events = environment.events.filter(kind=Activity.QUOTA_NEARLY_FULL).order_by("id")
    return [([one.resource for one in alerts.crossings(each)], each.data["mail"], each.notice_owed) for each in events]


@pytest.fixture
def environment(make_environment, settings):
    settings.ALERT_HOLD_SECONDS = HOLD.total_seconds()
    return make_environment()


def test_a_short_peak_leaves_nothing_behind(environment):
    look(environment, 0, pods=90)
    look(environment, 5, pods=50)
    look(environment, 20, pods=90)
    assert told(environment) == []
    environment.refresh_from_db()
    assert environment.alert_rising == {"pods": {WARN: minutes(20).isoformat()}}


def test_what_lasts_is_told_with_its_threshold(environment):
    for minute in (0, 5, 10, 15):
        look(environment, minute, pods=90)
    assert told(environment) == [(["pods"], ["pods"], True)]
    event = environment.events.get(kind=Activity.QUOTA_NEARLY_FULL)
    assert alerts.threshold(event, alerts.crossings(event)[0]) == 80


def test_a_resource_that_goes_up_and_down_all_day_is_one_email_and_several_entries(environment):
    for hour in range(0, 20, 2):
        look(environment, 60 * hour, pods=90)
        look(environment, 60 * hour + 15, pods=90)
        look(environment, 60 * hour + 30, pods=20)
    assert told(environment) == [(["pods"], ["pods"], True)] + [(["pods"], [], False)] * 9


def test_an_email_names_only_what_is_news(environment):
    look(environment, 0, pods=90)
    look(environment, 10, pods=90)
    look(environment, 20, pods=20)
    look(environment, 30, pods=90, services=90)
    look(environment, 40, pods=90, services=90)
    assert told(environment)[1] == (["pods", "services"], ["services"], True)
    event = environment.events.filter(kind=Activity.QUOTA_NEARLY_FULL).first()
    assert [one.resource for one in alerts.mailed_crossings(event)] == ["services"]


def test_an_event_of_the_version_before_is_emailed_whole(environment):
    look(environment, 0, pods=90)
    look(environment, 10, pods=90)
    event = environment.events.get(kind=Activity.QUOTA_NEARLY_FULL)
    event.data = {"crossings": event.data["crossings"]}
    (crossing,) = alerts.mailed_crossings(event)
    assert alerts.threshold(event, crossing) == 90


def test_a_level_that_still_has_to_last_costs_no_query(environment, django_assert_num_queries):
    look(environment, 0, pods=90)
    row = Environment.objects.get(pk=environment.pk)
    with django_assert_num_queries(0):
        alerts.check([row], minutes(5))


def test_other_thresholds_begin_anew(environment, dana):
    look(environment, 0, pods=90)
    environment.refresh_from_db()
    alerts.configure(environment, dana, alerts.Choice("mail", 70, 85))
    look(environment, 10, pods=90)
    assert told(environment) == []
    look(environment, 20, pods=90)
    assert told(environment) == [(["pods"], ["pods"], True)]
