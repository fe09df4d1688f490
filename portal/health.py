"""Probes: whether the portal is alive, whether it is ready, and what is degraded.

*Not ready* takes a process out of service, so it applies only if nothing can be served: without a database, or with
migrations missing. Everything else is *degraded*: with a broker or a cluster down, pages still answer and requests are
stored. Answers contain names and states, never addresses or error texts.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils import timezone
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from environments.lib import looks
from portal import figures
from portal.celery import app

_BROKER_SECONDS = 1
_PATIENCE = 60.0  # seconds: the least that work may wait before anybody is told


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while requests can be served, else 503; with what is degraded."""
    database = database_state()
    migrations = migrations_state() if database == "ok" else "unknown"
    broker = broker_state()
    ready = database == migrations == "ok"
    degraded = [] if broker == "ok" else ["broker: not answering"]
    degraded += _degraded() if ready else []
    status = "unready" if not ready else "degraded" if degraded else "ok"
    answer: dict[str, Any] = {"status": status, "database": database, "migrations": migrations, "broker": broker}
    return JsonResponse(answer | {"degraded": degraded}, status=200 if ready else 503)


class ProbesMiddleware:
    """Answers probes and scrapes before Django checks their Host, because they use a container's address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or pass on."""
        if request.path_info not in settings.PROBES:
            return self._get_response(request)
        match = request.resolver_match = resolve(request.path_info)
        response: HttpResponseBase = match.func(request)
        return response


def database_state() -> str:
    """`ok`, or what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "not answering"
    return "ok"


class _Migrations:
    """Whether all migrations of this version are applied: once they are, they stay so."""

    def __init__(self) -> None:
        self._applied = False

    def forget(self) -> None:
        """Look anew next time."""
        self._applied = False

    def __call__(self) -> str:
        if not self._applied:
            try:
                executor = MigrationExecutor(connection)
                self._applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
            except DatabaseError:
                return "unknown"
        return "ok" if self._applied else "missing"


migrations_state = _Migrations()


def forget() -> None:
    """Have the migrations looked at anew, in a process that changed the database itself."""
    migrations_state.forget()


def broker_state() -> str:
    """Check the broker. A frozen broker accepts connections and never answers, so each wait has a limit."""
    url = settings.CELERY_BROKER_URL
    try:
        ask = _ping_redis if url.startswith(("redis:", "rediss:")) else _connect
        ask(url)
    except (OperationalError, RedisError, OSError):
        return "not answering"
    return "ok"


def _ping_redis(url: str) -> None:
    """Ping without the retries of redis-py and kombu, which take longer than any probe waits."""
    url = re.sub(r"(?<=ssl_cert_reqs=)CERT_(\w+)", lambda found: found[1].lower(), url)  # Celery's spelling
    limits = {"socket_timeout": _BROKER_SECONDS, "socket_connect_timeout": _BROKER_SECONDS}
    with Redis.from_url(url, retry=Retry(NoBackoff(), 0), **limits) as client:
        client.ping()


def _connect(url: str) -> None:
    with app.connection_for_write(url, connect_timeout=_BROKER_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_SECONDS)


def _degraded() -> list[str]:
    try:
        return list(_complaints(figures.current()))
    except DatabaseError:
        return ["figures: the database did not give them"]


def _complaints(found: figures.Figures) -> Iterator[str]:
    """Name everything that has waited for too long."""
    if found.owed_age > max(_PATIENCE, 6 * settings.SWEEP_SECONDS):
        yield "queue: work is waiting, worker or beat may be silent"
    if found.mails_age > max(10 * _PATIENCE, 6 * settings.SWEEP_SECONDS):
        yield "mail: messages are waiting"
    late = max(_PATIENCE, 3 * settings.OBSERVE_SECONDS)
    for cluster in found.clusters:
        if cluster.lag is not None and cluster.lag > late:
            yield f"cluster {cluster.slug}: {'not answering' if cluster.has_error else 'not read for a while'}"
        elif unread := looks.overdue(cluster.looks, timezone.now(), timedelta(seconds=settings.OBSERVE_SECONDS)):
            yield f"cluster {cluster.slug}: not read in full ({', '.join(look.plural for look in unread)})"
        if cluster.is_unguarded:
            yield f"cluster {cluster.slug}: admission policies no longer as installed ({cluster.policies})"
