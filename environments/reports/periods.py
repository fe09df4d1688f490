"""The stretch of days that a report is about, the one it is compared with, and moments in it. Days are UTC's."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Func

from environments.reports.spans import next_month

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days from `start` on and before `until`; `before` begins and ends likewise."""

    start: date
    until: date
    before: tuple[date, date]
    is_running: bool = False  # today is in it, and more is to come

    @property
    def last(self) -> date:
        """The last day."""
        return self.until - _DAY

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.start).days

    @property
    def words(self) -> str:
        """Its days, such as `1 to 23 November 2026`."""
        return _words(self.start, self.until)

    @property
    def before_words(self) -> str:
        """The days that it is compared with."""
        return _words(*self.before)

    def previous(self) -> "Period":
        """What it is compared with, as a period."""
        start, until = self.before
        return Period(start, until, (start - (until - start), start))


def rolling(days: int, today: date) -> Period:
    """The last complete days: yesterday is the last of them."""
    return custom(today - days * _DAY, today - _DAY, today)


def custom(first: date, last: date, today: date) -> Period:
    """From one day to another, both included; days to come are left out. Compared with as many days before."""
    until = min(last, today) + _DAY
    return Period(first, until, (first - (until - first), first), is_running=first <= today <= last)


def month(day: date, today: date) -> Period:
    """A calendar month, of the one under way what there is; compared with the same days of the month before."""
    start = day.replace(day=1)
    return _calendar(start, next_month(start), (start - _DAY).replace(day=1), today)


def last_month(today: date) -> Period:
    """The calendar month before this one."""
    return month(today.replace(day=1) - _DAY, today)


def year(number: int, today: date) -> Period:
    """A calendar year, of the one under way what there is; compared with as many days of the year before."""
    return _calendar(date(number, 1, 1), date(number + 1, 1, 1), date(number - 1, 1, 1), today)


def _calendar(start: date, until: date, before: date, today: date) -> Period:
    if until <= today:
        return Period(start, until, (before, start))
    known = today + _DAY
    return Period(start, known, (before, min(before + (known - start), start)), is_running=True)


def _words(start: date, until: date) -> str:
    last = until - _DAY
    if start == last:
        return f"{start:%-d %B %Y}"
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} to {last:%-d %B %Y}"
    return f"{start:%-d %B}{'' if start.year == last.year else f' {start.year}'} to {last:%-d %B %Y}"


class Milliseconds(Func):
    """A moment's milliseconds since 1970, what is below one cut off."""

    arity = 1
    output_field = BigIntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite keeps moments as text, in UTC, with microseconds unless they are zero."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        text = f"(CAST(strftime('%%s', {sql}) AS INTEGER) * 1000 + CAST(substr({sql} || '.000', 21, 3) AS INTEGER))"
        return text, [*parameters, *parameters]


def milliseconds(moment: datetime) -> int:
    """The same of a moment in Python."""
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
