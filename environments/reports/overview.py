"""The overview: how many environments there are, were created and deleted, and how fast they were ready."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate
from django.urls import reverse

from environments.lib.charts import Chart, Units, column_chart
from environments.lib.phases import LIVE, NEVER_GRANTED, Phase
from environments.models.environments import EnvironmentQuerySet
from environments.reports import units
from environments.reports.filters import Filters
from environments.reports.groups import GROUPINGS
from environments.reports.periods import Milliseconds, Period, midnight
from environments.reports.spans import next_month, next_week
from environments.reports.tables import Column, Figure, Kind, Report, Row, Rows, Table, compared

SLUG = "overview"
COUNT = Column("", Kind.INTEGER)
SECONDS = Column("", Kind.DECIMAL, "seconds", 1)
_TEAM = GROUPINGS["team"]
_EXISTING = LIVE - NEVER_GRANTED
_GRANTED = ~Q(phase__in=NEVER_GRANTED)
_MOST_DAYS, _MOST_WEEKS = 31, 26  # columns of the chart

EXPLANATION = (
    "Phases and “current” figures are as of the time when the report was generated; created and deleted environments "
    "are those of the period. An environment counts as deleted when nothing of it is left. Pending requests are not "
    "counted: an environment counts as created when its request is approved.",
    "Time to Ready runs from the request, or from its approval if it needed one, until the environment is first Ready. "
    "It covers the environments created in the period that became Ready. Half of them took no longer than the median, "
    "95 % no longer than the 95th percentile.",
)


def build(filters: Filters) -> Report:
    """The report."""
    phases, environments = _by_phase(filters.environments), filters.environments.granted()
    now, before = (_created_and_ended(environments, period) for period in (filters.period, filters.period.previous()))
    times, earlier = (_times_to_ready(environments, period) for period in (filters.period, filters.period.previous()))
    columns = _chart(filters)
    return Report(
        figures=[
            Figure("Current environments", sum(phases.get(phase, 0) for phase in _EXISTING), COUNT),
            compared("Created", COUNT, now["created"], before["created"]),
            compared("Deleted", COUNT, now["ended"], before["ended"]),
            compared("Median time to Ready", SECONDS, percentile(times, 50), percentile(earlier, 50)),
            compared("95th percentile time to Ready", SECONDS, percentile(times, 95), percentile(earlier, 95)),
            Figure(
                "Failed",
                phases.get(Phase.FAILED, 0),
                COUNT,
                href=filters.link("attention") if phases.get(Phase.FAILED) else "",
                tone="bad" if phases.get(Phase.FAILED) else "",
            ),
            Figure(
                "Waiting for approval",
                phases.get(Phase.AWAITING_APPROVAL, 0),
                COUNT,
                href=reverse("approvals") if phases.get(Phase.AWAITING_APPROVAL) else "",
            ),
        ],
        charts=[columns] if now["created"] or now["ended"] else [],
        tables=[_phases(phases), _teams(filters)],
        explanation=EXPLANATION,
    )


def percentile(values: Sequence[int], percent: int) -> Decimal | None:
    """Return a percentile (nearest rank) of some sorted milliseconds, in seconds; None if there are none."""
    if not values:
        return None
    rank = -(-len(values) * percent // 100)
    return units.quotient(values[rank - 1], 1000, 1)


def _by_phase(environments: EnvironmentQuerySet) -> dict[Any, int]:
    counted = environments.order_by().values("phase").annotate(number=Count("pk"))
    return dict(counted.values_list("phase", "number"))


def _created_and_ended(environments: EnvironmentQuerySet, period: Period) -> dict[str, int]:
    fields = {"created": "created_at", "ended": "deleted_at"}
    return environments.aggregate(**{name: Count("pk", filter=during(field, period)) for name, field in fields.items()})


def during(field: str, period: Period) -> Q:
    """Return the condition that a moment is in a period."""
    return Q(**{f"{field}__gte": midnight(period.start), f"{field}__lt": midnight(period.until)})


def _times_to_ready(environments: EnvironmentQuerySet, period: Period) -> list[int]:
    """Return the milliseconds from request or approval to the first Ready, sorted."""
    ready = environments.order_by().filter(during("created_at", period), ready_at__isnull=False)
    took = ready.annotate(took=Milliseconds("ready_at") - Milliseconds("created_at"))
    return sorted(took.values_list("took", flat=True))


def _phases(phases: dict[Any, int]) -> Table:
    live = [phase for phase in Phase if phase in _EXISTING and phases.get(phase)]
    total = sum(phases[phase] for phase in live)
    return Table(
        key="phases",
        title="Current environments by phase",
        columns=[
            Column("Phase"),
            Column("Environments", Kind.INTEGER),
            Column("Share", Kind.PERCENT),
        ],
        rows=Rows([(phase.value, phases[phase], units.percent(phases[phase], total)) for phase in live]),
        totals=("Total", total, units.percent(total, total)) if live else None,
        empty="No environments.",
    )


def _teams(filters: Filters) -> Table:
    figures = {
        "now": Count("pk", filter=Q(phase__in=_EXISTING)),
        "created": Count("pk", filter=during("created_at", filters.period) & _GRANTED),
        "ended": Count("pk", filter=during("deleted_at", filters.period) & _GRANTED),
        "failed": Count("pk", filter=Q(phase=Phase.FAILED)),
        "waiting": Count("pk", filter=Q(phase=Phase.AWAITING_APPROVAL)),
    }
    found = filters.environments.order_by().values("team").annotate(**figures)
    lines = [line for line in found.values_list("team", *figures) if any(line[1:])]
    lines.sort(key=lambda line: (-line[1], -line[2], str(line[0])))

    def make(some: Sequence[Any]) -> Iterable[Row]:
        names = _TEAM.name(filters, SLUG, [line[0] for line in some])
        return ((*names[line[0]], *line[1:]) for line in some)

    sums = [sum(line[number] for line in lines) for number in range(1, 1 + len(figures))]
    return Table(
        key="teams",
        title="Environments by team",
        columns=[
            *_TEAM.columns,
            Column("Current", Kind.INTEGER),
            Column("Created", Kind.INTEGER),
            Column("Deleted", Kind.INTEGER),
            Column("Failed", Kind.INTEGER),
            Column("Waiting for approval", Kind.INTEGER),
        ],
        rows=Rows(lines, make),
        totals=("Total", *[""] * (len(_TEAM.columns) - 1), *sums) if lines else None,
        empty="No environments.",
    )


def _chart(filters: Filters) -> Chart:
    """Return the chart of created and deleted environments by day, week or month, depending on the period's length."""
    buckets = _buckets(filters.period)
    unit = _unit(filters.period)
    created, ended = (_by_day(filters, field) for field in ("created_at", "deleted_at"))
    return column_chart(
        "flow",
        f"Environments created and deleted, by {unit}",
        [f"{first:%-d %b}" if unit != "month" else f"{first:%b %Y}" for first, _ in buckets],
        [
            ("Created", "area", [_sum(created, bucket) for bucket in buckets]),
            ("Deleted", "soft", [_sum(ended, bucket) for bucket in buckets]),
        ],
        Units(lambda value: f"{value:,.0f}", is_whole=True),
        names=[_bucket_name(unit, first) for first, _ in buckets],
    )


def _bucket_name(unit: str, first: date) -> str:
    if unit == "month":
        return f"{first:%B %Y}"
    return f"Week of {first:%-d %B %Y}" if unit == "week" else f"{first:%-d %B %Y}"


def _by_day(filters: Filters, field: str) -> dict[date, int]:
    rows = filters.environments.granted().order_by().filter(during(field, filters.period))
    return dict(
        rows.values(day=TruncDate(F(field), tzinfo=UTC)).annotate(number=Count("pk")).values_list("day", "number")
    )


def _unit(period: Period) -> str:
    if period.days <= _MOST_DAYS:
        return "day"
    return "week" if period.days <= 7 * _MOST_WEEKS else "month"


def _buckets(period: Period) -> list[tuple[date, date]]:
    """Return the first day of each column and the day after its last. The period may cut the first and last short."""
    after = {"day": lambda day: day + timedelta(days=1), "week": next_week, "month": next_month}[_unit(period)]
    found, day = [], period.start
    while day < period.until:
        found.append((day, min(after(day), period.until)))
        day = after(day)
    return found


def _sum(counted: dict[date, int], bucket: tuple[date, date]) -> Decimal:
    return Decimal(sum(number for day, number in counted.items() if bucket[0] <= day < bucket[1]))
