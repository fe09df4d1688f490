"""Pruning: what the settings keep stays, what they do not goes, and nothing goes before it is rolled up."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.models import Consumption, Span, Usage
from environments.routine import usage
from environments.routine.usage import retention

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 29, tzinfo=UTC)
NOW = DAY + timedelta(hours=13)


@pytest.fixture(autouse=True)
def kept(settings):
    settings.USAGE_HOURLY_DAYS, settings.USAGE_DAILY_DAYS = 9, 100
    settings.CONSUMPTION_DAILY_DAYS, settings.CONSUMPTION_MONTHLY_DAYS = 200, 400


def use(environment, span, start):
    figures = {"pods": [3600, 1, 7200]}
    return Usage.objects.create(environment=environment, span=span, start=start, seconds=3600, figures=figures)


def test_each_kind_of_row_is_kept_as_long_as_its_setting_says(make_environment):
    environment = make_environment()
    for days in (99, 100, 101, 102):
        use(environment, Span.DAY, DAY - timedelta(days=days))
    for span, ages in (("day", (199, 200, 201)), ("month", (399, 400, 401))):
        for days in ages:
            start = (DAY - timedelta(days=days)).date()
            Consumption.objects.create(environment=environment, span=span, start=start, seconds=1)
    assert usage.prune(NOW) == 2 + 1 + 1
    assert min(Usage.objects.values_list("start", flat=True)) == DAY - timedelta(days=100)
    assert Consumption.objects.filter(span="day").count() == Consumption.objects.filter(span="month").count() == 2


def test_hours_go_by_whole_days_and_are_rolled_up_first(make_environment):
    environment = make_environment()
    for hours in (0, 1, 23, 24, 48):
        use(environment, Span.HOUR, DAY - timedelta(days=9) + timedelta(hours=23 - hours))
    assert usage.prune(NOW) == 2
    hours = Usage.objects.filter(span=Span.HOUR).order_by("start")
    assert [row.start for row in hours] == [DAY - timedelta(days=9) + timedelta(hours=h) for h in (0, 22, 23)]
    days = Usage.objects.filter(span=Span.DAY).order_by("start").values_list("start", "seconds")
    assert list(days) == [(DAY - timedelta(days=11), 3600), (DAY - timedelta(days=10), 3600)]


def test_a_week_is_always_there_by_the_hour(make_environment):
    environment = make_environment()
    for hours in range(24 * 8):
        use(environment, Span.HOUR, DAY - timedelta(hours=hours))
    usage.prune(NOW)
    assert len(usage.history(environment, days=7, now=DAY)["pods"]) == 168


def test_batches_are_bounded_and_all_of_it_goes(make_environment, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 10)
    environment = make_environment()
    old = DAY - timedelta(days=30)
    for hours in range(24):
        use(environment, Span.HOUR, old + timedelta(hours=hours))
    with CaptureQueriesContext(connection) as queries:
        assert usage.prune(NOW) == 24
    deletes = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    assert len(deletes) == 3
    assert all(sql.count(", ") <= 10 for sql in deletes)
    assert not Usage.objects.filter(span=Span.HOUR).exists()
    assert Usage.objects.get(span=Span.DAY).seconds == 24 * 3600


def test_pruning_that_was_interrupted_goes_on_and_changes_no_day(make_environment, monkeypatch):
    environment = make_environment()
    old = DAY - timedelta(days=30)
    for hours in range(4):
        use(environment, Span.HOUR, old + timedelta(hours=hours))

    deleted = []

    def killed(execute, sql, *more):
        """The worker ends with its first batch."""
        if deleted:
            raise SystemExit
        answer = execute(sql, *more)
        if sql.startswith("DELETE"):
            deleted.append(sql)
        return answer

    monkeypatch.setattr(retention, "BATCH", 1)
    with connection.execute_wrapper(killed), pytest.raises(SystemExit):
        usage.prune(NOW)
    assert Usage.objects.filter(span=Span.HOUR).count() == 3
    usage.prune(NOW)
    assert Usage.objects.get().seconds == 4 * 3600
    assert Consumption.objects.get(span="month").seconds == 4 * 3600


def test_nothing_to_do_is_quick(django_assert_num_queries, make_environment):
    use(make_environment(), Span.HOUR, DAY)
    with django_assert_num_queries(5):  # one for each kind of row
        assert usage.prune(NOW) == 0
