"""Tasks about accounts and sessions. Those that email people take ids, so that no link waits in the queue."""

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


@shared_task(name="portal.clear_sessions")
def clear_sessions() -> None:
    """Delete sessions that have expired: they hold ID tokens, and few people sign out."""
    from django.contrib.sessions.backends.db import SessionStore

    SessionStore.clear_expired()
