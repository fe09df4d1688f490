"""The pure parts: which rows make up a period, what periods mean, how figures are rounded and written."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.models import Rate
from environments.reports import formats, landing, periods, units
from environments.reports.bills import Prices, money
from environments.reports.overview import percentile
from environments.reports.reading_plan import Contribution, ReadingPlan
from environments.reports.sizing import Need, Size, recommended_size
from environments.reports.spans import SpanRange, SpanRow, fewest_rows, next_month, ranges_covering
from environments.reports.tables import Column, Kind, Link, compared, growth

TODAY = date(2026, 11, 23)  # a Monday
DAY = timedelta(days=1)


def d(text: str) -> date:
    return date.fromisoformat(text)


# Which rows make up a period


@pytest.mark.parametrize(
    ("start", "until", "expected"),
    [
        ("2026-03-03", "2026-03-03", []),
        ("2026-03-03", "2026-03-05", [("day", "2026-03-03", "2026-03-05")]),
        # Last week, Monday to Sunday
        ("2026-11-16", "2026-11-23", [("week", "2026-11-16", "2026-11-23")]),
        ("2026-10-01", "2026-11-01", [("month", "2026-10-01", "2026-11-01")]),
        # The last thirty days: two days and four weeks
        ("2026-10-24", "2026-11-23", [("day", "2026-10-24", "2026-10-26"), ("week", "2026-10-26", "2026-11-23")]),
        # The month and the week under way are whole with today
        ("2026-11-01", "2026-11-24", [("month", "2026-11-01", "2026-11-24")]),
        ("2026-11-23", "2026-11-24", [("week", "2026-11-23", "2026-11-24")]),
        # … but not without today
        ("2026-11-01", "2026-11-23", [("day", "2026-11-01", "2026-11-02"), ("week", "2026-11-02", "2026-11-23")]),
        (
            "2025-12-30",
            "2026-02-02",
            [
                ("day", "2025-12-30", "2026-01-01"),
                ("month", "2026-01-01", "2026-02-01"),
                ("day", "2026-02-01", "2026-02-02"),
            ],
        ),
    ],
)
def test_a_period_is_made_up_of_few_rows(start, until, expected):
    found = ranges_covering(d(start), d(until), today=TODAY)
    assert found == [SpanRange(span, d(first), d(last)) for span, first, last in expected]


def covered(stretch: SpanRange) -> list[date]:
    """The days that a range's rows are the sum of."""
    found, start = [], stretch.first
    while start < stretch.until:
        after = {"day": start + DAY, "week": start + 7 * DAY, "month": next_month(start)}[stretch.span]
        found += [start + number * DAY for number in range((after - start).days)]
        start = after
    return found


DAYS = st.dates(date(2025, 1, 1), TODAY)


@given(DAYS, st.integers(1, 500))
def test_every_day_of_a_period_counts_once(start, length):
    until = min(start + length * DAY, TODAY + DAY)
    ranges = ranges_covering(start, until, today=TODAY)
    days = [day for stretch in ranges for day in covered(stretch) if day <= TODAY]
    assert days == [start + number * DAY for number in range((until - start).days)]
    for stretch in ranges:
        assert stretch.span != "week" or stretch.first.weekday() == 0
        assert stretch.span != "month" or stretch.first.day == 1


def signed(rows) -> dict[date, int]:
    """How often each day counts, after all."""
    found = Counter()
    for row, sign in rows.items():
        for day in covered(SpanRange(row.span, row.start, row.end)):
            found[day] += sign if day <= TODAY else 0
    return {day: times for day, times in found.items() if times}


FREE = st.sets(st.builds(SpanRow, st.just("month"), DAYS.map(lambda day: day.replace(day=1))), max_size=3)


@given(DAYS, st.integers(1, 500), FREE, DAYS)
def test_every_day_of_a_stretch_counts_once_whatever_is_taken_away(start, length, free, kept):
    until = min(start + length * DAY, TODAY + DAY)
    rows = fewest_rows(start, until, free, kept=kept, today=TODAY)
    assert signed(rows) == {start + number * DAY: 1 for number in range((until - start).days)}
    assert all(row.start >= kept for row, sign in rows.items() if sign < 0)
    assert all(row.start.weekday() == 0 for row in rows if row.span == "week")
    assert all(row.start.day == 1 for row in rows if row.span == "month")


