"""Reports for managers: figures, charts and tables. The page, the CSV and the spreadsheet are made from the same rows.

A report is a module with a form (its filters) and `build(filters) -> Report`. `_REPORT_TYPES` gives it its address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.utils import timezone

from environments.models import User
from environments.reports import access, attention, cost, idle, landing, overview, reservation, reviews, trends
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Report


@dataclass(frozen=True)
class ReportType:
    """One of the reports. `question` is the question that it answers for a manager."""

    slug: str
    title: str
    question: str
    form: type[FiltersForm]
    build: Callable[[Filters], Report]


_REPORT_TYPES = (
    ReportType(
        overview.SLUG,
        "Overview",
        "How many environments are there, how many are new, and how fast were they ready?",
        FiltersForm,
        overview.build,
    ),
    ReportType(
        reservation.SLUG,
        "Reservation and usage",
        "How much of the reserved capacity is used?",
        reservation.ReservationForm,
        reservation.build,
    ),
    ReportType(
        idle.SLUG,
        "Idle and oversized",
        "Which environments could be smaller, and how much would that save?",
        idle.IdleForm,
        idle.build,
    ),
    ReportType(
        reviews.SLUG,
        "Still needed",
        "Who was asked whether environments are still needed, and what did the answers free?",
        FiltersForm,
        reviews.build,
    ),
    ReportType(
        cost.SLUG, "Cost", "What did environments cost, by team, template, cluster or owner?", cost.CostForm, cost.build
    ),
    ReportType(
        attention.SLUG,
        "Needs attention",
        "Which environments failed, have no owner, or expire soon?",
        attention.AttentionForm,
        attention.build,
    ),
    ReportType(
        access.SLUG,
        "Access review",
        "Who has access to which environments, since when, and who granted it?",
        access.AccessForm,
        access.build,
    ),
    ReportType(
        trends.SLUG, "Trends", "How do environments, usage and cost change over time?", trends.TrendsForm, trends.build
    ),
)

#: The reports by slug, in the order of the tabs.
REPORTS: Mapping[str, ReportType] = {kind.slug: kind for kind in _REPORT_TYPES}


def today() -> date:
    """Return the current day in UTC, to which relative periods refer."""
    return timezone.now().astimezone(UTC).date()


def form_for(kind: ReportType, data: Mapping[str, Any], user: User) -> FiltersForm:
    """Return a report's filter form, filled in from the address."""
    return kind.form(data, user, today())


__all__ = ["REPORTS", "ReportType", "form_for", "landing", "today"]
