"""Messages about local accounts, sent by a worker: ids in, so that no link waits in the queue."""

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


@shared_task(name="portal.send_invitation")
def send_invitation(invitation_id: int) -> None:
    """Send somebody the link to their account."""
    from portal.local import invitations

    invitations.send(invitation_id)


@shared_task(name="portal.send_password_reset")
def send_password_reset(user_id: int) -> None:
    """Send somebody the link to a new password; 0 is nobody."""
    from portal.local import passwords

    passwords.send_reset(user_id)


def enqueue(task: "Task[..., None]", row_id: int) -> bool:
    """Hand a message to the workers; whether the broker took it."""
    try:
        task.apply_async((row_id,), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("the broker took no message (%s)", type(error).__name__)
        return False
    return True
