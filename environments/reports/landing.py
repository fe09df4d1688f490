"""The first page of the reports: key figures compared with the period before, and what needs attention."""

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
    """Something that needs attention: how many, in a sentence, and a link to them."""

    tone: str
    count: int
    text: str
    href: str


@dataclass(frozen=True)
class Landing:
    """The contents of the first page."""

    figures: Sequence[Figure]
    attention_items: Sequence[AttentionItem]
    charts: Sequence[Chart]
    has_figures: bool  # some usage was recorded in the period


def build(filters: Filters) -> Landing:
    """Build the first page for a user's filters."""
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
        _pending(filters),
        AttentionItem("bad", failed, _environments(failed, "failed "), f"{look}#failed"),
        AttentionItem("warn", orphaned, _environments(orphaned, "orphaned "), f"{look}#orphaned"),
        AttentionItem("wait", ending, expiring_text(ending), f"{look}#ending"),
        AttentionItem(
            "", len(unused), idle_text(len(unused), cores(sum(each.cpu for each in found))), filters.link("idle")
        ),
    ]


def _pending(filters: Filters) -> AttentionItem:
    """Return the requests that this user may decide on, and the date of the oldest."""
    count, oldest = filters.environments.awaiting(filters.user)
    return AttentionItem("wait", count, pending_text(count, oldest), reverse("approvals"))


def pending_text(count: int, oldest: datetime | None) -> str:
    """Return the sentence about pending requests. `oldest` is when the first was made, or None if there is none."""
    since = f"{oldest.astimezone(UTC):%-d %B %Y}" if oldest else ""
    if count == 1:
        return f"1 request is waiting for your decision (since {since})"
    return f"{count:,} requests are waiting for your decision (oldest from {since})"


def idle_text(count: int, reclaimable: Decimal) -> str:
    """Return the sentence about idle environments. `reclaimable` are the cores of idle and oversized ones."""
    verb = "is" if count == 1 else "are"
    text = f"{_environments(count)} {verb} idle (under {idle.THRESHOLD} % for {idle.DAYS} days)"
    return f"{text}; with oversized ones, {reclaimable:,.2f} cores can be reclaimed" if reclaimable else text


def expiring_text(count: int) -> str:
    """Return the sentence about environments that expire soon."""
    return f"{_environments(count)} {'expires' if count == 1 else 'expire'} within {attention.DAYS} days"


def _environments(count: int, adjective: str = "") -> str:
    return f"{count:,} {adjective}environment{'' if count == 1 else 's'}"
