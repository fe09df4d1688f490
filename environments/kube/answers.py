"""What the Kubernetes API answers: an object, a page of a list, or what is wrong, as one of our two errors.

A page may be read only as far as comparing needs it: without managedFields, which are most of it. msgspec reads
straight into the forms below and checks them on the way, several times as fast as all is read otherwise. What does not
fit is left to the long way, which says what is wrong with it.

Source: meta/v1 Status, https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import math
from datetime import datetime
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from environments.lib import bounds, tls_problems
from environments.lib.errors import Cause, PermanentError, ReconcileError, TemporaryError

#: An applied manifest that does not fit the schema is answered with 500, yet trying again changes nothing.
_MISFITS = ("failed to create typed patch object", "failed to convert new object")


class NotFoundError(PermanentError):
    """404: the object, or the namespace it should be in, is not there."""


class NamespaceGoneError(NotFoundError):
    """404: it is the namespace that is not there."""


class AlreadyExistsError(PermanentError):
    """409 on create: the name is taken."""


class ExpiredError(TemporaryError):
    """410: the API server forgot a list while it was read page by page. It has to be begun again."""


Object = dict[str, Any]

TOO_BIG = "TooBig"  # the reason of an answer above the size limit

_MOST_SECONDS = 3600  # that anybody asks us to wait
_MOST_CAUSES = 50  # of one refusal
_LIMITS = {"name": 253, "uid": 64, "namespace": 63}  # characters; a uid as the portal stores it
_TEXTS, _MAPS = frozenset({str, int, bool}), frozenset({dict})

#: Where a part is (empty: at the top), its names, its form, and what may be in it. What holds others comes first.
_PARTS: tuple[tuple[str, tuple[str, ...], type, frozenset[type]], ...] = (
    ("", ("spec", "status"), dict, frozenset()),
    ("metadata", ("labels", "annotations"), dict, _TEXTS),
    ("status", ("hard", "used"), dict, _TEXTS),
    ("metadata", ("managedFields",), list, _MAPS),
    ("status", ("conditions",), list, _MAPS),
    ("", ("subjects",), list, _MAPS),
)


def bad_answer(what: str) -> TemporaryError:
    """The error for a malformed answer. `what` completes “The cluster's answer …”."""
    return TemporaryError(f"The cluster's answer {what}.", reason="BadAnswer")


def too_big() -> TemporaryError:
    """The error for an answer above the size limit."""
    return TemporaryError("The cluster's answer is too large to read.", reason=TOO_BIG)


def checked_object(kind: str, answer: Object) -> Object:
    """An answer as an object of this kind, whose parts are what the portal takes them for.

    Raises TemporaryError (BadAnswer). A part that is null is left out.
    """
    if answer.get("kind") != kind:
        raise bad_answer(f"is not a {kind}")
    return _checked(kind, answer)


def checked_list(kind: str, answer: Object) -> tuple[list[Object], str]:
    """An answer as a page of a list: its objects, and the token of the next page, empty at the end.

    Raises TemporaryError (BadAnswer).
    """
    items, metadata = answer.get("items") or [], answer.get("metadata") or {}
    if answer.get("kind") != f"{kind}List" or not isinstance(items, list) or not isinstance(metadata, dict):
        raise bad_answer(f"is not a list of {kind} objects")
    token = metadata.get("continue") or ""
    if not isinstance(token, str):
        raise bad_answer(f"is not a list of {kind} objects")
    return [_checked(kind, item) for item in items], token


#: What is asked of the API server and not kept by it has no name.
_NAMELESS = ("SelfSubjectReview", "SelfSubjectAccessReview", "SubjectAccessReview", "TokenRequest")


def _checked(kind: str, item: Any) -> Object:
    if not isinstance(item, dict) or not isinstance(item.get("metadata", {}), dict):
        raise bad_answer(f"has a {kind} without metadata")
    metadata = _without_null(item.get("metadata", {}))
    found = _without_null(item) | {"metadata": metadata}
    for key, most in _LIMITS.items():
        value = metadata.get(key, "" if key == "namespace" or kind in _NAMELESS else None)
        if not isinstance(value, str) or len(value) > most:
            raise bad_answer(f"has a {kind} without a valid {key}")
    if not _is_moment(metadata.get("creationTimestamp", _ANY_MOMENT)):
        raise bad_answer(f"has a {kind} whose creationTimestamp cannot be read")
    for place, names, form, inner in _PARTS:
        holder = found.get(place, {}) if place else found
        for name in names:
            value = holder.get(name)
            if value is not None and not _fits(value, form, inner):
                raise bad_answer(f"has a {kind} whose {f'{place}.{name}'.strip('.')} cannot be read")
    return found


def _without_null(found: Object) -> Object:
    return {key: value for key, value in found.items() if value is not None}


_ANY_MOMENT = "2026-01-01T00:00:00Z"


