"""Tasks that email people about local accounts. They take ids, so that no link waits in the queue."""

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


@shared_task(name="portal.send_invitation")
def send_invitation(invitation_id: int) -> None:
    """Send an invitation's link."""
    from portal.local import invitations

    invitations.send(invitation_id)


@shared_task(name="portal.send_password_reset")
def send_password_reset(user_id: int) -> None:
    """Send a password reset link; with id 0, send nothing."""
    from portal.local import passwords

    passwords.send_reset(user_id)


def enqueue(task: "Task[..., None]", row_id: int) -> bool:
    """Enqueue a message, and return whether the broker accepted it."""
    try:
        task.apply_async((row_id,), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("the broker took no message (%s)", type(error).__name__)
        return False
    return True
