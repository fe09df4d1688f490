"""Hours and days as usage is counted in: UTC, whole seconds."""

from datetime import UTC, date, datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def second_of(moment: datetime) -> datetime:
    """A moment in UTC without its fraction of a second."""
    return moment.astimezone(UTC).replace(microsecond=0)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour that a moment is in."""
    return second_of(moment).replace(minute=0, second=0)


def day_of(moment: datetime) -> datetime:
    """The beginning of the day that a moment is in."""
    return hour_of(moment).replace(hour=0)


def week_of(day: date) -> tuple[date, date]:
    """The Monday of the week that a day is in, and the next one."""
    monday = day - day.weekday() * DAY
    return monday, monday + 7 * DAY


def month_of(day: date) -> tuple[date, date]:
    """The first day of the month that a day is in, and of the next one."""
    first = day.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1)
