"""What the bench measures on is what the product would have written: its sums agree with each other."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from environments.lib.phases import LIVE, Phase
from environments.models import Consumption, Environment, Usage
from environments.routine.usage.costs import consumption
from environments.routine.usage.counting import merge
from tests.bench import generator

NOW = datetime(2026, 3, 18, 14, 20, tzinfo=UTC)
COLUMNS = [f"{name}_{part}" for name in ("cpu", "memory", "storage", "gpu") for part in ("reserved", "used", "peak")]

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    generator.fill(environments=40, days=45, now=NOW)


def figures(row: Consumption) -> dict[str, int]:
    return {name: getattr(row, name) for name in ("seconds", *COLUMNS)}


def summed(rows: list[Consumption]) -> dict[str, int]:
    columns = {name: [getattr(row, name) for row in rows] for name in ("seconds", *COLUMNS)}
    return {name: max(values) if name.endswith("peak") else sum(values) for name, values in columns.items()}


def test_a_generated_year_agrees_with_itself(company):
    assert Environment.objects.filter(phase__in=LIVE).count() == 40
    assert Usage.objects.filter(span="hour").exists()
    days_are_the_sums_of_their_hours()
    consumption_follows_from_usage()
    weeks_and_months_are_the_sums_of_their_days()
    newest_figures_are_within_the_quota()


def days_are_the_sums_of_their_hours():
    hours = defaultdict(list)
    for row in Usage.objects.filter(span="hour"):
        hours[row.environment_id, row.start.date()].append(row)
    for row in Usage.objects.filter(span="day", start__gte=NOW - timedelta(days=8)):
        parts = hours.pop((row.environment_id, row.start.date()))
        assert row.seconds == sum(part.seconds for part in parts) <= 86400
        sums = {}
        for part in parts:
            sums = merge(sums, part.figures)
        assert sums == row.figures
    assert {day for _, day in hours} <= {(NOW - timedelta(days=8)).date()}


def consumption_follows_from_usage():
    days = {(row.environment_id, row.start): row for row in Consumption.objects.filter(span="day")}
    for row in Usage.objects.filter(span="day"):
        found = days.pop((row.environment_id, row.start.date()))
        assert figures(found) == {"seconds": row.seconds} | consumption(row.figures)
    assert not days


def weeks_and_months_are_the_sums_of_their_days():
    parts: dict[tuple[object, str, date], list[Consumption]] = defaultdict(list)
    for row in Consumption.objects.filter(span="day"):
        parts[row.environment_id, "week", row.start - timedelta(days=row.start.weekday())].append(row)
        parts[row.environment_id, "month", row.start.replace(day=1)].append(row)
    for row in Consumption.objects.exclude(span="day"):
        assert figures(row) == summed(parts.pop((row.environment_id, row.span, row.start)))
    assert not parts


def newest_figures_are_within_the_quota():
    ready = Environment.objects.filter(phase=Phase.READY)
    assert not ready.filter(usage={}).exists()
    assert not ready.exclude(fullest__range=(0, 1)).exists()
