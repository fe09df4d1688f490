"""Beat's scheduler: the schedule is in the settings, and nothing of it in a file.

Celery's own default writes it to a database file. A beat that was killed can leave one that the next cannot open, and
that one dies of it, again and again. What is lost without a file is little: what comes seldom comes by the clock.
"""

from typing import Any

from celery.beat import Scheduler

from portal.celery import show_life


class InMemoryScheduler(Scheduler):
    """For `CELERY_BEAT_SCHEDULER`."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; touch ALIVE_FILE. Returns the seconds until the next is due."""
        show_life()
        return float(super().tick(*args, **kwargs))
