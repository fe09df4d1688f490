"""Tasks that email people about local accounts. They take ids, so that no link waits in the queue."""

from celery import shared_task


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
