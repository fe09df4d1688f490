"""The Celery application. Tasks are in environments/tasks.py, the schedule in the settings."""

import gc
import os
from importlib import import_module
from pathlib import Path

from celery import Celery
from celery.signals import heartbeat_sent, worker_before_create_process
from django.conf import settings
from django.template import engines

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal", fixups=["portal.celery_connections:fixup"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@heartbeat_sent.connect
def show_life(**_: object) -> None:
    """Touch ALIVE_FILE: for a worker, at every heartbeat to the broker. A liveness probe looks at its age."""
    if path := settings.ALIVE_FILE:
        Path(path).touch()


@worker_before_create_process.connect
def share_memory(**_: object) -> None:
    """Load what every task needs before the first fork, and keep the garbage collector from touching it afterwards.

    The processes of a worker share memory until one writes to it, and the collector writes to all that it looks at.
    """
    import_module(settings.ROOT_URLCONF)  # for the links in emails
    engines.all()
    gc.collect()
    gc.freeze()
