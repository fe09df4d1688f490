"""What a pass saw is added to the hours once: whatever the clock does, whoever is killed, however often it arrives."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from environments.models import Environment, Span, Usage
from environments.routine import usage
from environments.routine.usage import counting
from environments.routine.usage.counting import amount, amounts

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 29, 10, tzinfo=UTC)
TOLERANCE = 3 * int(settings.OBSERVE_SECONDS)
GIB = 2**30


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def counted(environment) -> dict[int, tuple[int, dict[str, list[int]]]]:
    """The hours once all is counted, by how many hours after START: seconds and figures."""
    usage.settle()
    rows = Usage.objects.filter(environment=environment, span=Span.HOUR)
    return {int((row.start - START) / timedelta(hours=1)): (row.seconds, row.figures) for row in rows}


def record(environment, seconds: float, **figures: list[str]) -> list[Environment]:
    named = {name.replace("__", "."): pair for name, pair in figures.items()}
    return usage.record({environment.pk: named}, at(seconds))


@pytest.mark.parametrize(
    ("resource", "quantity", "stored"),
    [
        ("requests.cpu", "250m", 250),
        ("limits.cpu", "1", 1000),
        ("cpu", "1500u", 2),
        ("requests.memory", "1.5Gi", 3 * GIB // 2),
        ("requests.memory", "100m", 1),
        ("requests.storage", "1T", 10**12),
        ("requests.nvidia.com/gpu", "4", 4),
        ("count/deployments.apps", "7", 7),
        ("pods", "0", 0),
    ],
)
def test_amounts_are_whole_numbers_rounded_as_kubernetes_rounds(resource, quantity, stored):
    assert amount(resource, quantity) == stored


def test_the_first_sight_of_an_environment_counts_for_nothing_yet(make_environment):
    environment = make_environment()
    [row] = record(environment, 60, pods=["3", "30"])
    assert counted(environment) == {}
    environment.refresh_from_db()
    assert (environment.usage, environment.fullest) == ({"pods": ["3", "30"]}, pytest.approx(0.1))
    assert environment.usage_at == environment.counted_until == row.usage_at == at(60)


def test_what_is_seen_counts_for_the_time_since_it_was_last_seen(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["3", "30"], requests__cpu=["250m", "1"])
    record(environment, 100, pods=["4", "30"], requests__cpu=["500m", "1"])
    record(environment, 150.9, pods=["1", "60"], requests__cpu=["500m", "2"])
    figures = {
        "pods": [4 * 100 + 1 * 50, 4, 30 * 100 + 60 * 50],
        "requests.cpu": [500 * 150, 500, 1000 * 100 + 2000 * 50],
    }
    assert counted(environment) == {0: (150, figures)}


def test_figures_that_stay_what_they_were_are_counted_when_they_change(make_environment):
    environment = make_environment()
    for seconds in (0, 100, 200):
        record(environment, seconds, pods=["3", "30"])
    environment.refresh_from_db()
    assert (environment.counted_until, environment.usage_at) == (at(0), at(200))
    assert not Usage.objects.exists()
    record(environment, 300, pods=["4", "30"])
    environment.refresh_from_db()
    assert environment.counted_until == at(300)
    assert Usage.objects.get().figures == {"pods": [3 * 200 + 4 * 100, 4, 30 * 300]}


def test_settling_counts_what_is_owed_once(make_environment):
    environment = make_environment()
    for seconds in (0, 100):
        record(environment, seconds, pods=["3", "30"])
    for _ in range(2):
        usage.settle()
        assert Usage.objects.get().figures == {"pods": [300, 3, 3000]}
    environment.refresh_from_db()
    assert environment.counted_until == at(100)


def test_what_was_seen_before_a_gap_is_counted_after_it(make_environment):
    environment = make_environment()
    for seconds in (0, 100, 3000):
        record(environment, seconds, pods=["3", "30"])
    assert counted(environment) == {0: (100, {"pods": [300, 3, 3000]})}


def test_a_stretch_over_the_hour_is_split_there(make_environment):
    environment = make_environment()
    record(environment, 3500, pods=["9", "30"])
    record(environment, 3650, pods=["2", "30"])
    assert counted(environment) == {
        0: (100, {"pods": [200, 2, 3000]}),
        1: (50, {"pods": [100, 2, 1500]}),
    }


def test_a_gap_stays_a_gap_and_counting_starts_anew(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["3", "30"])
    record(environment, TOLERANCE + 1, pods=["5", "30"])
    assert counted(environment) == {}
    record(environment, TOLERANCE + 11, pods=["5", "30"])
    assert counted(environment) == {0: (10, {"pods": [50, 5, 300]})}


def test_a_pass_that_arrives_twice_counts_once(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["3", "30"])
    for _ in range(3):
        record(environment, 100, pods=["4", "30"])
    assert counted(environment) == {0: (100, {"pods": [400, 4, 3000]})}


def test_older_figures_never_replace_newer_ones(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["3", "30"])
    record(environment, 100, pods=["4", "30"])
    assert record(environment, 90, pods=["9", "30"]) == []
    environment.refresh_from_db()
    assert environment.usage == {"pods": ["4", "30"]}
    assert environment.counted_until == at(100)
    record(environment, 110, pods=["4", "30"])
    assert counted(environment) == {0: (110, {"pods": [440, 4, 3300]})}


def test_a_clock_that_went_far_back_is_believed_and_no_hour_has_more_than_an_hour(make_environment):
    environment = make_environment()
    for seconds in range(0, 3601, 300):
        record(environment, seconds, pods=["4", "30"])
    whole = {"pods": [4 * 3600, 4, 30 * 3600]}
    assert counted(environment) == {0: (3600, whole)}
    for seconds in range(0, 3601, 300):
        record(environment, seconds, pods=["7", "30"])
    assert counted(environment) == {0: (3600, whole)}
    environment.refresh_from_db()
    assert environment.counted_until == at(3600)


def test_a_worker_killed_between_two_writes_has_written_nothing(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["3", "30"])

    def killed(execute, sql, values, many, context):
        if many:  # the newest figures, once the hours were added to
            raise SystemExit
        return execute(sql, values, many, context)

    with connection.execute_wrapper(killed), pytest.raises(SystemExit):
        record(environment, 100, pods=["4", "30"])
    assert counted(environment) == {}
    record(environment, 120, pods=["4", "30"])
    assert counted(environment) == {0: (120, {"pods": [480, 4, 3600]})}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory there is one connection; tests/live has it run")
@pytest.mark.django_db(transaction=True)
def test_two_passes_at_once_count_once(make_environment):
    environments = [make_environment(name=f"Number {number}") for number in range(5)]
    usage.record({each.pk: {"pods": ["1", "30"]} for each in environments}, at(0))

    def one_pass():
        try:
            usage.record({each.pk: {"pods": ["2", "30"]} for each in environments}, at(100))
        finally:
            connection.close()

    threads = [threading.Thread(target=one_pass) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for environment in environments:
        assert counted(environment) == {0: (100, {"pods": [200, 2, 3000]})}


def test_a_resource_that_comes_later_counts_from_then_on(make_environment):
    environment = make_environment()
    record(environment, 0, pods=["1", "30"])
    record(environment, 100, pods=["1", "30"])
    record(environment, 150, pods=["1", "30"], secrets=["5", "10"])
    assert counted(environment)[0] == (150, {"pods": [150, 1, 4500], "secrets": [250, 5, 500]})


def test_the_calls_do_not_grow_with_the_environments(make_environment, django_assert_num_queries):
    environments = [make_environment(name=f"Number {number}") for number in range(20)]
    for start, seen in ((0, environments[:2]), (2000, environments)):
        usage.record({each.pk: {"pods": ["1", "30"]} for each in seen}, at(start))
        with django_assert_num_queries(8):  # two of them the transaction's
            usage.record({each.pk: {"pods": ["2", "30"]} for each in seen}, at(start + 100))
        with django_assert_num_queries(4):  # nothing new
            usage.record({each.pk: {"pods": ["2", "30"]} for each in seen}, at(start + 110))


def test_an_environment_that_is_gone_meanwhile_holds_up_nobody(make_environment):
    stays, goes = make_environment(), make_environment(name="Goes")
    key = goes.pk
    Environment.objects.filter(pk=key).delete()
    rows = usage.record({stays.pk: {"pods": ["1", "30"]}, key: {"pods": ["1", "30"]}}, at(0))
    assert rows == [stays]


# One pass: how many seconds after (or before) the one before it, what it saw, how often it was delivered.
_STEPS = st.one_of(
    st.integers(1, TOLERANCE),
    st.integers(TOLERANCE + 1, 3 * TOLERANCE),
    st.integers(-TOLERANCE, 0),
    st.integers(-3 * 3600, -TOLERANCE - 1),
)
_PASSES = st.lists(st.tuples(_STEPS, st.integers(0, 40), st.integers(1, 2)), min_size=1, max_size=12)


def model(passes: list[tuple[int, int, int]]) -> dict[int, list[int]]:
    """What each hour should hold, a figure a second, counted second by second."""
    seconds: dict[int, list[int]] = {}
    until: int | None = None
    now = 0
    for step, used, times in passes:
        now += step
        for _ in range(times):
            if until is not None and 0 < now - until <= TOLERANCE:
                for second in range(until, now):
                    hour = seconds.setdefault(second // 3600, [])
                    if len(hour) < 3600:
                        hour.append(used)
            if until is None or now > until or until - now > TOLERANCE:
                until = now
    return {hour: figures for hour, figures in seconds.items() if figures}


@how(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(passes=_PASSES)
def test_the_hours_are_what_counting_second_by_second_gives(make_environment, passes):
    environment = make_environment()
    now = 0
    for step, used, times in passes:
        now += step
        for _ in range(times):
            record(environment, now, pods=[str(used), "40"])
    found = counted(environment)
    expected = {
        hour: (len(figures), {"pods": [sum(figures), max(figures), 40 * len(figures)]})
        for hour, figures in model(passes).items()
    }
    assert found == expected
    environment.delete()


@given(start=st.integers(0, 10**6), length=st.integers(0, 20_000))
def test_splitting_loses_and_doubles_no_second(start, length):
    pieces = list(counting.split(at(start), at(start + length)))
    assert sum(seconds for _, seconds in pieces) == length
    assert all(0 < seconds <= 3600 for _, seconds in pieces)
    assert not [hour for hour, times in Counter(hour for hour, _ in pieces).items() if times > 1]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 60)), max_size=8),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 60)), max_size=8),
)
def test_merging_is_the_same_as_counting_on(first, second):
    def add(sums, steps):
        for used, hard, seconds in steps:
            sums = counting.add(sums, amounts({"pods": [str(used), str(hard)]}), seconds)
        return sums

    assert counting.merge(add({}, first), add({}, second)) == add(add({}, first), second)
