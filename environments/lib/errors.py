"""The only two errors that leave an adapter: come back later, or a person has to act.

    ReconcileError
     ├── TemporaryError   the same call may succeed later; `retry_after` says when
     └── PermanentError   it will not, until a person changes something

Every foreign exception (Kubernetes, HTTP, TLS, socket) is translated into one of them where it enters,
with a sentence that can be shown to a developer and holds no secret.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One thing that a server says is wrong with what it was sent: the field, such as `spec.hard[pods]`, and why."""

    field: str
    message: str


class ReconcileError(Exception):
    """What went wrong, as a sentence for a person.

    `reason` is one CamelCase word for machines, as in a Kubernetes condition.
    """

    def __init__(self, message: str, *, reason: str = "Error") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class TemporaryError(ReconcileError):
    """Try again later. `retry_after` is in seconds; None leaves it to the back-off."""

    def __init__(self, message: str, *, reason: str = "Unavailable", retry_after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class PermanentError(ReconcileError):
    """Trying again changes nothing until a person does. `causes`: the fields that a server found wrong, if it said."""

    def __init__(self, message: str, *, reason: str = "Refused", causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message, reason=reason)
        self.causes = causes
