"""Carries log ids from requests to tasks: message headers transport them, and every line of the task shows them."""

from contextlib import AbstractContextManager
from typing import Any

from celery import Task, signals

from environments.lib import log_context
from portal.logs import well_formed

_REQUEST, _USER = "portal_request_id", "portal_user"
_open: dict[str, AbstractContextManager[None]] = {}  # by task id


@signals.setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Do nothing: Django has set logging up, and a connected receiver keeps Celery from changing it."""


@signals.before_task_publish.connect
def write_headers(headers: dict[str, Any], **_: Any) -> None:
    """Send the ids along."""
    fields = log_context.fields()
    headers |= {_REQUEST: fields.get("request_id", ""), _USER: fields.get("user", "")}


@signals.task_prerun.connect
def enter(task_id: str, task: "Task[..., Any]", **_: Any) -> None:
    """Set the log context of a task. A scheduled task starts with its own id."""
    fields = {
        "request_id": well_formed(str(getattr(task.request, _REQUEST, None) or "")) or task_id,
        "user": str(getattr(task.request, _USER, None) or "")[:40],
        "task": task.name,
        "task_id": task_id,
    }
    block = log_context.bound(**fields)
    block.__enter__()
    _open[task_id] = block


@signals.task_postrun.connect
def leave(task_id: str, **_: Any) -> None:
    """Clear the log context, because the thread continues with another task."""
    if block := _open.pop(task_id, None):
        block.__exit__(None, None, None)
