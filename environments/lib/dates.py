"""Dates and times in words, in UTC: the one way in which the product writes them."""

from datetime import UTC, date, datetime, timedelta

_NEAR = timedelta(days=182)  # ahead: within six months a date needs no year

# The largest unit that fits, each from so many seconds on. static/portal.js says it in the same words.
_UNITS = (("day", 86_400, 36 * 3600), ("hour", 3600, 90 * 60), ("minute", 60, 90), ("second", 1, 0))
_NOW = 5  # seconds that are not worth a number


def day(when: date) -> str:
    """The date of a day or a moment: `29 November 2026`."""
    return f"{_utc(when):%-d %B %Y}"


def date_and_time(moment: datetime) -> str:
    """The date and time of a moment: `29 November 2026, 10:16`."""
    return f"{_utc(moment):%-d %B %Y, %H:%M}"


def exact(moment: datetime) -> str:
    """The date and time to the second, with the zone: `29 November 2026, 10:16:30 UTC`."""
    return f"{_utc(moment):%-d %B %Y, %H:%M:%S} UTC"


def upcoming_day(when: date, now: datetime) -> str:
    """The date of something to come, without the year if it is within six months: `3 March`, `3 March 2028`."""
    return f"{_utc(when):%-d %B}" if _is_near(when, now) else day(when)


def upcoming(moment: datetime, now: datetime) -> str:
    """The date and time of something to come: `3 March, 10:16`, `3 March 2028, 10:16`."""
    return f"{upcoming_day(moment, now)}, {_utc(moment):%H:%M}"


def lifetime(seconds: int) -> str:
    """How long something is valid, in hours if they are whole: `1 hour`, `12 hours`, `90 minutes`."""
    unit, length = ("hour", 3600) if seconds % 3600 == 0 else ("minute", 60)
    count = max(1, seconds // length)
    return f"{count} {unit}" + ("" if count == 1 else "s")


def relative(seconds: float) -> str:
    """A number of seconds from now, negative for the past: `in 2 days`, `3 minutes ago`, `just now`."""
    if abs(seconds) < _NOW:
        return "in a moment" if seconds > 0 else "just now"
    unit, length = next((unit, length) for unit, length, start in _UNITS if abs(seconds) >= start)
    count = round(abs(seconds) / length)
    words = f"{count} {unit}" + ("" if count == 1 else "s")
    return f"in {words}" if seconds > 0 else f"{words} ago"


def next_try(seconds: float) -> str:
    """When something is tried next: `in 12 seconds`, and `in a moment` once that has come."""
    return relative(seconds) if seconds >= _NOW else "in a moment"


def _utc(when: date) -> date:
    return when.astimezone(UTC) if isinstance(when, datetime) else when


def _is_near(when: date, now: datetime) -> bool:
    today, on = _date(now), _date(when)
    return today <= on <= today + _NEAR


def _date(when: date) -> date:
    return when.astimezone(UTC).date() if isinstance(when, datetime) else when