def _is_moment(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _fits(value: Any, form: type, inner: frozenset[type]) -> bool:
    """Whether a part has its form, and what is in it one of theirs. A list page has thousands: no Python a value."""
    if not isinstance(value, form):
        return False
    parts: Any = value.values() if isinstance(value, dict) else value
    return not inner or inner.issuperset(map(type, parts))


def unreachable(error: Exception) -> TemporaryError:
    """A call without an answer. The client's own words are left out: they may hold addresses and headers."""
    found = tls_problems.explain(error, "cluster", trust="A platform admin must enter it on the cluster's page.")
    return TemporaryError(found.text, reason=found.reason)


def is_denial(error: PermanentError) -> bool:
    """Whether the API server's authorizer said no, and not an admission plugin or the object's own kind."""
    return error.reason == "Forbidden" and '" cannot ' in error.message


def translate(status: int, answer: Any, retry_after: str | None) -> ReconcileError:
    """An error answer as one of ours. Source: meta/v1 Status, api-concepts#status-codes."""
    answer = answer if isinstance(answer, dict) else {}
    message = str(answer.get("message") or f"HTTP status {status}")[:400]
    reason = str(answer.get("reason") or f"Status{status}")[:60]
    details = answer.get("details")
    delay = _seconds(retry_after or (details.get("retryAfterSeconds") if isinstance(details, dict) else None))
    if status == 401:
        return TemporaryError(
            "The cluster rejected the portal's credential. A platform admin must renew it.",
            reason="Unauthorized",
            retry_after=60,
        )
    if status == 404 and isinstance(details, dict) and details.get("kind") == "namespaces":
        return NamespaceGoneError(f"The cluster says: {message}", reason="NotFound")
    if status == 404:
        return NotFoundError(f"The cluster says: {message}", reason="NotFound")
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExistsError(f"The cluster says: {message}", reason=reason)
        return TemporaryError(f"The object was changed at the same time: {message}", reason="Conflict")
    if status == 410:
        return ExpiredError("The list expired while the portal was reading it (410).", reason="Expired")
    if status == 403 and "being terminated" in message:
        return TemporaryError("The namespace is being deleted.", reason="NamespaceTerminating")
    if status == 429:
        return TemporaryError("The cluster is limiting requests (429).", reason="TooManyRequests", retry_after=delay)
    if status >= 500 and not message.startswith(_MISFITS):
        return TemporaryError(f"The cluster reported an error ({status}): {message}", reason=reason, retry_after=delay)
    return PermanentError(
        f"The cluster rejected the request ({status}): {message}", reason=reason, causes=_causes(details)
    )


def _causes(details: Any) -> tuple[Cause, ...]:
    """The fields that a Status names as wrong, each with its sentence; what is malformed is left out."""
    found = details.get("causes") if isinstance(details, dict) else None
    causes = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    pairs = [(each.get("field"), each.get("message")) for each in causes[:_MOST_CAUSES]]
    return tuple(
        Cause(field[:400], message[:400])
        for field, message in pairs
        if isinstance(field, str) and isinstance(message, str) and field and message
    )


def _seconds(value: Any) -> float | None:
    """A delay in seconds, at most an hour; None where it is none (a date, say)."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _MOST_SECONDS) if math.isfinite(seconds) else None


_Texts = dict[str, str]


class _Metadata(TypedDict):
    name: Annotated[str, msgspec.Meta(max_length=253)]
    namespace: NotRequired[Annotated[str, msgspec.Meta(max_length=63)]]
    uid: Annotated[str, msgspec.Meta(max_length=64)]
    labels: NotRequired[_Texts]
    annotations: NotRequired[_Texts]


class _Status(TypedDict):
    hard: NotRequired[_Texts]
    used: NotRequired[_Texts]


class _Object(TypedDict):
    metadata: _Metadata
    spec: NotRequired[dict[str, Any]]
    status: NotRequired[_Status]
    roleRef: NotRequired[_Texts]
    subjects: NotRequired[list[_Texts]]


_ListMetadata = TypedDict("_ListMetadata", {"continue": NotRequired[str]})


class _List(TypedDict):
    kind: str
    metadata: _ListMetadata
    items: list[_Object]


#: What these have beside labels and annotations is all above. A template's own objects may have more.
_LEAN = frozenset({"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding"})

_decoder = msgspec.json.Decoder(_List)


def decode(content: bytes) -> Any:
    """JSON, or None where it is none."""
    try:
        return bounds.json_value(content)
    except ValueError:
        return None


def read_object(content: bytes) -> dict[str, Any]:
    """An answer that is a JSON object. Raises TemporaryError (BadAnswer)."""
    result = decode(content)
    if not isinstance(result, dict):
        raise bad_answer("is not a Kubernetes object")
    return result


def read_page(kind: str, content: bytes, *, lean: bool) -> tuple[list[dict[str, Any]], str]:
    """The objects on a page, and the token of the next one, empty at the end. Raises TemporaryError (BadAnswer)."""
    found = _read_lean(kind, content) if lean and kind in _LEAN else None
    return found or checked_list(kind, read_object(content))


def _read_lean(kind: str, content: bytes) -> tuple[list[dict[str, Any]], str] | None:
    if bounds.is_suspect(content):
        return None
    try:
        page: Any = _decoder.decode(content)
        bounds.refuse_depth([item["spec"] for item in page["items"] if "spec" in item])  # the rest is flat
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    if page["kind"] != f"{kind}List":
        return None
    return page["items"], page["metadata"].get("continue", "")
