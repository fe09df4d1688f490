"""Column charts for periods, and bar charts for names."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from environments.lib.charts.axes import axis_lines, down, px
from environments.lib.charts.parts import (
    HEIGHT,
    NO_DATA,
    NO_DATA_FOR_PERIOD,
    ROOM_ABOVE,
    Bar,
    BarChart,
    BarRow,
    Column,
    ColumnChart,
    LegendEntry,
    Look,
    Table,
    Tick,
    Units,
)

_MOST_LABELS = 6  # column labels that fit on a phone

#: A name, a look, and a value for each label; None is no data.
ColumnSeries = tuple[str, Look, Sequence[Decimal | None]]


def column_chart(
    key: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[ColumnSeries],
    units: Units,
    *,
    names: Sequence[str] = (),
) -> ColumnChart:
    """Return a chart with one column of each series for each label, side by side. Use it for periods.

    Labels are short, for the axis. `names` are the same in full, for the table and the tooltips.
    """
    names = names or labels
    most = max((value for *_, values in series for value in values if value is not None), default=Decimal(0))
    ticks = axis_lines(most, units)
    return ColumnChart(
        key=key,
        title=title,
        description=_describe_columns(names, series, units),
        legend=[LegendEntry(look, name) for name, look, _ in series],
        table=_column_table(names, series, units),
        y_ticks=[Tick(px(ROOM_ABOVE + down(value, ticks[-1])), units.text(value) if value else "0") for value in ticks],
        x_ticks=_labels_below(labels),
        columns=list(_columns(names, series, ticks[-1], units)),
    )


def bar_chart(
    key: str,
    title: str,
    heading: str,
    rows: Sequence[tuple[str, Sequence[Decimal | None]]],
    series: Sequence[tuple[str, Look]],
    units: Units,
    *,
    links: Sequence[str] = (),
) -> BarChart:
    """Return a chart with a row for each name and one bar of each series, all on one scale.

    `heading` is the heading of the names; `links` are their addresses, row by row. Rows keep their order.
    """
    most = max((value for _, values in rows for value in values if value is not None), default=Decimal(0)) or Decimal(1)
    return BarChart(
        key=key,
        title=title,
        description="",
        legend=[LegendEntry(look, name) for name, look in series],
        table=Table([heading, *(name for name, _ in series)], [_cells(name, values, units) for name, values in rows]),
        rows=[
            BarRow(
                name,
                [
                    Bar(px(float((value or 0) / most) * 100), look, NO_DATA if value is None else units.text(value))
                    for value, (_, look) in zip(values, series, strict=True)
                ],
                links[index] if links else "",
            )
            for index, (name, values) in enumerate(rows)
        ],
    )


def _describe_columns(labels: Sequence[str], series: Sequence[ColumnSeries], units: Units) -> str:
    """Describe the highest column of each series."""
    said = []
    for name, _, values in series:
        known = [(value, labels[index]) for index, value in enumerate(values) if value is not None]
        if known:
            most, label = max(known, key=lambda pair: pair[0])
            said.append(f"{name}: highest {units.text(most)}, {label}.")
    return " ".join(said) or NO_DATA_FOR_PERIOD


def _column_table(labels: Sequence[str], series: Sequence[ColumnSeries], units: Units) -> Table:
    rows = [_cells(label, [values[index] for *_, values in series], units) for index, label in enumerate(labels)]
    return Table(["Period", *(name for name, *_ in series)], rows)


def _cells(name: str, values: Sequence[Decimal | None], units: Units) -> list[str]:
    return [name, *(NO_DATA if value is None else units.text(value) for value in values)]


def _columns(names: Sequence[str], series: Sequence[ColumnSeries], most: Decimal, units: Units) -> Iterator[Column]:
    """Yield the columns series by series. A quarter of the width between labels stays free."""
    group = 100 / (len(names) or 1)
    width = group * 0.75 / (len(series) or 1)
    for position, (name, look, values) in enumerate(series):
        for index, value in enumerate(values):
            if value is None:
                continue
            y = down(value, most)
            yield Column(
                x=px(index * group + group * 0.125 + position * width),
                width=px(width * 0.92),
                y=px(ROOM_ABOVE + y),
                height=px(HEIGHT - y),
                look=look,
                text=f"{names[index]}: {name.lower()} {units.text(value)}",
            )


def _labels_below(labels: Sequence[str]) -> list[Tick]:
    """Return as many labels as fit, counted from the end, so that the newest column has one."""
    every = -(-len(labels) // _MOST_LABELS) or 1
    group = 100 / (len(labels) or 1)
    shown = [index for index in range(len(labels)) if (len(labels) - 1 - index) % every == 0]
    return [Tick(px((index + 0.5) * group), labels[index]) for index in shown]
