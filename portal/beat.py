"""Beat's scheduler keeps the schedule in memory, not in a file.

Celery's default writes a database file. If beat is killed, the next one may fail to open that file, again and again.
Without the file little is lost, because infrequent tasks run at fixed times of day.
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
