"""A year of usage in the shape and the order in which the product writes it: hour by hour, day by day.

The newest days come from their hours; the weeks and months of `Consumption` are the sums of its days.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from environments.models import Consumption, Usage
from tests.bench import bulk
from tests.bench.grants import Rhythm
from tests.bench.population import Account, hour_number

HOUR_DAYS = 9  # days of which the hours are kept
_DAY, _HOUR = 86400, 3600
_QUIET_DAY, _QUIET_CLUSTER = 100, 4  # days ago; a cluster that was not observed at all on that day
_HALF_DAY, _HALF_CLUSTER = 40, 2  # and one that was out of reach for six hours
_USAGE = ("environment_id", "span", "start", "seconds", "figures")
_PARTS = ("reserved", "used", "peak")
_CONSUMPTION = (
    *("environment_id", "span", "start", "seconds"),
    *(f"{name}_{part}" for name in ("cpu", "memory", "storage", "gpu") for part in _PARTS),
)

#: Of one span: observed seconds, unit-seconds in use and the peak of each moving resource.
Span = tuple[int, list[int], list[int]]
_NOTHING: Span = (0, [], [])


class Writer:
    """Writes the history of many accounts, a day of all of them at a time: memory stays bounded."""

    def __init__(self, rhythm: Rhythm, accounts: list[Account], now: datetime) -> None:
        self.rhythm, self.accounts, self.now = rhythm, accounts, now
        self._keys = [bulk.stored(Usage, "environment", account.pk) for account in accounts]
        self._texts: dict[tuple[int, int], str] = {}

    def write(self, days: int) -> None:
        """So many days up to now."""
        today = datetime.combine(self.now.date(), datetime.min.time(), UTC)
        for ago in range(days, -1, -1):
            start = today - timedelta(days=ago)
            spans = self._day_of_hours(start, ago) if ago < HOUR_DAYS else self._day(start, ago)
            self._write_day(start, [(number, span) for number, span in enumerate(spans) if span[0]])
        self._write_weeks(today.date())
        self._write_months(today.date())

    def _day(self, start: datetime, ago: int) -> list[Span]:
        number = hour_number(start) // 24
        return [self._span_of_day(account, start, ago, number) for account in self.accounts]

    def _span_of_day(self, account: Account, start: datetime, ago: int, number: int) -> Span:
        seconds = _observed(account, start, ago, _DAY)
        return _span(account, seconds, self.rhythm.day(account.offset, number)) if seconds else _NOTHING

    def _day_of_hours(self, start: datetime, ago: int) -> list[Span]:
        """The hours of a day are written, and their sums come back."""
        sums: list[Span] = [
            (0, [0] * len(account.grant.moving), [0] * len(account.grant.moving)) for account in self.accounts
        ]
        for hour in range(24):
            begin = start + timedelta(hours=hour)
            if begin <= self.now:
                spans = [self._span_of_hour(account, begin, ago) for account in self.accounts]
                bulk.load(Usage, _USAGE, self._usage("hour", begin, enumerate(spans)))
                sums = [_added(before, span) for before, span in zip(sums, spans, strict=True)]
        return sums

    def _span_of_hour(self, account: Account, begin: datetime, ago: int) -> Span:
        length = min(_HOUR, int((self.now - begin).total_seconds()))
        seconds = _observed(account, begin, ago, length)
        factor = self.rhythm.hour(account.offset, hour_number(begin))
        return _span(account, seconds, factor) if seconds else _NOTHING

    def _write_day(self, start: datetime, spans: list[tuple[int, Span]]) -> None:
        bulk.load(Usage, _USAGE, self._usage("day", start, spans))
        day = start.date()
        if day.day == 1:
            self._write_months(day - timedelta(days=1))
        if day.weekday() == 0:
            self._write_weeks(day - timedelta(days=1))
        rows = [(number, _costs(self.accounts[number], span)) for number, span in spans]
        for number, costs in rows:
            account = self.accounts[number]
            account.week, account.month = _summed(account.week, costs), _summed(account.month, costs)
        bulk.load(Consumption, _CONSUMPTION, self._consumption("day", day, rows))

    def _write_weeks(self, day: date) -> None:
        """The week of that day, as far as it has come."""
        rows = [(number, account.week) for number, account in enumerate(self.accounts) if account.week]
        bulk.load(Consumption, _CONSUMPTION, self._consumption("week", day - timedelta(days=day.weekday()), rows))
        for account in self.accounts:
            account.week = []

    def _write_months(self, day: date) -> None:
        """The month of that day, as far as it has come."""
        rows = [(number, account.month) for number, account in enumerate(self.accounts) if account.month]
        bulk.load(Consumption, _CONSUMPTION, self._consumption("month", day.replace(day=1), rows))
        for account in self.accounts:
            account.month = []

    def _usage(self, span: str, start: datetime, spans: Iterable[tuple[int, Span]]) -> Iterator[tuple[Any, ...]]:
        begin = bulk.stored(Usage, "start", start)
        for number, (seconds, sums, peaks) in spans:
            if seconds:
                yield self._keys[number], span, begin, seconds, self._figures(number, seconds, sums, peaks)

    def _figures(self, number: int, seconds: int, sums: list[int], peaks: list[int]) -> str:
        """The JSON of a row. What stands still is in a text that is made once for an account and a length of time."""
        account = self.accounts[number]
        text = self._texts.get((number, seconds)) or self._text(number, seconds)
        values: list[int] = []
        for one, total, high in zip(account.grant.moving, sums, peaks, strict=True):
            values += (total * one.quantum, high * one.quantum)
        return text % tuple(values)

    def _text(self, number: int, seconds: int) -> str:
        account = self.accounts[number]
        parts = [f'"{one.name}": [%d, %d, {one.units * one.quantum * seconds}]' for one in account.grant.moving]
        parts += [
            f'"{one.name}": [{used * one.quantum * seconds}, {used * one.quantum}, {one.units * one.quantum * seconds}]'
            for one, used in zip(account.grant.still, account.still, strict=True)
        ]
        text = f"{{{', '.join(parts)}}}"
        if seconds in (_DAY, _HOUR):
            self._texts[number, seconds] = text
        return text

    def _consumption(self, span: str, day: date, rows: Iterable[tuple[int, list[int]]]) -> Iterator[tuple[Any, ...]]:
        begin = bulk.stored(Consumption, "start", day)
        for number, costs in rows:
            yield self._keys[number], span, begin, *costs


def _observed(account: Account, begin: datetime, ago: int, length: int) -> int:
    """Seconds of a span in which the environment was there and its cluster answered."""
    if ago == _QUIET_DAY and account.cluster == _QUIET_CLUSTER:
        return 0
    end = begin + timedelta(seconds=length)
    if account.begins <= begin and account.ends is None:
        seconds = length
    else:
        last = min(end, account.ends) if account.ends else end
        seconds = max(0, int((last - max(begin, account.begins)).total_seconds()))
    missed = ago == _HALF_DAY and account.cluster == _HALF_CLUSTER
    return seconds * 3 // 4 if missed else seconds


def _span(account: Account, seconds: int, factor: float) -> Span:
    return seconds, [each * seconds for each in account.use.amounts(factor)], account.use.peaks(factor)


def _added(before: Span, span: Span) -> Span:
    if not span[0]:
        return before
    seconds, sums, peaks = before
    return (
        seconds + span[0],
        [old + new for old, new in zip(sums, span[1], strict=True)],
        [max(old, new) for old, new in zip(peaks, span[2], strict=True)],
    )


def _costs(account: Account, span: Span) -> list[int]:
    """A row of `Consumption` from its seconds on."""
    seconds, sums, peaks = span
    row = [seconds]
    for place in account.grant.places:
        if place is None:
            row += (0, 0, 0)
        else:
            row += (account.grant.moving[place].units * seconds, sums[place], peaks[place])
    return row


def _summed(row: list[int], costs: list[int]) -> list[int]:
    """Sums are added, peaks (every third column, from the fourth on) are compared."""
    if not row:
        return list(costs)
    return [
        max(old, new) if index and index % 3 == 0 else old + new
        for index, (old, new) in enumerate(zip(row, costs, strict=True))
    ]
