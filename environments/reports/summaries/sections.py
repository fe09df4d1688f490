"""The sections of the monthly summary, each with the address of the page that its figures come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from textwrap import shorten

from django.conf import settings
from django.urls import reverse

from environments import reports
from environments.models import User
from environments.models.changes import to_decide
from environments.reports import access, attention, cost, idle, overview, reservation, units
from environments.reports.bills import all_prices, bill
from environments.reports.consumption import Sums, totals, within
from environments.reports.filters import Filters
from environments.reports.formats import on_page
from environments.reports.pages import figure_text
from environments.reports.periods import Period
from environments.reports.spans import ranges_covering
from environments.reports.tables import Column, Figure, Kind, Link, Row, Table, compared
from environments.reports.units import RESOURCES, Resource

MAX_ITEMS = 5  # environments listed in a section
DAYS_AHEAD = 30  # for environments that expire
_LONGEST = 140  # characters of an item
_SHARE = Column("", Kind.PERCENT)


@dataclass(frozen=True)
class Item:
    """One environment in a sentence, with its address."""

    text: str
    address: str


@dataclass(frozen=True)
class Section:
    """A heading, one line for each figure, and some environments. Addresses are relative to the portal."""

    title: str
    lines: Sequence[str]
    address: str
    items: Sequence[Item] = ()
    more: int = 0  # environments that only the report lists
    page: str = "Report"  # the text before the address


def sections(user: User, month: date) -> list[Section]:
    """Return the sections for a user about a month, given by its first day, and about the current state."""

    def filters(slug: str, **options: object) -> Filters:
        asked = {"period": "month", "month": f"{month:%Y-%m}"} | {name: str(value) for name, value in options.items()}
        return reports.form_for(reports.REPORTS[slug], asked, user).filters()

    found = [
        _decisions(user),
        _environments(filters(overview.SLUG)),
        _use(filters(reservation.SLUG)),
        _cost(filters(cost.SLUG)),
        *_attention(filters(attention.SLUG, days=DAYS_AHEAD)),
        _idle(filters(idle.SLUG)),
        _access(filters(access.SLUG)),
    ]
    return [section for section in found if section is not None]


def _decisions(user: User) -> Section | None:
    """Return the requests that wait for this user's decision; None if there are none."""
    number, oldest = to_decide(user)
    if oldest is None:
        return None
    label = "Requested on" if number == 1 else "Oldest request:"
    line = f"{label} {oldest.astimezone(UTC):%-d %B %Y, %H:%M} UTC. Nothing is created until it is approved."
    return Section(f"Waiting for your decision: {number:,}", [line], reverse("approvals"), page="Review")


def _environments(filters: Filters) -> Section:
    return Section(
        "Environments",
        [_figure_line(each) for each in overview.build(filters).figures[:4]],
        filters.link(overview.SLUG),
    )


def _use(filters: Filters) -> Section:
    """Return reserved and used hours and the efficiency of every resource that was reserved."""
    now, before = (_sums(filters, period) for period in (filters.period, filters.period.previous()))
    lines = [
        _figure_line(figure)
        for each in RESOURCES
        if now[each.reserved]
        for figure in _resource_figures(each, now, before)
    ]
    nothing = "No usage was recorded."
    return Section("Reserved and used", lines or [nothing], filters.link(reservation.SLUG))


def _sums(filters: Filters, period: Period) -> Sums:
    ranges = ranges_covering(period.start, period.until, today=filters.today)
    return totals(filters.environments, within(ranges), {})[()]


def _resource_figures(each: Resource, now: Sums, before: Sums) -> list[Figure]:
    hours = Column("", Kind.DECIMAL, each.hours_unit, units.HOURS)
    return [
        compared(f"{each.title} reserved", hours, each.reserved_hours(now), each.reserved_hours(before)),
        compared(f"{each.title} used", hours, each.used_hours(now), each.used_hours(before)),
        compared(f"{each.title} efficiency", _SHARE, each.efficiency(now), each.efficiency(before)),
    ]


def _cost(filters: Filters) -> Section | None:
    """Return the cost, or None if nothing has a rate."""
    prices = all_prices()
    now, before = (
        bill(filters.environments, period, prices, filters.today)
        for period in (filters.period, filters.period.previous())
    )
    if not now.priced_seconds and not before.priced_seconds:
        return None
    lines = [_figure_line(compared("Cost", cost.AMOUNT, now.amount(), before.amount()))]
    if now.lacks_rate:
        lines.append("Hours without a rate are not included.")
    return Section("Cost", lines, filters.link(cost.SLUG))


_SENTENCES = {  # about an environment, filled in from the columns of its table
    "failed": "{Environment} ({Contact}): {Message}",
    "orphaned": "{Environment}: {Reason}",
    "ending": "{Environment} ({Contact}): {Expires} UTC",
    "idle": "{Environment} ({Owner}): {Status}, CPU usage {CPU usage}, memory usage {Memory usage}",
}


def _attention(filters: Filters) -> list[Section]:
    """Return a section for each kind of environment that needs attention, or one that says that there are none."""
    address = filters.link(attention.SLUG, days=DAYS_AHEAD)
    found = [_listed(table, [], f"{address}#{table.key}") for table in attention.build(filters).tables]
    nothing = f"No failures, no orphaned environments, and none that expire within {DAYS_AHEAD} days."
    return [each for each in found if each] or [Section("Needs attention", [nothing], address)]


def _idle(filters: Filters) -> Section | None:
    """Return idle and oversized environments in the order of their report; None if there are none."""
    report = idle.build(filters)
    return _listed(report.tables[0], [_figure_line(each) for each in report.figures], filters.link(idle.SLUG))


def _access(filters: Filters) -> Section:
    return Section("Access", [_figure_line(each) for each in access.build(filters).figures], filters.link(access.SLUG))


def _listed(table: Table, lines: Sequence[str], address: str) -> Section | None:
    """Return the first rows of a table whose first column links to an environment; None if it is empty."""
    count = len(table.rows)
    items = [_item(table, row) for row in table.rows[:MAX_ITEMS]]
    return Section(f"{table.title}: {count:,}", lines, address, items, count - len(items)) if items else None


def _item(table: Table, row: Row) -> Item:
    pairs = zip(table.columns, row, strict=True)
    cells = {column.title: on_page(column, cell, settings.CURRENCY) for column, cell in pairs}
    sentence = shorten(_SENTENCES[table.key].format_map(cells), _LONGEST, placeholder=" …")
    return Item(sentence.removesuffix(":"), row[0].href if isinstance(row[0], Link) else "")


def _figure_line(figure: Figure) -> str:
    """Return a figure as on the report's page, such as `Cost: 1,209.60 EUR (+12.30 EUR, +1.0 %)`."""
    said = figure_text(figure, settings.CURRENCY)
    change = f" ({said.change})" if said.change else ""
    return f"{said.label}: {said.text} {said.unit}".rstrip() + change
