"""gunicorn's settings: `gunicorn portal.wsgi --config python:portal.gunicorn`, with the rest on its command line.

Its lines look like the portal's, a setting that cannot be used ends the master at once, and a worker that ended
leaves no figures that count as live.
"""

from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from portal import env, logs

env.insist()

logconfig_dict = logs.configuration(
    env.read("LOG_LEVEL"), env.read("LOG_FORMAT") or ("text" if env.read("DEBUG") else "json")
)


def child_exit(server: Any, worker: Any) -> None:
    """Called in the master when a worker has ended."""
    if env.read("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