@pytest.mark.parametrize(
    ("start", "until", "kept", "expected"),
    [
        ("2026-10-01", "2026-11-01", "2026-01-01", "+month 2026-10-01"),
        ("2026-11-01", "2026-11-24", "2026-01-01", "+month 2026-11-01"),
        ("2026-11-01", "2026-11-23", "2026-01-01", "+month 2026-11-01 -day 2026-11-23"),
        ("2026-09-03", "2026-10-01", "2026-01-01", "+month 2026-09-01 -day 2026-09-01 -day 2026-09-02"),
        # Where days may be deleted, none is taken away.
        ("2026-11-16", "2026-11-22", "2026-11-23", " ".join(f"+day 2026-11-{day}" for day in range(16, 22))),
        ("2026-11-16", "2026-11-22", "2026-01-01", "+week 2026-11-16 -day 2026-11-22"),
        ("2026-11-23", "2026-11-23", "2026-01-01", ""),
    ],
)
def test_a_stretch_takes_few_rows(start, until, kept, expected):
    rows = fewest_rows(d(start), d(until), kept=d(kept), today=TODAY)
    assert {f"{'+' if sign > 0 else '-'}{row.span} {row.start}" for row, sign in rows.items()} == set(
        re.findall(r"\S+ \S+", expected)
    )


@pytest.mark.parametrize(
    ("boundary", "more"),
    [
        ("2026-04-01", set()),  # on the first of a month: nothing more
        ("2026-04-03", {"day 2026-04-01", "day 2026-04-02"}),
        ("2026-04-29", {"day 2026-04-29", "day 2026-04-30"}),
        ("2026-04-13", {"week 2026-03-30", "week 2026-04-06", "day 2026-03-30", "day 2026-03-31"}),
    ],
)
def test_a_rate_that_begins_inside_of_a_month_costs_rows_of_its_clusters_alone(boundary, more):
    reading = ReadingPlan(
        [(d("2026-03-01"), d("2026-04-01")), (d("2026-04-01"), d("2026-05-01"))], {7: (d(boundary),)}, TODAY
    )
    months = {SpanRow("month", d("2026-03-01")), SpanRow("month", d("2026-04-01"))}
    assert reading.default.keys() == months
    assert {f"{row.span} {row.start}" for row in reading.by_cluster[7].keys() - months} == more
    april = reading.contributions(8, SpanRow("month", d("2026-04-01")))
    assert april == [Contribution(1, d("2026-04-01"), 1)]


# Periods


@pytest.mark.parametrize(
    ("period", "start", "last", "before", "words", "running"),
    [
        (periods.rolling(7, TODAY), "2026-11-16", "2026-11-22", "2026-11-09", "16 to 22 November 2026", False),
        (
            periods.rolling(30, TODAY),
            "2026-10-24",
            "2026-11-22",
            "2026-09-24",
            "24 October to 22 November 2026",
            False,
        ),
        (periods.month(TODAY, TODAY), "2026-11-01", "2026-11-23", "2026-10-01", "1 to 23 November 2026", True),
        (periods.last_month(TODAY), "2026-10-01", "2026-10-31", "2026-09-01", "1 to 31 October 2026", False),
        (periods.year(2026, TODAY), "2026-01-01", "2026-11-23", "2025-01-01", "1 January to 23 November 2026", True),
        (
            periods.custom(d("2025-12-31"), d("2026-01-01"), TODAY),
            "2025-12-31",
            "2026-01-01",
            "2025-12-29",
            "31 December 2025 to 1 January 2026",
            False,
        ),
        (periods.custom(d("2026-11-20"), d("2027-01-31"), TODAY), "2026-11-20", "2026-11-23", "2026-11-16", None, True),
    ],
)
def test_a_period_has_its_days_and_those_it_is_compared_with(period, start, last, before, words, running):
    assert (period.start, period.last, period.before[0]) == (d(start), d(last), d(before))
    assert period.is_running is running
    assert words is None or period.words == words


