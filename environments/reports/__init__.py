"""Reports for managers: figures, charts and tables, the same rows for the page, the CSV and the spreadsheet.

A report is a module with a form (its filters) and `build(filters) -> Report`; its line below gives it its address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.utils import timezone

from environments.models import User
from environments.reports import access, attention, cost, idle, landing, overview, reservation, trends
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Report


@dataclass(frozen=True)
class ReportType:
    """One report that can be asked for. `question` is what it answers, in a manager's words."""

    slug: str
    title: str
    question: str
    form: type[FiltersForm]
    build: Callable[[Filters], Report]


_REPORT_TYPES = (
    ReportType(
        overview.SLUG,
        "Overview",
        "How many environments, how many new ones, how soon were they ready?",
        FiltersForm,
        overview.build,
    ),
    ReportType(
        reservation.SLUG,
        "Reservation and use",
        "How much of what is reserved is used?",
        reservation.ReservationForm,
        reservation.build,
    ),
    ReportType(
        idle.SLUG,
        "Idle and oversized",
        "What could be given back, and what would that save?",
        idle.IdleForm,
        idle.build,
    ),
    ReportType(cost.SLUG, "Cost", "What did it cost, and for whom?", cost.CostForm, cost.build),
    ReportType(
        attention.SLUG,
        "Attention",
        "What failed, lost its owner or ends soon?",
        attention.AttentionForm,
        attention.build,
    ),
    ReportType(
        access.SLUG,
        "Access review",
        "Who has access to what, since when, granted by whom?",
        access.AccessForm,
        access.build,
    ),
    ReportType(trends.SLUG, "Trends", "Is it growing?", trends.TrendsForm, trends.build),
)

#: The reports by their slug, in the order of the tabs.
REPORTS: Mapping[str, ReportType] = {kind.slug: kind for kind in _REPORT_TYPES}


def today() -> date:
    """The day by which relative periods are reckoned: UTC's."""
    return timezone.now().astimezone(UTC).date()


def form_for(kind: ReportType, data: Mapping[str, Any], user: User) -> FiltersForm:
    """The report's filters as they stand in the address."""
    return kind.form(data, user, today())


__all__ = ["REPORTS", "ReportType", "form_for", "landing", "today"]
