"""The days that a report covers, those it is compared with, and their moments. Days are in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import BigIntegerField, Func

from environments.reports.spans import next_month

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days from `start` to before `until`. `before` is the period before, in the same form."""

    start: date
    until: date
    before: tuple[date, date]
    is_running: bool = False  # it includes today and is not over

    @property
    def last(self) -> date:
        """The last day."""
        return self.until - _DAY

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.until - self.start).days

    @property
    def words(self) -> str:
        """The days in words, such as `1 to 23 November 2026`."""
        return _words(self.start, self.until)

    @property
    def before_words(self) -> str:
        """The days of the period before, in words."""
        return _words(*self.before)

    def previous(self) -> "Period":
        """Return the period before."""
        start, until = self.before
        return Period(start, until, (start - (until - start), start))


def rolling(days: int, today: date) -> Period:
    """Return a number of complete days, up to yesterday."""
    return custom(today - days * _DAY, today - _DAY, today)


def custom(first: date, last: date, today: date) -> Period:
    """Return the days from `first` to `last`, both included, without future days. As many days before are compared."""
    until = min(last, today) + _DAY
    return Period(first, until, (first - (until - first), first), is_running=first <= today <= last)


def month(day: date, today: date) -> Period:
    """Return a calendar month, up to today. The same days of the month before are compared."""
    start = day.replace(day=1)
    return _calendar(start, next_month(start), (start - _DAY).replace(day=1), today)


def last_month(today: date) -> Period:
    """Return the calendar month before this one."""
    return month(today.replace(day=1) - _DAY, today)


def year(number: int, today: date) -> Period:
    """Return a calendar year, up to today. As many days of the year before are compared."""
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


def midnight(day: date) -> datetime:
    """Return the moment when a day begins in UTC."""
    return datetime.combine(day, time(), UTC)


class Milliseconds(Func):
    """The whole milliseconds from 1970 to a moment, so that both databases add durations up exactly."""

    arity = 1
    output_field = BigIntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for SQLite, which stores moments as text in UTC, with microseconds unless they are 0."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        text = f"(CAST(strftime('%%s', {sql}) AS INTEGER) * 1000 + CAST(substr({sql} || '.000', 21, 3) AS INTEGER))"
        return text, [*parameters, *parameters]


def milliseconds(moment: datetime) -> int:
    """Return the whole milliseconds from 1970 to a moment, as `Milliseconds` does."""
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
