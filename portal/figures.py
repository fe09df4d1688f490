"""What the database knows at this moment, for /metrics and /readyz: four queries, however much there is."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Case, Count, DateTimeField, Exists, F, Min, OuterRef, Subquery, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event

_KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class ClusterFigures:
    """How many seconds ago a cluster was last read to the end, and whether anything was wrong at the last try.

    One without environments is not read, and has no lag. `policies` is what it has of the admission policies, empty
    where nobody looked or it is gone for good; `is_unguarded` where it had them and no longer has them as installed.
    """

    slug: str
    lag: float | None
    has_error: bool
    policies: str
    is_unguarded: bool


@dataclass(frozen=True)
class Figures:
    """The state of the whole. Ages are in seconds, 0 where nothing waits."""

    phases: dict[str, int]
    owed: int
    owed_age: float
    mails: int
    mails_age: float
    clusters: tuple[ClusterFigures, ...]


def read() -> Figures:
    """The figures now. Raises DatabaseError."""
    now = timezone.now()
    owed = Environment.objects.owed().order_by().aggregate(count=Count("pk"), oldest=Min(_owed_since()))
    mails = Event.objects.filter(notice_owed=True).order_by().aggregate(count=Count("pk"), oldest=Min("at"))
    found = Environment.objects.order_by().values_list("phase").annotate(count=Count("pk"))
    return Figures(
        phases=dict.fromkeys(Phase.values, 0) | dict(found),
        owed=owed["count"],
        owed_age=_age(owed["oldest"], now),
        mails=mails["count"],
        mails_age=_age(mails["oldest"], now),
        clusters=tuple(_clusters(now)),
    )


def _owed_since() -> Case:
    """Since when a reconcile is owed: the time of the request, of the last change asked for, or of the next try."""
    last_event = Event.objects.filter(environment=OuterRef("pk")).order_by("-at").values("at")[:1]
    return Case(
        When(observed_generation=0, then="created_at"),
        When(observed_generation__lt=F("generation"), then=Coalesce(Subquery(last_event), "created_at")),
        default="next_reconcile_at",
        output_field=DateTimeField(),
    )


def _clusters(now: datetime) -> Iterator[ClusterFigures]:
    first = Min("environments__created_at")
    unguarded = Exists(Cluster.objects.unguarded().filter(pk=OuterRef("pk")))
    rows = Cluster.objects.order_by("slug").annotate(first=first, unguarded=unguarded)
    columns = ("slug", "first", "observed_at", "check_error", "lost_at", "admission_state", "unguarded")
    for row in rows.values(*columns):
        yield ClusterFigures(
            slug=row["slug"],
            lag=_age(row["observed_at"] or row["first"], now) if row["first"] else None,
            has_error=bool(row["check_error"]),
            policies="" if row["lost_at"] else row["admission_state"],
            is_unguarded=row["unguarded"],
        )


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


class _Kept:
    """The last figures, for as long as they are fresh enough; one thread reads them for all that ask meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures: Figures | None = None
        self._until = 0.0

    def get(self) -> Figures:
        """Raises DatabaseError."""
        with self._lock:
            if self._figures is None or time.monotonic() >= self._until:
                self._figures = read()
                self._until = time.monotonic() + _KEPT_SECONDS
            return self._figures

    def forget(self) -> None:
        """Have the next to ask read anew."""
        self._until = 0.0


_kept = _Kept()
current, forget = _kept.get, _kept.forget


class DatabaseCollector(Collector):
    """The figures as gauges. A database that does not answer leaves portal_database_up at 0 and the rest out."""

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        try:
            figures = current()
        except DatabaseError:
            yield GaugeMetricFamily("portal_database_up", _UP, value=0)
            return
        yield GaugeMetricFamily("portal_database_up", _UP, value=1)
        phases = GaugeMetricFamily("portal_environments", "Environments by phase.", labels=["phase"])
        for phase, count in figures.phases.items():
            phases.add_metric([phase], count)
        yield phases
        yield GaugeMetricFamily("portal_owed", "Environments that no worker has come to yet.", value=figures.owed)
        yield GaugeMetricFamily("portal_owed_age_seconds", "How long the oldest of them waits.", value=figures.owed_age)
        yield GaugeMetricFamily("portal_mails_owed", "E-mails still to be sent.", value=figures.mails)
        yield GaugeMetricFamily("portal_mails_owed_age_seconds", "How long the oldest waits.", value=figures.mails_age)
        lag = GaugeMetricFamily(
            "portal_collector_lag_seconds", "Time since a cluster was last read to the end.", labels=["cluster"]
        )
        policies = GaugeMetricFamily(
            "portal_cluster_policies",
            "What a cluster had of the admission policies at the last look: 1 for that state.",
            labels=["cluster", "state"],
        )
        for cluster in figures.clusters:
            if cluster.lag is not None:
                lag.add_metric([cluster.slug], cluster.lag)
            for state in Cluster.AdmissionState.values if cluster.policies else ():
                policies.add_metric([cluster.slug, state], state == cluster.policies)
        yield lag
        yield policies


_UP = "Whether the database answers."
