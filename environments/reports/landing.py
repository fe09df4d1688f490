"""The first page: what a manager asks on Monday. How much, what for, better or worse than before, and what is amiss."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.urls import reverse
from django.utils import timezone

from environments.lib.charts import Chart
from environments.reports import attention, cost, idle, trends
from environments.reports.bills import all_prices, by_stretch
from environments.reports.consumption import Sums
from environments.reports.filters import Filters
from environments.reports.tables import Column, Figure, Kind, compared
from environments.reports.units import CPU, HOURS, MEMORY, cores

_COUNT = Column("", Kind.INTEGER)
_SHARE = Column("", Kind.PERCENT)
_CORE_HOURS = Column("", Kind.DECIMAL, CPU.hours_unit, HOURS)
_BUCKETS = 6  # months in the charts


@dataclass(frozen=True)
class AttentionItem:
    """One thing to look after: how many, in a sentence, and where to see them."""

    tone: str
    count: int
    text: str
    href: str


@dataclass(frozen=True)
class Landing:
    """What the first page shows."""

    figures: Sequence[Figure]
    attention_items: Sequence[AttentionItem]
    charts: Sequence[Chart]
    has_figures: bool  # something was measured in the period


def build(filters: Filters) -> Landing:
    """The first page for somebody's filters."""
    months = trends.latest(filters.today, "month", _BUCKETS)
    stretches = [*months, filters.period.before, (filters.period.start, filters.period.until)]
    *by_month, (before, bill_before), (now, bill) = by_stretch(
        filters.environments, stretches, all_prices(), filters.today
    )
    *counted, (earlier, *_), (there, *_) = trends.counts(filters.environments, stretches)
    shown = trends.buckets("month", filters.today, months, counted, by_month)
    return Landing(
        figures=[
            compared("Environments", _COUNT, there, earlier, href=filters.link("overview")),
            *_figures(filters, now, before),
            compared("Cost", cost.AMOUNT, bill.amount(), bill_before.amount(), href=filters.link("cost")),
        ],
        attention_items=[item for item in _attention(filters) if item.count],
        charts=trends.charts(shown) if any(each.sums["seconds"] for each in shown) else [],
        has_figures=bool(now["seconds"]),
    )


def _figures(filters: Filters, now: Sums, before: Sums) -> list[Figure]:
    use = filters.link("use")
    return [
        compared("CPU reserved", _CORE_HOURS, CPU.reserved_hours(now), CPU.reserved_hours(before), href=use),
        compared("CPU efficiency", _SHARE, CPU.efficiency(now), CPU.efficiency(before), href=use),
        compared("Memory efficiency", _SHARE, MEMORY.efficiency(now), MEMORY.efficiency(before), href=use),
    ]


def _attention(filters: Filters) -> list[AttentionItem]:
    now, look = timezone.now(), filters.link("attention")
    failed = attention.failed(filters.environments).order_by().count()
    orphaned = attention.orphaned(filters.environments).order_by().count()
    ending = attention.ending(filters.environments, now, attention.DAYS).order_by().count()
    found = idle.recommendations(filters, idle.THRESHOLD, idle.DAYS, idle.HEADROOM)
    unused = [each for each in found if each.is_idle]
    return [
        _waiting(filters),
        AttentionItem(
            "bad", failed, f"{_environments(failed)} failed and will not be tried again by itself.", f"{look}#failed"
        ),
        AttentionItem("warn", orphaned, f"{_environments(orphaned)} lost the owner.", f"{look}#orphaned"),
        AttentionItem(
            "wait", ending, f"{_environments(ending)} within {attention.DAYS} days of the end.", f"{look}#ending"
        ),
        AttentionItem(
            "",
            len(unused),
            idle_text(len(unused), cores(sum(each.cpu for each in found))),
            filters.link("idle"),
        ),
    ]


def _waiting(filters: Filters) -> AttentionItem:
    """The requests on which whoever reads this may decide, and since when the oldest waits."""
    count, oldest = filters.environments.awaiting(filters.user)
    return AttentionItem("wait", count, pending_text(count, oldest), reverse("approvals"))


def pending_text(count: int, oldest: datetime | None) -> str:
    """What is said of requests that wait; `oldest` is when the first of them was made, None where none waits."""
    since = f"{oldest.astimezone(UTC):%-d %B %Y}" if oldest else ""
    if count == 1:
        return f"One request waits for your decision, since {since}."
    return f"{count:,} requests wait for your decision, the oldest since {since}."


def idle_text(count: int, back: Decimal) -> str:
    """What is said of idle environments; `back` are the cores that they and the oversized ones could give back."""
    said = f"{_environments(count)} used less than {idle.THRESHOLD} % over {idle.DAYS} days"
    return f"{said}; with the oversized ones {back:,.2f} cores could be given back." if back else f"{said}."


def _environments(count: int) -> str:
    return "One environment" if count == 1 else f"{count:,} environments"
