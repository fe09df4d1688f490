"""What the Kubernetes API answers when something is wrong, as one of our two errors.

Source: meta/v1 Status, https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from typing import Any

from environments.errors import PermanentError, ReconcileError, TemporaryError

#: An applied manifest that does not fit the schema is answered with 500, yet trying again changes nothing.
_MISFITS = ("failed to create typed patch object", "failed to convert new object")


class NotFoundError(PermanentError):
    """404: the object, or the namespace it should be in, is not there."""


class AlreadyExistsError(PermanentError):
    """409 on create: the name is taken."""


def unreachable(error: Exception) -> TemporaryError:
    """A call without an answer. The client's own words are left out: they may hold addresses and headers."""
    text = str(error)
    if "certificate" in text.lower() or "SSLError" in text:
        return TemporaryError("The cluster's certificate is not the expected one.", reason="BadCertificate")
    if "timed out" in text.lower():
        return TemporaryError("The cluster did not answer in time.", reason="Timeout")
    return TemporaryError("The cluster cannot be reached.", reason="Unreachable")


def translate(status: int, answer: Any, retry_after: str | None) -> ReconcileError:
    """An error answer as one of ours. Source: meta/v1 Status, api-concepts#status-codes."""
    answer = answer if isinstance(answer, dict) else {}
    message = str(answer.get("message") or f"HTTP status {status}")[:400]
    reason = str(answer.get("reason") or f"Status{status}")
    details = answer.get("details") or {}
    delay = _seconds(retry_after or details.get("retryAfterSeconds"))
    if status == 401:
        return TemporaryError(
            "The cluster does not accept the portal's credential. A platform admin has to renew it.",
            reason="Unauthorized",
            retry_after=60,
        )
    if status == 404:
        return NotFoundError(f"The cluster says: {message}", reason="NotFound")
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExistsError(f"The cluster says: {message}", reason=reason)
        return TemporaryError(f"Somebody changed the object at the same time: {message}", reason="Conflict")
    if status == 403 and "being terminated" in message:
        return TemporaryError("The namespace is being deleted.", reason="NamespaceTerminating")
    if status == 429:
        return TemporaryError("The cluster asks us to slow down (429).", reason="TooManyRequests", retry_after=delay)
    if status >= 500 and not message.startswith(_MISFITS):
        return TemporaryError(f"The cluster has a problem ({status}): {message}", reason=reason, retry_after=delay)
    return PermanentError(f"The cluster refuses ({status}): {message}", reason=reason)


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None
