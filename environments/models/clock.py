"""The one clock that all workers share."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, Value
from django.db.models.functions import Now
from django.utils import timezone


def database_now() -> Now | datetime:
    """Now by the database's clock, for queries: what is due and who works on it must not hang on one worker's clock.

    SQLite has no clock but this machine's, and tells it in milliseconds only.
    """
    return timezone.now() if connection.vendor == "sqlite" else Now()


def database_time() -> Now | Value:
    """The same as a column of what is read; None where the database has no clock of its own."""
    return Value(None, output_field=DateTimeField()) if connection.vendor == "sqlite" else Now()


def ahead(now: datetime | None) -> timedelta:
    """By how much this process's clock is ahead of the database's, which said `now`; below zero where it is behind."""
    return timezone.now() - now if now else timedelta(0)
