"""The monthly summary: an email to managers about their teams, on the first of each month.

The figures come from the same functions as the reports that the email links to.
"""

from environments.reports.summaries.sending import choose, due, latest, next_day, send

__all__ = ["choose", "due", "latest", "next_day", "send"]
