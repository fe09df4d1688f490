"""/metrics for Prometheus: counters of the processes, and current figures from the database.

Several processes on one machine or in one container write to PROMETHEUS_MULTIPROC_DIR, and any of them answers for all
(https://prometheus.github.io/client_python/multiprocess/). A worker elsewhere serves its own numbers on
METRICS_WORKER_PORT. Only the web serves the figures from the database, because they are the same everywhere.
"""

import hmac
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from celery import Task, signals
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from portal.figures import DatabaseCollector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which nothing here is computed from

REQUEST_SECONDS = Histogram(
    "portal_request_seconds",
    "Requests by view (never by address), method and status.",
    ["view", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
TASK_SECONDS = Histogram(
    "portal_task_seconds",
    "Tasks by name and the state they ended in.",
    ["task", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DATABASE = DatabaseCollector()
_started: dict[str, float] = {}  # by task id


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics to scrapers with METRICS_TOKEN: 401 without the token, 404 if none is set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _knows_token(request.headers.get("Authorization", "")):
        return HttpResponse("The token is missing or wrong.\n", "text/plain", 401, headers=_CHALLENGE)
    text = generate_latest(registry()) + generate_latest(_database_registry())
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="metrics"'}


def registry() -> CollectorRegistry:
    """This process's metrics, or those of all processes that share PROMETHEUS_MULTIPROC_DIR."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def _database_registry() -> CollectorRegistry:
    own = CollectorRegistry()
    own.register(_DATABASE)
    return own


def _knows_token(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    # Bytes: compare_digest takes no other texts than ASCII.
    same = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return same and scheme.lower() == "bearer"


class RequestMetricsMiddleware:
    """Measures every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        start = time.perf_counter()
        response = self._get_response(request)
        method = request.method if request.method in _METHODS else "OTHER"
        labels = (view_name(request), method, str(response.status_code))
        REQUEST_SECONDS.labels(*labels).observe(time.perf_counter() - start)
        return response


def view_name(request: HttpRequest) -> str:
    """The view's name. The URL configuration limits how many there are."""
    match = request.resolver_match
    if match is not None:
        return match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "unresolved"


@signals.task_prerun.connect
def task_starts(task_id: str, **_: Any) -> None:
    """Remember when a task starts."""
    _started[task_id] = time.perf_counter()


@signals.task_postrun.connect
def task_ends(task_id: str, task: "Task[..., Any]", state: str | None = None, **_: Any) -> None:
    """Measure a task."""
    start = _started.pop(task_id, None)
    if start is not None:
        TASK_SECONDS.labels(task.name, (state or "unknown").lower()).observe(time.perf_counter() - start)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds, so that a silent client does not hold a thread

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the parent's name)
        """Log nothing: Prometheus sends a request every few seconds."""


@signals.worker_ready.connect
def serve_worker(**_: Any) -> None:
    """Serve a worker's own metrics on METRICS_WORKER_PORT, if it is set."""
    if settings.METRICS_WORKER_PORT and settings.METRICS_TOKEN:
        server = make_server("", settings.METRICS_WORKER_PORT, worker_page, _Server, _Quiet)
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def worker_page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI application on a worker's port: `/metrics` and nothing else."""
    if environ.get("PATH_INFO") != "/metrics" or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Only /metrics is here.\n"]
    if not _knows_token(environ.get("HTTP_AUTHORIZATION", "")):
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), *_CHALLENGE.items()])
        return [b"The token is missing or wrong.\n"]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [generate_latest(registry())]
