"""Current figures from the database, for /metrics and /readyz: always five queries, however many rows there are."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Case, Count, DateTimeField, Exists, F, Min, OuterRef, Subquery, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from environments.kube.kinds import RESOURCES
from environments.lib import looks
from environments.lib.looks import KindLook
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event, Letter

_KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class ClusterFigures:
    """Seconds since a cluster's quotas were last read in full, and whether something failed in the last try.

    The portal does not read clusters without environments, and they have no lag. `policies` is the state of the
    admission policies, empty before the first check and for lost clusters; `is_unguarded` if they are no longer as
    installed; `looks`: when each kind of object was last read in full.
    """

    slug: str
    lag: float | None
    has_error: bool
    policies: str
    is_unguarded: bool
    looks: tuple[KindLook, ...] = ()


@dataclass(frozen=True)
class Figures:
    """The state of the whole portal. Ages are in seconds, 0 if nothing waits."""

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
    due = Letter.objects.filter(sent_at=None, due_at__lte=now).aggregate(count=Count("pk"), oldest=Min("due_at"))
    found = Environment.objects.order_by().values_list("phase").annotate(count=Count("pk"))
    return Figures(
        phases=dict.fromkeys(Phase.values, 0) | dict(found),
        owed=owed["count"],
        owed_age=_age(owed["oldest"], now),
        mails=mails["count"] + due["count"],
        mails_age=max(_age(mails["oldest"], now), _age(due["oldest"], now)),
        clusters=tuple(_clusters(now)),
    )


def _owed_since() -> Case:
    """Since when a reconcile is owed: the time of the request, of the last requested change, or of the next try."""
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
    columns = ("slug", "first", "observed_at", "check_error", "lost_at", "admission_state", "kind_looks", "unguarded")
    for row in rows.values(*columns):
        yield ClusterFigures(
            slug=row["slug"],
            lag=_age(row["observed_at"] or row["first"], now) if row["first"] else None,
            has_error=bool(row["check_error"]),
            policies="" if row["lost_at"] else row["admission_state"],
            is_unguarded=row["unguarded"],
            looks=() if row["lost_at"] else _looks(row["kind_looks"]),
        )


def _looks(stored: Any) -> tuple[KindLook, ...]:
    """The kinds that the portal knows: no label of a metric comes from outside."""
    return tuple(look for kind, look in sorted(looks.read(stored).items()) if kind in RESOURCES)


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


class _Kept:
    """A short-lived cache of the figures; one thread reads them for all threads that wait."""

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
        """Empty the cache."""
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
        yield from _of_work(figures)
        yield from _of_clusters(figures.clusters)


def _of_work(figures: Figures) -> Iterator[Metric]:
    phases = GaugeMetricFamily("portal_environments", "Environments by phase.", labels=["phase"])
    for phase, count in figures.phases.items():
        phases.add_metric([phase], count)
    yield phases
    yield GaugeMetricFamily("portal_owed", "Environments that wait for a worker.", value=figures.owed)
    yield GaugeMetricFamily("portal_owed_age_seconds", "How long the oldest one has waited.", value=figures.owed_age)
    yield GaugeMetricFamily("portal_mails_owed", "Emails that wait to be sent.", value=figures.mails)
    yield GaugeMetricFamily("portal_mails_owed_age_seconds", "How long the oldest has waited.", value=figures.mails_age)


def _of_clusters(clusters: Iterable[ClusterFigures]) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "portal_collector_lag_seconds", "Time since a cluster's quotas were last read in full.", labels=["cluster"]
    )
    unread = GaugeMetricFamily(
        "portal_cluster_look_age_seconds",
        "Time since all objects of a kind were last read, or since the first try.",
        labels=["cluster", "kind"],
    )
    policies = GaugeMetricFamily(
        "portal_cluster_policies",
        "State of the admission policies at the last check: 1 for that state.",
        labels=["cluster", "state"],
    )
    for cluster in clusters:
        if cluster.lag is not None:
            lag.add_metric([cluster.slug], cluster.lag)
            for look in cluster.looks:
                unread.add_metric([cluster.slug, look.kind], _age(look.known_at, timezone.now()))
        for state in Cluster.AdmissionState.values if cluster.policies else ():
            policies.add_metric([cluster.slug, state], state == cluster.policies)
    yield lag
    yield unread
    yield policies


_UP = "Whether the database answers."
