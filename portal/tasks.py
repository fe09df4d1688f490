"""Messages about local accounts, sent by a worker: ids in, so that no link waits in the queue."""

from celery import shared_task


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
