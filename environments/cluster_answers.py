"""What the Kubernetes API answers when something is wrong, as one of our two errors.

Source: meta/v1 Status, https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import math
from datetime import datetime
from typing import Any

from environments.errors import PermanentError, ReconcileError, TemporaryError

#: An applied manifest that does not fit the schema is answered with 500, yet trying again changes nothing.
_MISFITS = ("failed to create typed patch object", "failed to convert new object")


class NotFoundError(PermanentError):
    """404: the object, or the namespace it should be in, is not there."""


class AlreadyExistsError(PermanentError):
    """409 on create: the name is taken."""


Object = dict[str, Any]

_MOST_SECONDS = 3600  # that anybody asks us to wait
_LIMITS = {"name": 253, "uid": 64, "namespace": 63}  # characters; a uid as the portal stores it
_MAPS = ("spec", "status", "metadata.labels", "metadata.annotations", "status.hard", "status.used")
_LISTS = ("metadata.managedFields", "status.conditions", "subjects")


def bad_answer(what: str) -> TemporaryError:
    """An answer that no API server gives. `what` completes “The cluster's answer …”."""
    return TemporaryError(f"The cluster's answer {what}.", reason="BadAnswer")


def too_big() -> TemporaryError:
    """More came than the portal takes."""
    return TemporaryError("The cluster's answer is too big to be read.", reason="TooBig")


def checked_object(kind: str, answer: Object) -> Object:
    """An answer as an object of this kind, whose parts are what the portal takes them for.

    Raises TemporaryError (BadAnswer). A part that is null is left out.
    """
    if answer.get("kind") != kind:
        raise bad_answer(f"is no {kind}")
    return _checked(kind, answer)


def checked_list(kind: str, answer: Object) -> tuple[list[Object], str]:
    """An answer as a page of a list: its objects, and the token of the next page, empty at the end.

    Raises TemporaryError (BadAnswer).
    """
    items, metadata = answer.get("items") or [], answer.get("metadata") or {}
    if answer.get("kind") != f"{kind}List" or not isinstance(items, list) or not isinstance(metadata, dict):
        raise bad_answer(f"is no list of {kind}s")
    token = metadata.get("continue") or ""
    if not isinstance(token, str):
        raise bad_answer(f"is no list of {kind}s")
    return [_checked(kind, item) for item in items], token


#: What is asked of the API server and not kept by it has no name.
_NAMELESS = ("SelfSubjectReview", "SelfSubjectAccessReview", "SubjectAccessReview", "TokenRequest")


def _checked(kind: str, item: Any) -> Object:
    if not isinstance(item, dict) or not isinstance(item.get("metadata", {}), dict):
        raise bad_answer(f"has a {kind} without metadata")
    item = {key: value for key, value in item.items() if value is not None}
    item["metadata"] = {key: value for key, value in item.get("metadata", {}).items() if value is not None}
    metadata = item["metadata"]
    for key, most in _LIMITS.items():
        value = metadata.get(key, "" if key == "namespace" or kind in _NAMELESS else None)
        if not isinstance(value, str) or len(value) > most:
            raise bad_answer(f"has a {kind} without a proper {key}")
    if not _is_moment(metadata.get("creationTimestamp", _ANY_MOMENT)):
        raise bad_answer(f"has a {kind} whose creationTimestamp cannot be read")
    for path in _MAPS:
        _require(kind, item, path, dict)
    for path in _LISTS:
        _require(kind, item, path, list)
    return item


_ANY_MOMENT = "2026-01-01T00:00:00Z"


def _is_moment(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _require(kind: str, item: Object, path: str, form: type) -> None:
    """Raises TemporaryError (BadAnswer) where a part is there and of another form; maps of the metadata hold texts."""
    *parents, last = path.split(".")
    holder = item
    for parent in parents:
        holder = holder.get(parent) or {}
    value = holder.get(last)
    if value is None:
        return
    inner: tuple[Any, ...] = ()
    if isinstance(value, dict) and parents:
        inner = tuple(value.values())
    fits = isinstance(value, form) and all(isinstance(each, str | int) for each in inner)
    if not fits or (isinstance(value, list) and not all(isinstance(each, dict) for each in value)):
        raise bad_answer(f"has a {kind} whose {path} cannot be read")


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
    reason = str(answer.get("reason") or f"Status{status}")[:60]
    details = answer.get("details")
    delay = _seconds(retry_after or (details.get("retryAfterSeconds") if isinstance(details, dict) else None))
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
    """A delay in seconds, at most an hour; None where it is none (a date, say)."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _MOST_SECONDS) if math.isfinite(seconds) else None
