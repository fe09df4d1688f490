"""Django's SMTP backend with the portal's TLS policy, and counters for sent and failed emails."""

import ssl
from collections.abc import Sequence
from functools import cached_property

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from environments.lib import metrics, tls


class EmailBackend(smtp.EmailBackend):
    """Counts emails that the mail server accepted or rejected."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """How the mail server's certificate is checked."""
        return tls.context()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Return how many were sent. Raises like Django's own backend."""
        try:
            sent = super().send_messages(email_messages) or 0
        except Exception:
            metrics.mailed(len(email_messages), "failed")
            raise
        metrics.mailed(sent, "sent")
        return sent
