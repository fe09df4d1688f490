"""Scales, the grid lines of a value axis, and the labels of a time axis."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from environments.lib.charts.parts import CACHE_SIZE, HEIGHT, Tick, Units

WIDE = 1000  # the width of a path
_STEPS = 4  # at most this many lines above zero
_MOST_TICKS = 7  # labels of the time axis that fit on a phone
_EDGE = 96.5  # percent: a label further right would be cut off


@dataclass(frozen=True)
class Scale:
    """Converts times and figures to positions in a path."""

    begin: datetime
    end: datetime
    most: Decimal
    width: int = WIDE
    height: int = HEIGHT

    def across(self, begin: datetime, end: datetime) -> tuple[float, float, float]:
        """Return the begin, middle and end of a span as distances from the left, clamped to the period."""
        left, middle, right = _shares(begin, end, self.begin, self.end)
        return self.width * left, self.width * middle, self.width * right

    def y(self, value: Decimal) -> float:
        """Return the distance from the top in pixels."""
        return down(value, self.most, self.height)


@lru_cache(maxsize=CACHE_SIZE)
def _shares(begin: datetime, end: datetime, first: datetime, last: datetime) -> tuple[float, float, float]:
    """Return the begin, middle and end of a span as shares, from 0 to 1, of the time between two moments."""
    moments = (begin, begin + (end - begin) / 2, end)
    left, middle, right = (min(1.0, max(0.0, (moment - first) / (last - first))) for moment in moments)
    return left, middle, right


def down(value: Decimal, most: Decimal, height: int = HEIGHT) -> float:
    """Return how many pixels a figure is below the top of the axis, which is `most`."""
    return height * (1 - float(value / most))


def px(number: float) -> str:
    """Return a number for an attribute, with at most two decimals and a point in every language."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def axis_lines(most: Decimal, units: Units) -> list[Decimal]:
    """Return the grid lines of an axis from zero: round figures, the last at or above `most`."""
    step = _step(most / _STEPS, units)
    count = int((most / step).to_integral_value(ROUND_CEILING)) or 1
    return [step * number for number in range(count + 1)]


def _step(least: Decimal, units: Units) -> Decimal:
    """Return the smallest round step that is at least `least`."""
    if least <= 0:
        return Decimal(1)
    if units.is_binary:
        step = Decimal(1)
        while step < least:
            step *= 2
        return step
    power = Decimal(10) ** least.adjusted()
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    return max(step, Decimal(1)) if units.is_whole else step


def time_ticks(begin: datetime, end: datetime) -> list[Tick]:
    """Return the ticks of the time axis, as many as fit on a phone. A tick too close to the end has no label."""
    ticks = []
    for moment, text in _labelled_times(begin, end):
        share = 100 * ((moment - begin) / (end - begin))
        ticks.append(Tick(px(share), text if share <= _EDGE else ""))
    return ticks


def _labelled_times(begin: datetime, end: datetime) -> list[tuple[datetime, str]]:
    length = end - begin
    for hours in (1, 2, 3, 4, 6, 12):
        if length <= timedelta(hours=hours) * _MOST_TICKS:
            midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
            found = _every(midnight, timedelta(hours=hours), begin, end)
            return [(each, f"{each:%H:%M}" if each.hour else f"{each:%-d %b}") for each in found]
    for days in (1, 2, 7, 14):
        if length <= timedelta(days=days) * _MOST_TICKS:
            found = _every(_monday(begin), timedelta(days=days), begin, end)
            return [(each, f"{each:%a %-d}" if days == 1 else f"{each:%-d %b}") for each in found]
    return _months(begin, end)


def _monday(moment: datetime) -> datetime:
    monday = moment - timedelta(days=moment.weekday())
    return monday.replace(hour=0, minute=0, second=0, microsecond=0)


def _every(first: datetime, step: timedelta, begin: datetime, end: datetime) -> list[datetime]:
    found = []
    while first <= end:
        if first >= begin:
            found.append(first)
        first += step
    return found


def _months(begin: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Return the first days of months, at regular intervals. January is labelled with the year."""
    count = (end.year - begin.year) * 12 + end.month - begin.month
    every = next((step for step in (1, 2, 3, 6) if count <= step * _MOST_TICKS), 12)
    found = []
    for number in range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month):
        year, month = divmod(number, 12)
        first = datetime(year, month + 1, 1, tzinfo=begin.tzinfo)
        if month % every == 0 and begin <= first <= end:
            found.append((first, f"{first:%b}" if month else f"{first:%Y}"))
    return found
