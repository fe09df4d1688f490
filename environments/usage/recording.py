"""Writing down what a pass saw: the newest figures, and the hours that they count for.

A batch is one transaction under a lock on its rows: a pass that arrives twice, two at once, or a worker that is killed
in between count nothing twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction

from environments import quantities
from environments.models import Environment
from environments.models.usage import Span, Usage
from environments.usage import hours
from environments.usage.amounts import Amounts, Figures, amounts
from environments.usage.clock import HOUR, second_of

_PASSES = 3  # intervals without a pass after which nobody knows what was used

_NEEDED = ("usage", "fullest", "usage_at", "counted_until", "alerts", "alert_warn", "alert_bad", "alert_state")


@dataclass(frozen=True)
class _Piece:
    """Amounts that held for so many seconds of an hour."""

    environment_id: UUID
    start: datetime
    seconds: int
    amounts: Amounts


def record(seen: Mapping[UUID, Figures], now: datetime) -> list[Environment]:
    """Write down the figures of some environments as of `now`, at most a few hundred at once.

    They count for the time since they were last seen, up to a few intervals; a longer silence is a gap. Gives the
    environments with their new figures; those of which something newer is known already are left out.
    """
    now, tolerance = second_of(now), timedelta(seconds=_PASSES * settings.OBSERVE_SECONDS)
    with transaction.atomic():
        known = Environment.objects.filter(pk__in=list(seen)).order_by("pk").select_for_update(no_key=True)
        rows = [row for row in known.only(*_NEEDED) if not hours.is_old_news(row.counted_until, now, tolerance)]
        _count(list(_pieces(rows, seen, now, tolerance)))
        _store_newest(rows, seen, now)
    return rows


def fullest(figures: Figures) -> float:
    """The highest used / hard of all resources; 0 where there are none."""
    ratios = [quantities.ratio(quantities.parse(used), quantities.parse(hard)) for used, hard in figures.values()]
    return float(max(ratios, default=Decimal(0)))


def _pieces(
    rows: Iterable[Environment], seen: Mapping[UUID, Figures], now: datetime, tolerance: timedelta
) -> Iterable[_Piece]:
    for row in rows:
        for hour, seconds in hours.split(hours.since(row.counted_until, now, tolerance), now):
            yield _Piece(row.pk, hour, seconds, amounts(seen[row.pk]))


def _count(pieces: list[_Piece]) -> None:
    """Add to the hours in place. No hour has more than its seconds, whatever the clock did."""
    environments, starts = {piece.environment_id for piece in pieces}, {piece.start for piece in pieces}
    there = Usage.objects.filter(environment__in=environments, span=Span.HOUR, start__in=starts)
    rows = {
        (key, start): Usage(environment_id=key, span=Span.HOUR, start=start, seconds=seconds, figures=figures)
        for key, start, seconds, figures in there.values_list("environment_id", "start", "seconds", "figures")
    }
    changed = []
    for piece in pieces:
        empty = Usage(environment_id=piece.environment_id, span=Span.HOUR, start=piece.start, seconds=0)
        row = rows.get((piece.environment_id, piece.start), empty)
        seconds = min(piece.seconds, int(HOUR.total_seconds()) - row.seconds)
        if seconds > 0:
            row.figures, row.seconds = hours.add(row.figures, piece.amounts, seconds), row.seconds + seconds
            changed.append(row)
    Usage.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["environment", "span", "start"],
        update_fields=["seconds", "figures"],
    )


def _store_newest(rows: list[Environment], seen: Mapping[UUID, Figures], now: datetime) -> None:
    """Most figures are what they were: those are left alone, and all share one time."""
    changed = []
    for row in rows:
        row.usage_at = row.counted_until = now
        if row.usage != seen[row.pk]:
            row.usage, row.fullest = seen[row.pk], fullest(seen[row.pk])
            changed.append(row)
    Environment.objects.bulk_update(changed, ["usage", "fullest"])
    Environment.objects.filter(pk__in=[row.pk for row in rows]).update(usage_at=now, counted_until=now)
