"""Reports for managers: figures, charts and tables, the same rows for the page, the CSV and the spreadsheet.

A report is a module with a form (its filters) and `build(filters) -> Report`; its line below gives it its address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.utils import timezone

from environments.models import User
from environments.reports import cost
from environments.reports.filters import Filters, FiltersForm
from environments.reports.tables import Report


@dataclass(frozen=True)
class Kind:
    """One report that can be asked for. `question` is what it answers, in a manager's words."""

    slug: str
    title: str
    question: str
    form: type[FiltersForm]
    build: Callable[[Filters], Report]


REPORTS: Mapping[str, Kind] = {
    kind.slug: kind for kind in (Kind("cost", "Cost", "What did it cost, and for whom?", cost.CostForm, cost.build),)
}


def today() -> date:
    """The day by which relative periods are reckoned: UTC's."""
    return timezone.now().astimezone(UTC).date()


def form_for(kind: Kind, data: Mapping[str, Any], user: User) -> FiltersForm:
    """The report's filters as they stand in the address."""
    return kind.form(data, user, today())
