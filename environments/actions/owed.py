"""What a change owes: one more reconcile, hurried up once the change is in."""

import uuid

from environments.lib import queue
from environments.models import Environment


def owe(*environments: uuid.UUID) -> None:
    """Owe these environments a reconcile each, and tell the workers once that is committed."""
    Environment.objects.filter(pk__in=environments).owe()
    for key in environments:
        queue.enqueue_after_commit(key)
