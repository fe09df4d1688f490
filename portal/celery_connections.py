"""Keeps database connections open between tasks, as Django does between requests.

Celery closes them before and after every task. PostgreSQL starts a process for each new connection, which takes about
as long as all queries of a reconcile.
"""

from functools import cached_property
from typing import Any

from celery import Celery
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup  # type: ignore[attr-defined]  # stubs lack the latter
from django.db import close_old_connections


class _WorkerFixup(DjangoWorkerFixup):
    def close_database(self, **_: Any) -> None:
        """Close what is broken or older than CONN_MAX_AGE. Called before and after each task, in its thread."""
        close_old_connections()


class _Fixup(DjangoFixup):
    @cached_property
    def worker_fixup(self) -> DjangoWorkerFixup:
        return _WorkerFixup(self.app)


def fixup(app: Celery) -> DjangoFixup:
    """For `Celery(fixups=…)`."""
    found = _Fixup(app)
    found.install()
    return found
