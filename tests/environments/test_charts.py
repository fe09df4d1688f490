"""Charts as geometry: scales that people can read, gaps that stay open, and a table that says the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.template.loader import render_to_string

from environments.lib import quantities
from environments.lib.charts import Reading, Series, Units, bar_chart, column_chart, spark, time_chart

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GIB = 1024**3
CORES = Units(lambda value: quantities.human("cpu", value))
BYTES = Units(lambda value: quantities.human("memory", value), is_binary=True)
THINGS = Units(lambda value: quantities.human("pods", value), is_whole=True)


def readings(values, begin=NOON - 4 * HOUR, step=HOUR):
    """One reading after another; None is a gap."""
    return [
        Reading(begin + step * number, begin + step * (number + 1), Decimal(str(value)))
        for number, value in enumerate(values)
        if value is not None
    ]


def chart(values, *, look="line", units=CORES, begin=NOON - 4 * HOUR, end=NOON, limit=None):
    series = [Series("Average", look, readings(values))]
    if limit is not None:
        series.append(Series("Limit", "limit", readings([limit] * len(values))))
    return time_chart("c", "CPU", series, begin=begin, end=end, units=units)


def path(found, look):
    return next(each.d for each in found.paths if each.look == look)


@pytest.mark.parametrize(
    ("most", "units", "labels"),
    [
        ("4", CORES, ["0", "1 core", "2 cores", "3 cores", "4 cores"]),
        ("0.73", CORES, ["0", "200m", "400m", "600m", "800m"]),
        ("1", CORES, ["0", "500m", "1 core"]),
        ("1100", CORES, ["0", "500 cores", "1000 cores", "1500 cores"]),
        (2 * GIB, BYTES, ["0", "512 MiB", "1 GiB", "1.5 GiB", "2 GiB"]),
        (int(1.1 * GIB), BYTES, ["0", "512 MiB", "1 GiB", "1.5 GiB"]),
        ("1", THINGS, ["0", "1"]),
        ("3", THINGS, ["0", "1", "2", "3"]),
        ("50", THINGS, ["0", "20", "40", "60"]),
        ("0", THINGS, ["0", "1"]),
    ],
)
def test_an_axis_has_few_lines_at_readable_figures(most, units, labels):
    assert [tick.text for tick in chart([most], units=units).y_ticks] == labels


def test_zero_is_the_base_and_the_top_line_the_top():
    found = chart([4])
    assert (found.y_ticks[0].at, found.y_ticks[-1].at) == (str(found.base), str(found.above))


def test_a_line_goes_through_the_middle_of_each_hour_and_on_to_the_ends():
    assert path(chart([1, 2, 4, 4]), "line") == "M0 120L125 120L375 80L625 0L1000 0"


def test_a_gap_is_left_open_and_nothing_falls_to_zero():
    found = chart([4, None, None, 4])
    assert path(found, "line") == "M0 0L250 0 M750 0L1000 0"
    assert "160" not in path(found, "line")


def test_a_single_hour_is_a_dash():
    assert path(chart([None, 2, None, None]), "line") == "M250 0L500 0"


def test_an_area_stands_on_zero_under_each_piece():
    area = path(chart([4, None, None, 4], look="area"), "area")
    assert area == "M0 0L250 0L250 160L0 160Z M750 0L1000 0L1000 160L750 160Z"


def test_a_limit_changes_in_steps():
    series = [Series("Limit", "limit", readings([1, 1, 2, 2]))]
    found = time_chart("c", "CPU", series, begin=NOON - 4 * HOUR, end=NOON, units=CORES)
    assert path(found, "limit") == "M0 80L500 80L500 0L1000 0"


def test_a_limit_that_would_flatten_everything_is_left_out_and_named():
    found = chart(["0.1"], limit=100)
    assert [each.look for each in found.paths] == ["line"]
    assert found.note == "The limit of 100 cores is above the chart."
    assert found.table.rows[0][-1] == "100 cores"


def test_a_limit_without_any_use_is_drawn():
    assert {each.look for each in chart([0], limit=100).paths} == {"line", "limit"}


def test_what_is_outside_of_the_period_is_cut_off():
    found = chart([1, 1, 1, 1], begin=NOON - 2 * HOUR)
    assert path(found, "line").startswith("M0 ")


def test_the_table_has_every_span_newest_first_and_a_row_for_each_gap():
    table = chart([1, None, None, 2], limit=4).table
    assert table.headings == ["Time", "Average", "Limit"]
    assert table.rows == [
        ["23 November 2026, 11:00", "2 cores", "4 cores"],
        ["23 November 2026, 10:00", "no data", "4 cores"],
        ["23 November 2026, 09:00", "no data", "4 cores"],
        ["23 November 2026, 08:00", "1 core", "4 cores"],
    ]
    gap = chart([1, None, None, 2]).table.rows[1]
    assert gap == ["23 November 2026, 09:00 to 11:00", "no data"]


@pytest.mark.parametrize(
    ("days", "said"), [(1, "2 June 2026"), (3, "2 June 2026 to 4 June 2026")], ids=["one day", "three days"]
)
def test_a_gap_of_whole_days_is_named_by_its_first_and_last_day(days, said):
    begin = datetime(2026, 6, 1, tzinfo=UTC)
    series = [Series("Used", "line", readings([1, *[None] * days, 1], begin, DAY))]
    rows = time_chart("c", "t", series, begin=begin, end=begin + 9 * DAY, units=CORES).table.rows
    assert [name for name, _ in rows][1] == said


def test_a_strip_tells_each_span():
    found = chart([1, 2], limit=4)
    assert found.strips[1].text == "23 November 2026, 09:00: average 2 cores, limit 4 cores"
    assert (found.strips[1].x, found.strips[1].width) == ("25", "25")


def test_the_description_says_range_and_gaps():
    said = "Average: 1 core to 3 cores, last 2 cores. 1 gap in the data."
    assert chart([1, None, 3, 2]).description == said
    assert chart([2, 2]).description == "Average: 2 cores throughout."


def test_without_readings_it_is_empty_and_says_so():
    found = chart([])
    assert found.is_empty
    assert found.description == "No data for this period."


@pytest.mark.parametrize(
    ("begin", "labels"),
    [
        (NOON - DAY, ["12:00", "16:00", "20:00", "23 Nov", "04:00", "08:00", ""]),
        (NOON - 7 * DAY, ["Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22", "Mon 23"]),
        (NOON - 30 * DAY, ["26 Oct", "2 Nov", "9 Nov", "16 Nov", ""]),
        (NOON - 90 * DAY, ["7 Sep", "21 Sep", "5 Oct", "19 Oct", "2 Nov", "16 Nov"]),
        (NOON - 365 * DAY, ["2026", "Mar", "May", "Jul", "Sep", "Nov"]),
        (NOON - 3 * 365 * DAY, ["2024", "Jul", "2025", "Jul", "2026", "Jul"]),
    ],
)
def test_the_time_axis_has_few_readable_labels(begin, labels):
    found = [tick.text for tick in chart([1], begin=begin).x_ticks]
    assert [text for text in found if text] == [text for text in labels if text]
    assert len(found) <= 7


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (HOUR, "1 June 2026, 00:00"),
        (DAY, "Monday, 1 June 2026"),
        (7 * DAY, "Week of 1 June 2026"),
        (30 * DAY, "June 2026"),
    ],
)
def test_a_span_is_named_after_its_length(step, said):
    begin = datetime(2026, 6, 1, tzinfo=UTC)
    series = [Series("Used", "line", readings([1], begin, step))]
    assert time_chart("c", "t", series, begin=begin, end=begin + step, units=CORES).table.rows[0][0] == said


def test_columns_stand_side_by_side_on_one_scale():
    series = [("Reserved", "soft", [Decimal(8), None]), ("Used", "line", [Decimal(4), Decimal(2)])]
    found = column_chart("c", "Hours", ["October", "November"], series, THINGS)
    assert [(each.look, each.height, each.text) for each in found.columns] == [
        ("soft", "160", "October: reserved 8"),
        ("line", "80", "October: used 4"),
        ("line", "40", "November: used 2"),
    ]
    assert float(found.columns[0].x) + float(found.columns[0].width) <= float(found.columns[1].x)
    assert found.table.rows == [["October", "8", "4"], ["November", "no data", "2"]]
    assert [tick.text for tick in found.x_ticks] == ["October", "November"]


def test_of_many_columns_the_newest_is_named():
    labels = [f"week {number}" for number in range(13)]
    found = column_chart("c", "t", labels, [("Used", "line", [Decimal(1)] * 13)], THINGS)
    assert [tick.text for tick in found.x_ticks] == ["week 0", "week 3", "week 6", "week 9", "week 12"]


def test_a_column_has_a_short_label_below_it_and_its_full_name_in_the_table():
    series = [("Used", "line", [Decimal(4), Decimal(2)])]
    found = column_chart("c", "t", ["Oct", "Nov"], series, THINGS, names=["October 2026", "November 2026, so far"])
    assert [tick.text for tick in found.x_ticks] == ["Oct", "Nov"]
    assert [row[0] for row in found.table.rows] == ["October 2026", "November 2026, so far"]
    assert found.columns[1].text == "November 2026, so far: used 2"


def test_bars_share_one_scale_and_say_their_figures():
    rows = [("Checkout", [Decimal(8), Decimal(2)]), ("Search", [Decimal(4), None])]
    found = bar_chart("b", "Hours", "Team", rows, [("Reserved", "soft"), ("Used", "line")], THINGS, links=["/a", "/b"])
    assert [(row.name, row.href, [(bar.width, bar.text) for bar in row.bars]) for row in found.rows] == [
        ("Checkout", "/a", [("100", "8"), ("25", "2")]),
        ("Search", "/b", [("50", "4"), ("0", "no data")]),
    ]


@pytest.mark.parametrize("rows", [[], [("Nobody", [Decimal(0)])]])
def test_bars_of_nothing_have_no_width(rows):
    found = bar_chart("b", "t", "Team", rows, [("Used", "line")], THINGS)
    assert [bar.width for row in found.rows for bar in row.bars] == ["0"] * len(rows)


def test_a_spark_has_its_limit_at_the_top():
    found = spark(readings([1, 2]), begin=NOON - 4 * HOUR, end=NOON, limit=Decimal(4))
    assert found.line == "M0 18L12.5 18L37.5 12L50 12"
    assert spark([], begin=NOON - HOUR, end=NOON, limit=Decimal(4)) is None
    assert spark(readings([1]), begin=NOON - 4 * HOUR, end=NOON, limit=Decimal(4)) is None  # it would be a dash


def test_what_a_chart_says_is_escaped_and_nothing_is_inline():
    hostile = "<script>alert(1)</script>"
    columns = column_chart("c", hostile, [hostile], [(hostile, "line", [Decimal(1)])], Units(lambda _: hostile))
    bars = bar_chart("b", hostile, hostile, [(hostile, [Decimal(1)])], [(hostile, "line")], Units(lambda _: hostile))
    for found in (chart([1, 2], units=Units(lambda _: hostile)), columns, bars):
        page = render_to_string("components/chart.html", {"chart": found})
        assert "<script" not in page
        assert "style=" not in page
        assert "&lt;script&gt;" in page
