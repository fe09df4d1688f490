"""The monthly summary: what a manager asks about their teams, in one e-mail on the first of each month.

Its figures are those of the reports that it links to, made by the same functions.
"""

from environments.reports.summaries.sending import choose, due, latest, next_day, send

__all__ = ["choose", "due", "latest", "next_day", "send"]
