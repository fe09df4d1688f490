"""What a cluster answers to a TokenRequest.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from environments.kube.answers import bad_answer, checked_object


@dataclass(frozen=True)
class IssuedToken:
    """A bearer token. Its lifetime is what the cluster gave, which may be less than what was asked for."""

    text: str = field(repr=False)
    ends_at: datetime
    seconds: int


def issued_token(answer: dict[str, Any], asked: int) -> IssuedToken:
    """The token in the answer to a TokenRequest for so many seconds. Raises TemporaryError (BadAnswer)."""
    request = checked_object("TokenRequest", answer)
    status, spec = request.get("status", {}), request.get("spec", {})
    text, seconds = status.get("token"), spec.get("expirationSeconds")
    if not isinstance(text, str) or not text:
        raise bad_answer("contains no token")
    try:
        ends_at = datetime.fromisoformat(status.get("expirationTimestamp")).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise bad_answer("does not say when the token expires") from None
    # The API server writes the lifetime that it gave into the answer's spec. The portal's clock may differ from its.
    given = seconds if isinstance(seconds, int) and 0 < seconds <= asked else asked
    return IssuedToken(text, ends_at, given)
