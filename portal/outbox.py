"""The demo's outbox: messages that the file-based mail backend wrote, for platform admins to read."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

_LIMIT = 100  # messages on the page
_SEPARATOR = b"\n" + b"-" * 79 + b"\n"  # what the backend puts after each message


@dataclass(frozen=True)
class Message:
    """One message that was sent."""

    subject: str
    to: str
    sent_at: datetime | None
    body: str


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """The newest messages. 404 if the portal sends real mail, 403 for all except platform admins."""
    if not settings.MAIL_FOLDER:
        raise Http404
    if not getattr(request.user, "is_platform_admin", False):
        raise PermissionDenied("Only platform admins can read the outbox.")
    messages = list(islice(_messages(Path(settings.MAIL_FOLDER)), _LIMIT))
    return render(request, "portal/outbox.html", {"messages_sent": messages})


def _messages(folder: Path) -> Iterator[Message]:
    """All messages, newest first; a file holds those of one connection, oldest first."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        parts = file.read_bytes().split(_SEPARATOR)
        yield from (_message(part) for part in reversed(parts) if part.strip())


def _message(raw: bytes) -> Message:
    parsed = email.message_from_bytes(raw, EmailMessage, policy=email.policy.default)
    date, body = parsed["Date"], parsed.get_body(("plain",))
    return Message(
        subject=str(parsed["Subject"] or "(no subject)"),
        to=str(parsed["To"] or ""),
        sent_at=getattr(date, "datetime", None),
        body=str(body.get_content()).strip() if body else "",
    )