def test_a_month_under_way_is_compared_with_the_same_days_of_the_month_before():
    assert periods.month(TODAY, TODAY).before == (d("2026-10-01"), d("2026-10-24"))
    # February has fewer days than March has seen
    assert periods.month(d("2026-03-31"), d("2026-03-30")).before == (d("2026-02-01"), d("2026-03-01"))
    assert periods.month(d("2026-10-05"), TODAY).before == (d("2026-09-01"), d("2026-10-01"))


# Figures


@pytest.mark.parametrize(
    ("part", "whole", "digits", "expected"),
    [
        (1, 8, 2, "0.13"),
        (1, 3, 2, "0.33"),
        (2, 3, 0, "1"),
        (5, 10, 0, "1"),
        (-5, 10, 0, "-1"),
        (0, 7, 2, "0.00"),
        (10**30 + 5 * 10**28, 10**30, 1, "1.1"),
    ],
)
def test_figures_are_rounded_half_up_from_integers(part, whole, digits, expected):
    assert str(units.quotient(part, whole, digits)) == expected


@given(st.integers(0, 10**24), st.integers(1, 10**15), st.integers(0, 4))
def test_rounding_is_never_off_by_more_than_half_a_digit(part, whole, digits):
    shown = units.quotient(part, whole, digits)
    assert abs(2 * int(shown.scaleb(digits)) * whole - 2 * part * 10**digits) <= whole


def test_hours_and_amounts_come_from_the_units_of_the_record():
    assert units.core_hours(1500 * 3600) == Decimal("1.5")
    assert units.gib_hours(2560 * 3600) == Decimal("2.5")
    assert units.gpu_hours(2 * 86400) == Decimal("48.0")
    assert (units.cores(250), units.gib(1536)) == (Decimal("0.25"), Decimal("1.50"))
    assert units.percent(1, 3) == Decimal("33.3")
    assert units.percent(1, 0) is None


def test_a_figure_says_how_it_changed_only_where_there_is_something_to_compare():
    money_column = Column("", Kind.MONEY)
    figure = compared("Cost", money_column, Decimal("110.00"), Decimal("100.00"))
    assert (figure.change, figure.percent) == (Decimal("10.00"), Decimal("10.0"))
    assert compared("Cost", money_column, Decimal(1), None).change is None
    assert growth(5, 0) is None
    assert growth(0, 4) == Decimal("-100.0")


@pytest.mark.parametrize(("percent", "expected"), [(50, "2.0"), (95, "4.0"), (25, "1.0")])
def test_percentiles_are_figures_that_occurred(percent, expected):
    assert percentile([1000, 2000, 3000, 4000], percent) == Decimal(expected)


def test_without_figures_there_is_no_percentile():
    assert percentile([], 50) is None


# Money


def rate(starts_on, cluster=1, **hours):
    return Rate(cluster_id=cluster, starts_on=d(starts_on), **{k: Decimal(v) for k, v in hours.items()})


def test_the_rate_in_force_is_the_newest_that_has_begun():
    prices = Prices([rate("2026-04-01", cpu_hour="2"), rate("2026-01-01", cpu_hour="1")])
    assert prices.on(1, d("2025-12-31")) is None
    assert prices.on(2, d("2026-05-01")) is None
    assert [prices.on(1, d(day)).hour["cpu"] for day in ("2026-01-01", "2026-03-31", "2026-04-01", "2026-12-31")] == [
        *(1_000_000, 1_000_000, 2_000_000, 2_000_000)
    ]
    assert prices.boundaries([(d("2026-01-01"), d("2026-04-02"))]) == {1: (d("2026-04-01"),)}
    assert prices.boundaries([(d("2026-04-01"), d("2026-05-01"))]) == {}


def test_an_hour_of_each_resource_costs_its_rate():
    hours = {"cpu_hour": "0.031", "memory_hour": "0.0045", "storage_hour": "0.0001", "gpu_hour": "1.25"}
    price = Prices([rate("2026-01-01", **hours)]).on(1, TODAY)
    assert money(price.of("cpu", 1000 * 3600) * 1000) == Decimal("31.00")
    assert money(price.of("memory", 1024 * 3600) * 1000) == Decimal("4.50")
    assert money(price.of("storage", 1024 * 3600) * 1000) == Decimal("0.10")
    assert money(price.of("gpu", 3600) * 1000) == Decimal("1250.00")


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.integers(0, 10**8))
def test_money_is_exact_however_it_is_added_up(amounts, micro):
    price = Prices([rate("2026-01-01", cpu_hour=Decimal(micro).scaleb(-6))]).on(1, TODAY)
    assert sum(price.of("cpu", amount) for amount in amounts) == price.of("cpu", sum(amounts))


