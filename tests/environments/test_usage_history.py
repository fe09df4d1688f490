"""Reading usage for a chart: own units, gaps as missing points, one query."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from environments.models import Span, Usage
from environments.routine.usage import Point, history

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 29, 10, 20, tzinfo=UTC)
HOUR = datetime(2026, 3, 29, 10, tzinfo=UTC)
GIB = 2**30


def record(environment, start, *, span=Span.HOUR, seconds=3600, **figures):
    rows = {name.replace("__", "."): row for name, row in figures.items()}
    return Usage.objects.create(environment=environment, span=span, start=start, seconds=seconds, figures=rows)


def test_each_resource_is_told_in_its_own_unit(make_environment):
    environment = make_environment()
    record(
        environment,
        HOUR,
        seconds=1200,
        requests__cpu=[250 * 1200, 500, 1000 * 1200],
        requests__memory=[GIB * 1200 // 2, GIB, 2 * GIB * 1200],
        pods=[3 * 1200, 5, 30 * 1200],
    )
    assert history(environment, hours=24, now=NOW) == {
        "requests.cpu": [Point(HOUR, 1200, Decimal("0.25"), Decimal("0.5"), Decimal(1))],
        "requests.memory": [Point(HOUR, 1200, Decimal(GIB) / 2, Decimal(GIB), Decimal(2 * GIB))],
        "pods": [Point(HOUR, 1200, Decimal(3), Decimal(5), Decimal(30))],
    }


def test_what_was_not_observed_has_no_point(make_environment):
    environment = make_environment()
    for hours_ago in (0, 2):
        record(environment, HOUR - timedelta(hours=hours_ago), pods=[3600, 1, 7200])
    record(environment, HOUR - timedelta(hours=1), seconds=0, pods=[0, 0, 0])
    points = history(environment, hours=24, now=NOW)["pods"]
    assert [point.start for point in points] == [HOUR - timedelta(hours=2), HOUR]


@pytest.mark.parametrize(
    ("asked", "span", "oldest"),
    [
        ({"hours": 24}, Span.HOUR, HOUR - timedelta(hours=23)),
        ({"hours": 168}, Span.HOUR, HOUR - timedelta(hours=167)),
        ({"days": 7}, Span.HOUR, HOUR - timedelta(hours=167)),
        ({"days": 30}, Span.DAY, datetime(2026, 2, 28, tzinfo=UTC)),
        ({"days": 90}, Span.DAY, datetime(2025, 12, 30, tzinfo=UTC)),
    ],
)
def test_a_window_has_as_many_spans_as_its_name_says(make_environment, asked, span, oldest):
    environment = make_environment()
    step = timedelta(hours=1) if span == Span.HOUR else timedelta(days=1)
    for each in Span:
        record(environment, oldest, span=each, pods=[3600 if each == span else 0, 1, 7200])
    record(environment, oldest - step, span=span, pods=[3600, 1, 7200])
    assert history(environment, now=NOW, **asked) == {"pods": [Point(oldest, 3600, Decimal(1), Decimal(1), Decimal(2))]}


def test_it_takes_one_query(make_environment, django_assert_num_queries):
    environment = make_environment()
    for hours_ago in range(30):
        record(environment, HOUR - timedelta(hours=hours_ago), pods=[3600, 1, 7200])
    other = make_environment(name="Other")
    record(other, HOUR, secrets=[1, 1, 1])
    with django_assert_num_queries(1):
        found = history(environment, hours=24, now=NOW)
    assert list(found) == ["pods"]
    assert len(found["pods"]) == 24
