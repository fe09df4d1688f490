"""Invents usage for the demo's environments: random hours, and days and months rolled up from them.

The result is nearly the same at every first run: busy working days and quiet nights, a quota that was raised once, and
a cluster that did not answer for half a day. The product uses none of this.
"""

import math
import random
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from environments import spec
from environments.lib import quantities
from environments.models import Environment
from environments.models.usage import Span, Usage
from environments.routine.usage.counting import DAY, HOUR, Amounts, amounts, day_of, hour_of
from environments.routine.usage.rolling import roll_up_day

LONGEST = timedelta(days=92)
_SECONDS = int(HOUR.total_seconds())
_IDLE = frozenset({"ranking"})  # hardly used, so that the idle report has an entry
_SILENCE = range(201, 212)  # hours ago that the cluster did not answer
_RAISED = 0.4  # of the past had passed when the quota was raised …
_BEFORE = 0.75  # … from this part of it


def write(environment: Environment, now: datetime | None = None) -> None:
    """Write hourly usage from the environment's creation, at most three months ago, to the current hour."""
    end = hour_of(now or timezone.now())
    begin = max(hour_of(environment.created_at) + HOUR, end - LONGEST)
    hard = spec.render_quota(environment.template_spec, environment.size, environment.parameters)
    limits = amounts({resource: ["0", amount] for resource, amount in hard.items()})
    count = int((end - begin) / HOUR)
    Usage.objects.bulk_create(
        [
            _hour(environment, limits, begin + HOUR * number, number / count)
            for number in range(count)
            if count - number not in _SILENCE
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def roll_up(begin: datetime, end: datetime) -> None:
    """Roll up days and months for all usage between two times."""
    day = day_of(begin)
    while day <= end:
        roll_up_day(day)
        day += DAY


def _hour(environment: Environment, limits: Amounts, start: datetime, progress: float) -> Usage:
    figures = {}
    for resource, (_, limit) in limits.items():
        hard = round(limit * (1 if progress >= _RAISED else _BEFORE))
        used = min(hard, round(hard * _share(environment, resource, start, progress)))
        sway = 0.25 * _noise(environment, resource, start) if _sways(resource) else 0
        figures[resource] = [used * _SECONDS, min(hard, math.ceil(used * (1 + sway))), hard * _SECONDS]
    return Usage(environment=environment, span=Span.HOUR, start=start, seconds=_SECONDS, figures=figures)


def _share(environment: Environment, resource: str, start: datetime, progress: float) -> float:
    """Return a resource's use as a share: it grows slowly towards today's level, with days and nights."""
    level = 0.03 if environment.name in _IDLE else _level_now(environment, resource)
    grown = level * (0.7 + 0.3 * progress)
    return grown * _daily(start) * (0.95 + 0.1 * _noise(environment, resource, start)) if _sways(resource) else grown


def _level_now(environment: Environment, resource: str) -> float:
    """Return the current use as a share; if that is almost nothing, a level that depends on the environment."""
    now = quantities.ratio(*map(quantities.parse, environment.usage.get(resource, ("0", "1"))))
    if now > Decimal("0.1") or not _sways(resource):
        return float(now)
    return random.Random(f"{environment.name}{resource}").uniform(0.3, 0.75)  # noqa: S311


def _sways(resource: str) -> bool:
    """Whether its use changes with the time of day; stored resources, such as volumes, do not."""
    return quantities.is_cpu(resource) or resource.endswith("memory") or resource == "pods"


def _daily(start: datetime) -> float:
    """Return the daily rhythm: busy in the afternoon, quiet at night and at the weekend."""
    work = 0.5 + 0.5 * math.cos((start.hour - 14) / 24 * 2 * math.pi)
    return 0.72 + (0.1 if start.weekday() > 4 else 0.38) * work


def _noise(environment: Environment, resource: str, start: datetime) -> float:
    """Return a number between 0 and 1, always the same for the same hour."""
    return random.Random(f"{environment.name}{resource}{start:%Y%m%d%H}").random()  # noqa: S311
