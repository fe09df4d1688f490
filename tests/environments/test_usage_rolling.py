"""Days from hours, consumption from days, months from days: the same rows however often, and however late."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from environments.models import Consumption, Span, Usage
from environments.routine import usage
from environments.routine.usage import rolling
from environments.routine.usage.costs import consumption

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 29, tzinfo=UTC)
NOW = DAY + timedelta(hours=13)
MIB = 2**20


def hour(environment, start, *, seconds=3600, pods=(1, 2, 30), **more):
    used, peak, hard = pods
    figures = {"pods": [used * seconds, peak, hard * seconds]} | more
    return Usage.objects.create(environment=environment, span=Span.HOUR, start=start, seconds=seconds, figures=figures)


def days(environment):
    rows = Usage.objects.filter(environment=environment, span=Span.DAY).order_by("start")
    return [(row.start, row.seconds, row.figures) for row in rows]


def everything():
    """All rows that rolling up makes, without their keys."""
    found = [list(Usage.objects.order_by("environment", "span", "start").values_list("span", "start", "figures"))]
    names = [field.name for field in Consumption._meta.fields if field.name != "id"]
    return [*found, list(Consumption.objects.order_by("environment", "span", "start").values_list(*names))]


def test_a_day_is_the_sum_of_its_hours(make_environment):
    environment = make_environment()
    hour(environment, DAY, pods=(1, 2, 30))
    hour(environment, DAY + timedelta(hours=5), seconds=1800, pods=(4, 9, 40))
    hour(environment, DAY - timedelta(hours=1), pods=(7, 7, 30))
    usage.roll_up(NOW)
    assert days(environment) == [
        (DAY - timedelta(days=1), 3600, {"pods": [7 * 3600, 7, 30 * 3600]}),
        (DAY, 5400, {"pods": [3600 + 4 * 1800, 9, 30 * 3600 + 40 * 1800]}),
    ]


def test_rolling_up_again_and_late_gives_the_same_rows(make_environment):
    for number in range(3):
        environment = make_environment(name=f"Number {number}")
        for hours in range(0, 60, 7):
            hour(environment, DAY - timedelta(hours=hours), pods=(hours, hours + 1, 90))
    usage.roll_up(NOW)
    once = everything()
    assert usage.roll_up(NOW) == 0
    assert everything() == once
    Usage.objects.filter(span=Span.DAY).delete()
    Consumption.objects.all().delete()
    usage.roll_up(NOW + timedelta(days=3))
    assert everything() == once


def test_the_day_under_way_gets_better_with_every_run(make_environment):
    environment = make_environment()
    row = hour(environment, DAY, seconds=600)
    usage.roll_up(NOW)
    assert days(environment)[0][1] == 600
    row.seconds, row.figures = 1200, {"pods": [2 * 1200, 5, 30 * 1200]}
    row.save()
    usage.roll_up(NOW)
    assert days(environment) == [(DAY, 1200, {"pods": [2400, 5, 36000]})]
    assert Consumption.objects.get(span="month").seconds == 1200


def test_what_is_seen_is_in_the_reports_after_the_next_run(make_environment):
    environment = make_environment()
    for seconds in (0, 100, 200):
        usage.record({environment.pk: {"requests.cpu": ["500m", "1"]}}, NOW + timedelta(seconds=seconds))
    usage.roll_up(NOW + timedelta(seconds=200))
    day = Consumption.objects.get(environment=environment, span="day")
    assert (day.start, day.seconds, day.cpu_used, day.cpu_reserved) == (DAY.date(), 200, 100_000, 200_000)


def test_only_what_changed_is_written(make_environment):
    still, changing = make_environment(), make_environment(name="Changing")
    hour(still, DAY)
    hour(changing, DAY)
    assert usage.roll_up(NOW) == 2
    hour(changing, DAY + timedelta(hours=1))
    assert usage.roll_up(NOW) == 1


def test_pruned_hours_take_nothing_from_their_day(make_environment):
    environment = make_environment()
    hour(environment, DAY)
    hour(environment, DAY + timedelta(hours=1))
    usage.roll_up(NOW)
    before = days(environment)
    Usage.objects.filter(span=Span.HOUR, start=DAY).delete()
    usage.roll_up(NOW)
    assert days(environment) == before


def test_days_without_a_run_are_made_up_for(make_environment):
    environment = make_environment()
    hour(environment, DAY - timedelta(days=6))
    usage.roll_up(DAY - timedelta(days=6))
    for ago in (5, 4, 3):
        hour(environment, DAY - timedelta(days=ago))
    usage.roll_up(NOW)
    assert [start for start, *_ in days(environment)] == [DAY - timedelta(days=ago) for ago in (6, 5, 4, 3)]


def test_hours_that_lie_in_the_future_hold_nobody_up(make_environment):
    environment = make_environment()
    hour(environment, DAY + timedelta(days=40))
    hour(environment, DAY)
    usage.roll_up(NOW)
    assert [start for start, *_ in days(environment)] == [DAY]


def test_a_month_is_the_sum_of_its_days(make_environment):
    environment = make_environment()
    for ago in (0, 1, 2, 29, 60):
        cpu = {"requests.cpu": [100 * 3600 * (ago + 1), 10 * (ago + 1), 1000 * 3600]}
        hour(environment, DAY - timedelta(days=ago), **cpu)
    usage.roll_up(NOW)
    months = Consumption.objects.filter(span="month").order_by("start")
    assert [(row.start, row.seconds, row.cpu_used, row.cpu_peak) for row in months] == [
        (date(2026, 1, 1), 3600, 100 * 3600 * 61, 610),
        (date(2026, 2, 1), 3600, 100 * 3600 * 30, 300),
        (date(2026, 3, 1), 3 * 3600, 100 * 3600 * (1 + 2 + 3), 30),
    ]
    assert all(isinstance(row.cpu_used, int) for row in months)


def test_the_queries_do_not_grow_with_the_environments(make_environment, monkeypatch):
    numbers = []
    for count in (1, 4):
        for number in range(count):
            hour(make_environment(name=f"Number {number}"), DAY)
        with CaptureQueriesContext(connection) as queries:
            rolling.roll_up_day(DAY)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_batches_change_nothing(make_environment, monkeypatch, batch):
    monkeypatch.setattr(rolling, "BATCH", batch)
    for number in range(5):
        hour(make_environment(name=f"Number {number}"), DAY, pods=(number, number, 9))
    usage.roll_up(NOW)
    figures = Usage.objects.filter(span=Span.DAY).values_list("figures", flat=True)
    assert sorted(row["pods"][0] for row in figures) == [number * 3600 for number in range(5)]


@pytest.mark.parametrize(
    ("sums", "columns"),
    [
        ({"requests.cpu": [5, 2, 9], "limits.cpu": [50, 20, 90]}, {"cpu": (9, 5, 2)}),
        ({"cpu": [5, 2, 9], "limits.cpu": [50, 20, 90]}, {"cpu": (9, 5, 2)}),
        ({"limits.cpu": [50, 20, 90]}, {"cpu": (90, 50, 20)}),
        ({"requests.memory": [5 * MIB, 2 * MIB, 9 * MIB]}, {"memory": (9, 5, 2)}),
        ({"limits.memory": [MIB // 2, MIB // 2 - 1, 0]}, {"memory": (0, 1, 0)}),
        ({"requests.storage": [MIB, MIB, MIB], "persistentvolumeclaims": [7, 7, 7]}, {"storage": (1, 1, 1)}),
        ({"requests.ephemeral-storage": [MIB, MIB, MIB]}, {}),
        ({"requests.nvidia.com/gpu": [3, 2, 8], "requests.amd.com/gpu": [1, 1, 4]}, {"gpu": (12, 4, 3)}),
        ({"requests.nvidia.com/mig-1g.5gb": [3, 2, 8], "requests.gpu.intel.com/i915": [1, 1, 1]}, {"gpu": (9, 4, 3)}),
        ({"requests.nvidia.com/gpu.shared": [3, 2, 8]}, {"gpu": (8, 3, 2)}),
        ({"requests.example.com/gpu-licences": [3, 2, 8], "requests.gpu.intel.com/memory.max": [9, 9, 9]}, {}),
        ({}, {}),
    ],
)
def test_consumption_is_what_costs_money(sums, columns):
    expected = {
        f"{name}_{part}": columns.get(name, (0, 0, 0))[index]
        for name in ("cpu", "memory", "storage", "gpu")
        for index, part in enumerate(("reserved", "used", "peak"))
    }
    assert consumption(sums) == expected


def test_a_quota_that_means_unlimited_does_not_overflow_a_month(make_environment):
    environment = make_environment()
    endless = 2**63 - 1
    for ago in range(29):
        hour(environment, DAY - timedelta(days=ago), **{"requests.cpu": [0, 0, endless * 1000 * 3600]})
    usage.roll_up(NOW)
    assert Consumption.objects.get(span="month", start=date(2026, 3, 1)).cpu_reserved > 2**62


@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**12), st.integers(0, 10**15)), max_size=6))
def test_rounding_to_mib_is_never_more_than_half_a_mib_off(rows):
    for used, peak, hard in rows:
        columns = consumption({"requests.memory": [used, peak, hard]})
        assert abs(columns["memory_used"] * MIB - used) <= MIB // 2
        assert abs(columns["memory_peak"] * MIB - peak) <= MIB // 2
