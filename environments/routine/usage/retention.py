"""Pruning: each kind of row is kept as long as its setting says, and deleted in small batches.

Hours go by whole days, and never before their day is rolled up.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from environments.models import Consumption
from environments.models.usage import Span, Usage
from environments.routine.usage.counting import DAY, day_of
from environments.routine.usage.rolling import roll_up_day

BATCH = 2000  # rows a statement


def prune(now: datetime | None = None) -> int:
    """Delete what is older than the settings keep; gives how many rows."""
    today = day_of(now or timezone.now())
    first = today - timedelta(days=settings.USAGE_HOURLY_DAYS)
    deleted = _prune_hours(first)
    days = Usage.objects.filter(span=Span.DAY, start__lt=today - timedelta(days=settings.USAGE_DAILY_DAYS))
    deleted += _delete(days)
    for span, kept in (
        (Consumption.Span.DAY, settings.CONSUMPTION_DAILY_DAYS),
        (Consumption.Span.WEEK, settings.CONSUMPTION_DAILY_DAYS),
        (Consumption.Span.MONTH, settings.CONSUMPTION_MONTHLY_DAYS),
    ):
        deleted += _delete(Consumption.objects.filter(span=span, start__lt=(today - timedelta(days=kept)).date()))
    return deleted


def _prune_hours(first: datetime) -> int:
    """Delete the hours before a day, oldest day first."""
    deleted = 0
    hours = Usage.objects.filter(span=Span.HOUR, start__lt=first).order_by("start")
    while (oldest := hours.values_list("start", flat=True).first()) is not None:
        day = day_of(oldest)
        roll_up_day(day)
        deleted += _delete(hours.filter(start__lt=day + DAY))
    return deleted


def _delete(rows: QuerySet[Any]) -> int:
    """Delete rows a batch at a time: no long transaction, no large answer."""
    deleted = 0
    while keys := list(rows.order_by("start").values_list("pk", flat=True)[:BATCH]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted
