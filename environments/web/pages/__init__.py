"""What the pages show, as plain dataclasses in a fixed number of queries."""

from environments.web.pages.approvals import Ask, asks, decided, waiting
from environments.web.pages.freshness import Stale, stale
from environments.web.pages.fullness import Bar, bars, fullest
from environments.web.pages.kept import Thing, things
from environments.web.pages.listing import Row, list_page, rows
from environments.web.pages.offers import Card, QuotaTable, approval_words, catalog, quota_table, tags
from environments.web.pages.page import EnvironmentPage, Notice, environment_page, notice
from environments.web.pages.running import Running, has_workloads, running
from environments.web.pages.steps import Line, poll_seconds, timeline
from environments.web.pages.usage_page import CSV_HEADINGS, PERIODS, UsagePage, csv_rows, period_of, usage_page
from environments.web.pages.versions import Newer, newer, shrinks

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
