"""Charts as geometry: the SVG that a template draws, and the table with the data. Pure: figures come from the caller.

    time_chart(...)    lines and areas over time, with gaps            -> TimeChart
    column_chart(...)  columns side by side for months or other periods -> ColumnChart
    bar_chart(...)     a bar or two for each of many names             -> BarChart
    spark(...)         a line without axes, beside a figure            -> Spark

`{% include "components/chart.html" with chart=… %}` draws the first three, without a heading: the card around the chart
has one. The filter `quota_bars` (templatetags/environment_ui.py) draws a spark.

Charts stretch with their card, but their text does not: horizontal positions are shares of the width (percent, or
thousandths inside a path), vertical positions are pixels. There are no inline styles, only attributes and classes.
"""

from environments.lib.charts.columns import ColumnSeries, bar_chart, column_chart
from environments.lib.charts.parts import BarChart, Chart, ColumnChart, Look, Reading, Series, Spark, TimeChart, Units
from environments.lib.charts.times import spark, time_chart

__all__ = [
    "BarChart",
    "Chart",
    "ColumnChart",
    "ColumnSeries",
    "Look",
    "Reading",
    "Series",
    "Spark",
    "TimeChart",
    "Units",
    "bar_chart",
    "column_chart",
    "spark",
    "time_chart",
]
