"""What the pages show, as plain dataclasses in a fixed number of queries."""

from environments.web.pages.approvals import approval_requests, decidable, decided, totals_after, waiting
from environments.web.pages.changes import change_requests, decided_changes, price_of, waiting_changes
from environments.web.pages.home import home_page
from environments.web.pages.listing import list_page, rows
from environments.web.pages.network import network_page
from environments.web.pages.offers import approval_words, catalog, not_isolating, quota_table
from environments.web.pages.page import EnvironmentPage, environment_page
from environments.web.pages.running import has_workloads, running
from environments.web.pages.sign_in import sign_in_part
from environments.web.pages.usage_page import CSV_HEADINGS, PERIODS, csv_rows, period_of, usage_page
from environments.web.pages.versions import newer

__all__ = [
    "CSV_HEADINGS",
    "PERIODS",
    "EnvironmentPage",
    "approval_requests",
    "approval_words",
    "catalog",
    "change_requests",
    "csv_rows",
    "decidable",
    "decided",
    "decided_changes",
    "environment_page",
    "has_workloads",
    "home_page",
    "list_page",
    "network_page",
    "newer",
    "not_isolating",
    "period_of",
    "price_of",
    "quota_table",
    "rows",
    "running",
    "sign_in_part",
    "totals_after",
    "usage_page",
    "waiting",
    "waiting_changes",
]
