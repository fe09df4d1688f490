"""Writing down what a pass saw: the newest figures, and the hours that they count for.

Figures that stay what they were are counted when they change, or when `settle` is called, which rolling up begins
with: of ten thousand environments few change within two minutes, and the others cost one statement a batch.

A batch is one transaction under a lock on its rows: a pass that arrives twice, two at once, or a worker that is killed
in between count nothing twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import F, TextField
from django.db.models.functions import Cast

from environments.lib import quantities
from environments.models import Environment
from environments.models.environments import EnvironmentQuerySet
from environments.models.usage import Span, Usage
from environments.routine.usage import counting
from environments.routine.usage.counting import HOUR, Amounts, Figures, Known, Stretch, amounts, second_of

_PASSES = 3  # intervals without a pass after which the usage is unknown
_BATCH = 500  # environments a transaction

_ALERTS = ("alerts", "alert_warn", "alert_bad", "alert_state", "alert_rising", "alert_mailed")
_NEEDED = ("fullest", "usage_at", "counted_until", *_ALERTS)


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
        known = _locked(Environment.objects.filter(pk__in=list(seen)))
        rows = [row for row in known if not counting.is_old_news(row.usage_at, now, tolerance)]
        pieces, counted = list[_Piece](), list[UUID]()
        for row in rows:
            stretches, until = counting.count(_known(row), seen[row.pk], now, tolerance)
            pieces += _pieces(row, stretches)
            if until == now:
                counted.append(row.pk)
        _count(pieces)
        _store_newest(rows, seen, now)
        Environment.objects.filter(pk__in=counted).update(counted_until=now)
    return rows


def settle() -> None:
    """Count everything that was seen until now."""
    owed = Environment.objects.filter(counted_until__lt=F("usage_at"))
    for batch in batched(owed.order_by("pk").values_list("pk", flat=True), _BATCH, strict=False):
        mine = owed.filter(pk__in=batch)
        with transaction.atomic():
            _count([piece for row in _locked(mine) for piece in _pieces(row, _known(row).owed())])
            mine.update(counted_until=F("usage_at"))


def fullest(figures: Figures) -> float:
    """The highest used / hard of all resources; 0 where there are none."""
    ratios = [quantities.ratio(quantities.parse(used), quantities.parse(hard)) for used, hard in figures.values()]
    return float(max(ratios, default=Decimal(0)))


def _locked(rows: EnvironmentQuerySet) -> list[Environment]:
    """The rows, each with its figures, which are read by msgspec: for most of a cluster, they are all that is read."""
    locked = rows.order_by("pk").select_for_update(no_key=True).only(*_NEEDED)
    found: list[Environment] = []
    for row in locked.annotate(usage_text=Cast("usage", TextField())):
        row.usage = msgspec.json.decode(vars(row).pop("usage_text"))
        found.append(row)
    return found


def _known(row: Environment) -> Known:
    return Known(row.usage, row.usage_at, row.counted_until)


def _pieces(row: Environment, stretches: Iterable[Stretch]) -> Iterator[_Piece]:
    for start, end, figures in stretches:
        for hour, seconds in counting.split(start, end):
            yield _Piece(row.pk, hour, seconds, amounts(figures))


def _count(pieces: list[_Piece]) -> None:
    """Add to the hours in place. No hour has more than its seconds, whatever the clock did."""
    if not pieces:
        return
    environments, starts = {piece.environment_id for piece in pieces}, {piece.start for piece in pieces}
    there = Usage.objects.filter(environment__in=environments, span=Span.HOUR, start__in=starts)
    rows = {
        (key, start): Usage(environment_id=key, span=Span.HOUR, start=start, seconds=seconds, figures=figures)
        for key, start, seconds, figures in there.values_list("environment_id", "start", "seconds", "figures")
    }
    changed: dict[tuple[UUID, datetime], Usage] = {}
    for piece in pieces:
        key = piece.environment_id, piece.start
        if key not in rows:
            rows[key] = Usage(environment_id=key[0], span=Span.HOUR, start=piece.start, seconds=0, figures={})
        row = rows[key]
        seconds = min(piece.seconds, int(HOUR.total_seconds()) - row.seconds)
        if seconds > 0:
            row.figures, row.seconds = counting.add(row.figures, piece.amounts, seconds), row.seconds + seconds
            changed[key] = row
    Usage.objects.bulk_create(
        changed.values(),
        update_conflicts=True,
        unique_fields=["environment", "span", "start"],
        update_fields=["seconds", "figures"],
    )


def _store_newest(rows: list[Environment], seen: Mapping[UUID, Figures], now: datetime) -> None:
    """Most figures are what they were: those are left alone, and all share one time."""
    changed = []
    for row in rows:
        row.usage_at = now
        if row.usage != seen[row.pk]:
            row.usage, row.fullest = seen[row.pk], fullest(seen[row.pk])
            changed.append(row)
    _update_each(changed)
    Environment.objects.filter(pk__in=[row.pk for row in rows]).update(usage_at=now)


def _update_each(rows: list[Environment]) -> None:
    """Write the figures of each row, by one statement that is prepared once. To build Django's takes ten times as long.

    psycopg sends them all before it waits for the first answer.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(Environment)]
    fields = {each.name: each for each in Environment._meta.concrete_fields}
    written = [fields[name] for name in ("usage", "fullest", "id")]
    table, usage, fullness, key = map(
        connection.ops.quote_name, (Environment._meta.db_table, *(str(each.column) for each in written))
    )
    values = [[each.get_db_prep_save(getattr(row, each.attname), connection) for each in written] for row in rows]
    with connection.cursor() as cursor:
        statement = f"UPDATE {table} SET {usage} = %s, {fullness} = %s WHERE {key} = %s"  # noqa: S608 (our own names)
        cursor.executemany(statement, values)
