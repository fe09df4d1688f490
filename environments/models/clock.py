"""The one clock that all workers share."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone


def database_now() -> Now | datetime:
    """Now by the database's clock, for queries: what is due and who works on it must not hang on one worker's clock.

    SQLite has no clock but this machine's, and tells it in milliseconds only.
    """
    return timezone.now() if connection.vendor == "sqlite" else Now()


def ahead() -> timedelta:
    """By how much this process's clock is ahead of the database's; below zero where it is behind. One query."""
    if connection.vendor == "sqlite":
        return timedelta(0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    difference: timedelta = timezone.now() - now
    return difference
