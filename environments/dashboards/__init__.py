"""What the pages show, as plain dataclasses in a fixed number of queries."""

from environments.dashboards.fullness import BAD, WARN, Bar, bars
from environments.dashboards.kept import Thing, things
from environments.dashboards.listing import Row, rows
from environments.dashboards.offers import Card, QuotaTable, catalog, quota_table, tags
from environments.dashboards.page import EnvironmentPage, Notice, environment_page, notice
from environments.dashboards.steps import Line, poll_seconds, timeline
from environments.dashboards.versions import Newer, newer, shrinks

__all__ = [
    "BAD",
    "WARN",
    "Bar",
    "Card",
    "EnvironmentPage",
    "Line",
    "Newer",
    "Notice",
    "QuotaTable",
    "Row",
    "Thing",
    "bars",
    "catalog",
    "environment_page",
    "newer",
    "notice",
    "poll_seconds",
    "quota_table",
    "rows",
    "shrinks",
    "tags",
    "things",
    "timeline",
]
