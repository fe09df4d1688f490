"""Charts as geometry: what a template draws as SVG, and the table behind it. Pure; nothing here knows where figures
come from.

    time_chart(...)    lines and areas over time, gaps left open       -> TimeChart
    column_chart(...)  columns side by side for a few labels or months -> ColumnChart
    bar_chart(...)     a bar or two for each of many names             -> BarChart
    spark(...)         a line without axes, beside a figure            -> Spark

The first three are drawn by `{% include "components/chart.html" with chart=… %}`, which gives no heading: the card
around it does. A spark is drawn by `{% include "components/spark.html" with spark=… %}`.

Charts stretch with their card, words in them do not: horizontal places are shares of the width (percent, or thousandths
inside a path), vertical ones are pixels. Everything is an attribute or a class, nothing is a style.
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
