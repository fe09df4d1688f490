"""The Celery application. Tasks are in environments/tasks.py, the schedule in the settings."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import heartbeat_sent
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal", fixups=["portal.celery_connections:fixup"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@heartbeat_sent.connect
def show_life(**_: object) -> None:
    """Touch ALIVE_FILE: for a worker, at every heartbeat to the broker. A liveness probe looks at its age."""
    if path := settings.ALIVE_FILE:
        Path(path).touch()
