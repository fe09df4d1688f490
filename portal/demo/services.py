"""Queue and web server inside this process: an in-memory broker, a worker and the scheduler as threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.beat import EmbeddedService
from celery.worker import WorkController
from waitress.server import create_server

from portal.celery import app
from portal.wsgi import application

_WORKER_THREADS = 4
_WEB_THREADS = 8
_GRACE = 8.0  # seconds for tasks under way to end; what is cut off is done again by the next run


@contextmanager
def queue() -> Iterator[None]:
    """A Celery worker and its beat for as long as the block lasts."""
    app.autodiscover_tasks(force=True)
    worker: Any = WorkController(
        app=app, pool_cls="threads", concurrency=_WORKER_THREADS, without_gossip=True, without_mingle=True,
        without_heartbeat=True, loglevel="WARNING",
    )  # fmt: skip
    threading.Thread(target=worker.start, name="worker", daemon=True).start()
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
    beat.daemon = True
    beat.start()
    try:
        yield
    finally:
        beat.stop()
        # What has not begun is asked for again by the next run's sweep: no one waits for it now.
        worker.pool.executor.shutdown(wait=False, cancel_futures=True)
        ending = threading.Thread(target=worker.stop, kwargs={"in_sighandler": False}, name="ending", daemon=True)
        ending.start()
        ending.join(_GRACE)


@contextmanager
def web(port: int) -> Iterator[None]:
    """The portal on a port for as long as the block lasts."""
    server = create_server(application, host="localhost", port=port, threads=_WEB_THREADS, ident="")
    threading.Thread(target=server.run, name="web", daemon=True).start()
    try:
        yield
    finally:
        server.close()
