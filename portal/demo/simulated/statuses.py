"""Failures as Kubernetes says them: an exception for each, which becomes a `Status` object.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ and apimachinery's api/errors.
"""

from dataclasses import dataclass
from typing import Any

from portal.demo.simulated.kinds import Kind, Object


class StatusError(Exception):
    """An answer other than success; `status()` is its body."""

    def __init__(
        self, code: int, reason: str, message: str, details: Object | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.retry_after = retry_after

    def status(self) -> Object:
        """The `Status` object, laid out as the API server does it."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        if self.retry_after is not None:
            body.setdefault("details", {})["retryAfterSeconds"] = self.retry_after
        return body | {"code": self.code}


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong with a field."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def as_object(self) -> Object:
        """As in a Status' details."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def bad_value(field: str, value: Any, why: str) -> Cause:
    """`Invalid value: …`; strings are quoted, numbers are not."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(field, f"Invalid value: {shown}: {why}")


def details(kind: Kind, name: str = "") -> Object:
    """What a Status says of the object it is about."""
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


def not_found(kind: Kind, name: str) -> StatusError:
    """404 for an object."""
    return StatusError(404, "NotFound", f'{kind.dotted} "{name}" not found', details(kind, name))


def no_such_resource() -> StatusError:
    """404 for a resource that is not served."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str, *, being_deleted: bool = False) -> StatusError:
    """409 on create."""
    prefix = "object is being deleted: " if being_deleted else ""
    message = f'{prefix}{kind.dotted} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> StatusError:
    """409: the object is not the one that the caller had seen."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.dotted} "{name}": {why}'
    return StatusError(409, "Conflict", message, details(kind, name))


def forbidden(kind: Kind, name: str, why: str, causes: list[Cause] | None = None) -> StatusError:
    """403 by admission."""
    about = f'{kind.dotted} "{name}"' if name else kind.dotted
    info = details(kind, name)
    if causes:
        info["causes"] = [cause.as_object() for cause in causes]
    return StatusError(403, "Forbidden", f"{about} is forbidden: {why}", info)


def invalid(kind: Kind, name: str, causes: list[Cause]) -> StatusError:
    """422: the object itself is wrong."""
    return _invalid(kind.qualified, {"name": name, "group": kind.group, "kind": kind.kind}, name, causes)


def invalid_options(group: str, kind: str, causes: list[Cause]) -> StatusError:
    """422 for what is not stored: options, reviews, token requests."""
    return _invalid(f"{kind}.{group}", {"group": group, "kind": kind}, "", causes)


def _invalid(qualified: str, info: Object, name: str, causes: list[Cause]) -> StatusError:
    parts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    found = {key: value for key, value in info.items() if value}
    found["causes"] = [cause.as_object() for cause in causes]
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', found)


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def method_not_allowed() -> StatusError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, {})


def unauthorized() -> StatusError:
    """401: the token is unknown or over."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def broken_patch(message: str) -> StatusError:
    """500, which is indeed what the API server answers to an applied object that does not fit the schema."""
    return StatusError(500, "", message)
