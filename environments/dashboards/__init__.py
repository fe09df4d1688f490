"""What the pages show, as plain dataclasses in a fixed number of queries."""

from environments.dashboards.approvals import Ask, asks, decided, waiting
from environments.dashboards.freshness import Stale, stale
from environments.dashboards.fullness import Bar, bars, fullest
from environments.dashboards.kept import Thing, things
from environments.dashboards.listing import Row, list_page, rows
from environments.dashboards.offers import Card, QuotaTable, approval_words, catalog, quota_table, tags
from environments.dashboards.page import EnvironmentPage, Notice, environment_page, notice
from environments.dashboards.running import Running, has_workloads, running
from environments.dashboards.steps import Line, poll_seconds, timeline
from environments.dashboards.usage_page import (
    CSV_HEADINGS,
    PERIODS,
    UsagePage,
    csv_rows,
    period_of,
    usage_page,
)
from environments.dashboards.versions import Newer, newer, shrinks

__all__ = [
    "CSV_HEADINGS",
    "PERIODS",
    "Ask",
    "Bar",
    "Card",
    "EnvironmentPage",
    "Line",
    "Newer",
    "Notice",
    "QuotaTable",
    "Row",
    "Running",
    "Stale",
    "Thing",
    "UsagePage",
    "approval_words",
    "asks",
    "bars",
    "catalog",
    "csv_rows",
    "decided",
    "environment_page",
    "fullest",
    "has_workloads",
    "list_page",
    "newer",
    "notice",
    "period_of",
    "poll_seconds",
    "quota_table",
    "rows",
    "running",
    "shrinks",
    "stale",
    "tags",
    "things",
    "timeline",
    "usage_page",
    "waiting",
]
