"""The report on reviews: who was asked whether environments are still needed, and what the answers freed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from environments.models import Review
from environments.models.reviews import Answer
from environments.reports import units
from environments.reports.bills import Prices, all_prices, money
from environments.reports.filters import Filters
from environments.reports.periods import midnight
from environments.reports.tables import Column, Figure, Kind, Report, Row, Rows, Table

SLUG = "still-needed"
_MONTH = 30 * 24 * 3600
_COUNT = Column("", Kind.INTEGER)
_COUNTS = ("Asked", *(str(answer.label) for answer in Answer), "Waiting")
_FREED = (
    Column("Freed CPU", Kind.DECIMAL, "cores", units.AMOUNTS),
    Column("Freed memory", Kind.DECIMAL, "GiB", units.AMOUNTS),
    Column("Freed GPUs", Kind.INTEGER),
    Column("Monthly saving", Kind.MONEY, missing="No rate"),
)

EXPLANATION = (
    "Owners are asked as their templates say: regularly, or when an environment is hardly used. The report counts the "
    "questions that were asked in the period.",
    "Freed is what quotas reserved that were made smaller or deleted because of an answer, or because there was none. "
    "The monthly saving is what that costs for 30 days at today's rates.",
)


def build(filters: Filters) -> Report:
    """The report."""
    reviews = _reviews(filters)
    prices = all_prices()
    return Report(
        figures=[Figure(name, count, _COUNT) for name, count in zip(_COUNTS, _counts(reviews), strict=True)],
        tables=[_teams(reviews, prices, filters)],
        explanation=EXPLANATION,
    )


def _reviews(filters: Filters) -> list[Review]:
    """The questions of the period, about environments that this reader may report on."""
    start, until = midnight(filters.period.start), midnight(filters.period.until)
    rows = Review.objects.filter(asked_at__gte=start, asked_at__lt=until)
    rows = rows.filter(environment__in=filters.environments.order_by().values("pk"))
    return list(rows.select_related("environment__team").only(*_SHOWN).order_by("environment__team__name", "pk"))


_SHOWN = ("answer", "answered_at", "freed", "environment__cluster", "environment__team__name")


def _counts(reviews: Sequence[Review]) -> list[int]:
    given = [sum(each.answer == answer for each in reviews) for answer in Answer]
    return [len(reviews), *given, sum(each.answered_at is None for each in reviews)]


def _freed(reviews: Iterable[Review], prices: Prices, day: datetime) -> Row:
    sums: dict[str, int] = defaultdict(int)
    parts, has_rate = 0, False
    for each in reviews:
        price = prices.on(each.environment.cluster_id, day.date())
        has_rate = has_rate or price is not None
        for resource, amount in each.freed.items():
            sums[resource] += amount
            parts += price.of(resource, amount * _MONTH) if price else 0
    saved: Decimal | None = money(parts) if has_rate or not sums else None
    return (units.cores(sums["cpu"]), units.gib(sums["memory"]), sums["gpu"], saved)


def _teams(reviews: list[Review], prices: Prices, filters: Filters) -> Table:
    groups: dict[str, list[Review]] = defaultdict(list)
    for each in reviews:
        team = each.environment.team
        groups[team.name if team else "No team"].append(each)
    today = datetime.combine(filters.today, datetime.min.time(), UTC)

    def row(name: str, some: list[Review]) -> Row:
        return (name, *_counts(some), *_freed(some, prices, today))

    return Table(
        key="reviews",
        title="By team",
        columns=[Column("Team"), *(Column(name, Kind.INTEGER) for name in _COUNTS), *_FREED],
        rows=Rows(sorted(groups), lambda names: (row(name, groups[name]) for name in names)),
        totals=row("Total", reviews) if reviews else None,
        empty="No one was asked in this period.",
    )
