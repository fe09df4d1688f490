"""Django's SMTP backend, with what went out and what did not counted."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from environments.lib import metrics


class EmailBackend(smtp.EmailBackend):
    """Counts e-mails by whether the mail server took them."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """How many went out. Raises as Django's own does."""
        try:
            sent = super().send_messages(email_messages) or 0
        except Exception:
            metrics.mailed(len(email_messages), "failed")
            raise
        metrics.mailed(sent, "sent")
        return sent