# Sizes

SIZES = (Size("Small", 500, 1024), Size("Medium", 1000, 2048), Size("Large", 4000, 4096, storage=10240))


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (Need(0, 0, 0), "Small"),
        (Need(500, 1024, 0), "Small"),
        (Need(501, 10, 0), "Medium"),
        (Need(100, 2049, 0), "Large"),
        (Need(100, 4097, 0), None),
    ],
)
def test_the_recommended_size_is_the_smallest_that_covers_the_need(need, expected):
    found = recommended_size(SIZES, need)
    assert (found.label if found else None) == expected


def test_a_size_with_too_little_storage_does_not_do():
    assert recommended_size((Size("Large", 4000, 4096, storage=1024),), Need(1, 1, 1025)) is None


def test_where_there_are_no_sizes_figures_are_proposed():
    assert recommended_size((), Need(610, 1300, 0)) == Size("0.7 cores, 1.5 GiB", 700, 1536)
    assert recommended_size((), Need(0, 0, 0)) == Size("0.1 cores, 0.25 GiB", 100, 256)


def test_headroom_above_the_peak_is_rounded_up():
    assert Need.at_peak(1, 100, 0, 20) == Need(2, 120, 0)


# Cells


@pytest.mark.parametrize(
    ("column", "cell", "page", "csv"),
    [
        (Column("", Kind.INTEGER), 12345, "12,345", "12345"),
        (Column("", Kind.DECIMAL, digits=1), Decimal("924444.0"), "924,444.0", "924444.0"),
        (Column("", Kind.DECIMAL, digits=1), Decimal("-1.5"), "−1.5", "-1.5"),
        (Column("", Kind.PERCENT), Decimal("66.1"), "66.1 %", "66.1"),
        (Column("", Kind.MONEY), Decimal("1209.60"), "1,209.60 EUR", "1209.60"),
        (Column("", Kind.MONEY, missing="No rate"), None, "No rate", ""),
        (Column("", Kind.DATE), date(2026, 11, 2), "2 November 2026", "2026-11-02"),
        (
            Column("", Kind.MOMENT),
            datetime(2026, 11, 2, 9, 5, tzinfo=UTC),
            "2 November 2026, 09:05",
            "2026-11-02T09:05:00Z",
        ),
        (Column("", Kind.LINK), Link("Checkout", "/x/"), "Checkout", "Checkout"),
    ],
)
def test_a_cell_is_written_for_people_and_for_programs(column, cell, page, csv):
    assert (formats.on_page(column, cell, "EUR"), formats.in_csv(column, cell)) == (page, csv)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "  ="])
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(begin):
    assert formats.harmless(f"{begin}cmd|'/c calc'!A1") == f"'{begin}cmd|'/c calc'!A1"
    assert formats.in_csv(Column("", Kind.LINK), Link(f"{begin}1", "")) == f"'{begin}1"


def test_other_texts_and_negative_numbers_stay_as_they_are():
    assert formats.harmless("Checkout = refunds") == "Checkout = refunds"
    assert formats.in_csv(Column("", Kind.INTEGER), -5) == "-5"


# What is said


@pytest.mark.parametrize(
    ("count", "reclaimable", "said"),
    [
        (1, "0.00", "1 environment is idle (under 10 % for 14 days)"),
        (
            12,
            "1204.50",
            "12 environments are idle (under 10 % for 14 days); with oversized ones, 1,204.50 cores can be reclaimed",
        ),
    ],
)
def test_the_cores_to_reclaim_are_said_if_there_are_any(count, reclaimable, said):
    assert landing.idle_text(count, Decimal(reclaimable)) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 request is waiting for your decision (since 3 November 2026)"),
        (1200, "1,200 requests are waiting for your decision (oldest from 3 November 2026)"),
    ],
)
def test_pending_requests_are_said_with_the_oldest(count, said):
    assert landing.pending_text(count, datetime(2026, 11, 3, 23, 59, tzinfo=UTC)) == said
