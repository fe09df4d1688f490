"""How alerts hold off: a level counts once it has lasted, and a resource gets one email a day unless it gets worse.

Pure: what an environment's row remembers goes in and comes out. Times are stored as ISO 8601.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

WARN, BAD = "warn", "bad"
RANK = {"": 0, WARN: 1, BAD: 2}
BETWEEN_EMAILS = timedelta(days=1)

State = dict[str, str]  # resource -> the level that was alerted about
Rising = dict[str, dict[str, str]]  # resource -> levels reached since, each with the time since when
Mailed = dict[str, list[str]]  # resource -> level and time of the last email


def lasting(before: State, reached: State, rising: Rising, now: datetime, hold: timedelta) -> tuple[State, Rising]:
    """The levels that count and those that still have to last, after a resource has reached these levels.

    A level that a resource falls below begins anew when it is reached again. Falling counts at once. While a worse
    level has not lasted, the one below it waits as well, so that a steady rise is one alert and not two.
    """
    state: State = {}
    still: Rising = {}
    for resource, level in reached.items():
        told = before.get(resource, "")
        since = {each: rising.get(resource, {}).get(each, now.isoformat()) for each in _above(told, level)}
        lasted = level in since and now - datetime.fromisoformat(since[level]) >= hold
        counts = level if lasted else min(told, level, key=RANK.__getitem__)
        if counts:
            state[resource] = counts
        if left := {each: start for each, start in since.items() if RANK[each] > RANK[counts]}:
            still[resource] = left
    return state, still


def to_mail(levels: State, mailed: Mailed, now: datetime) -> list[str]:
    """The resources among these to email about: not within a day of the last email, unless the level is worse."""
    recent = {resource: level for resource, (level, _) in _recent(mailed, now).items()}
    return [resource for resource, level in levels.items() if RANK[level] > RANK[recent.get(resource, "")]]


def remember(resources: Iterable[str], levels: State, mailed: Mailed, now: datetime) -> Mailed:
    """What was emailed within the last day, these resources included."""
    return _recent(mailed, now) | {resource: [levels[resource], now.isoformat()] for resource in resources}


def _above(told: str, level: str) -> list[str]:
    return [each for each in (WARN, BAD) if RANK[told] < RANK[each] <= RANK[level]]


def _recent(mailed: Mailed, now: datetime) -> Mailed:
    begin = now - BETWEEN_EMAILS
    return {resource: [level, at] for resource, (level, at) in mailed.items() if datetime.fromisoformat(at) > begin}
