"""HTTP as directories need it: bounded, authenticated, and every failure one of the two errors.

No message here holds a secret: what a server says is shown only after the secrets are taken out of it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx

from environments.errors import PermanentError, ReconcileError, TemporaryError

Json = dict[str, Any]

TIMEOUT = httpx.Timeout(10, connect=3)
LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=8)
MAX_BYTES = 20 * 1024 * 1024  # of one answer
MAX_SECONDS = 60  # for one answer, however slowly it trickles in
MAX_RETRY_AFTER = 3600
TOKEN_MARGIN = 30  # a token is renewed this many seconds before it expires
TOKEN_LIFETIME = 300  # of a token whose server does not say


class NotFoundError(PermanentError):
    """404: what the path names is not there."""


class ConflictError(TemporaryError):
    """409 or 412: somebody made or changed it at the same time."""


class Connection(Protocol):
    """What is needed to reach a directory: a `Directory` row, or anything with these attributes."""

    url: str
    token_url: str
    client_id: str
    secret: str


@dataclass(frozen=True)
class Reply:
    """A good answer: its JSON object (empty where there is no content) and its entity tag."""

    body: Json = field(default_factory=dict)
    etag: str = ""


class Tokens:
    """Where the bearer token comes from: the secret itself, or a token endpoint (RFC 6749 §4.4)."""

    def __init__(
        self, connection: Connection, client: httpx.Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    @property
    def renewable(self) -> bool:
        """Whether another token may be had."""
        return bool(self._connection.token_url and self._connection.client_id)

    @property
    def secrets(self) -> Iterable[str]:
        """What must never be shown."""
        return [text for text in (self._connection.secret, self._token) if text]

    def current(self) -> str:
        """A token that is good for a while. Raises as the token endpoint answers."""
        if not self.renewable:
            return self._connection.secret
        with self._lock:
            if self._clock() >= self._until:
                self._fetch()
            return self._token

    def refused(self, token: str) -> None:
        """The directory did not accept this one: the next call fetches another."""
        with self._lock:
            if token == self._token:
                self._until = 0.0

    def _fetch(self) -> None:
        answer = self._ask()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise TemporaryError("The token endpoint's answer holds no token.", reason="BadAnswer")
        lifetime = number(answer.get("expires_in"))
        lifetime = TOKEN_LIFETIME if lifetime is None else lifetime
        self._token = token
        self._until = self._clock() + max(0.0, lifetime - TOKEN_MARGIN)

    def _ask(self) -> Json:
        """The token endpoint's answer: with the secret in a header, then in the body for servers that want it there."""
        form = {"grant_type": "client_credentials"}
        client_id, secret = self._connection.client_id, self._connection.secret
        url = self._connection.token_url
        status, body, headers = send(self._client, "POST", url, data=form, auth=(client_id, secret))
        if status in (400, 401):
            form |= {"client_id": client_id, "client_secret": secret}
            status, body, headers = send(self._client, "POST", url, data=form)
        if status in (400, 401, 403):
            raise unauthorized(401)
        if status >= 300:
            raise translate(status, {}, headers)
        return _object(body)


class Http:
    """One base URL, spoken to with a bearer token. Safe to use from several threads."""

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        self._base = connection.url.rstrip("/")
        self._client = httpx.Client(
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
            follow_redirects=False,  # the token goes nowhere but where an admin sent it
            headers={"Accept": "application/scim+json, application/json", "Accept-Encoding": "identity"},
        )
        self.tokens = Tokens(connection, self._client)

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | None = None,
        etag: str = "",
    ) -> Reply:
        """One call; with an `etag`, only where that is still the current one (RFC 7644 §3.14).

        Raises NotFoundError, ConflictError, or one of the two errors. A token that is refused is renewed once.
        """
        status, content, headers = self._send(method, path, params, body, etag)
        if status >= 300:
            raise self._error(status, content, headers)
        answer = _object(content) if content.strip() else {}
        return Reply(answer, headers.get("ETag", ""))

    def _send(
        self, method: str, path: str, params: dict[str, str] | None, body: Json | None, etag: str
    ) -> tuple[int, bytes, httpx.Headers]:
        headers = {"If-Match": etag} if etag else {}
        if body is not None:
            headers["Content-Type"] = "application/scim+json"
        for last in (False, True):
            token = self.tokens.current()
            headers["Authorization"] = f"Bearer {token}"
            result = send(self._client, method, self._base + path, params=params, json=body, headers=headers)
            if result[0] != 401 or last or not self.tokens.renewable:
                break
            self.tokens.refused(token)
        return result

    def _error(self, status: int, content: bytes, headers: httpx.Headers) -> ReconcileError:
        try:
            answer = _object(content)
        except TemporaryError:
            answer = {}  # an error page in HTML
        error = translate(status, answer, headers)
        for secret in self.tokens.secrets:
            error.message = error.message.replace(secret, "…")
        error.args = (error.message,)
        return error


def send(client: httpx.Client, method: str, url: str, **options: Any) -> tuple[int, bytes, httpx.Headers]:
    """One HTTP call: status, content and headers. Raises TemporaryError where no whole answer came."""
    end = time.monotonic() + MAX_SECONDS
    content = bytearray()
    try:
        with client.stream(method, url, **options) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise TemporaryError("The directory's answer is too big to be read.", reason="TooBig")
                if time.monotonic() > end:
                    raise TemporaryError("The directory did not answer in time.", reason="Timeout")
            return response.status_code, bytes(content), response.headers
    except httpx.TimeoutException as error:
        raise TemporaryError("The directory did not answer in time.", reason="Timeout") from error
    except (httpx.TransportError, httpx.StreamError) as error:
        raise _unreachable(error) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise PermanentError("The directory's address cannot be used.", reason="BadAddress") from error


def translate(status: int, answer: Json, headers: httpx.Headers) -> ReconcileError:
    """An error answer as one of ours. Source: RFC 7644 §3.12, RFC 6585, RFC 9110 §10.2.3."""
    detail = str(attribute(answer, "detail") or f"HTTP status {status}")[:300]
    delay = retry_after(headers.get("Retry-After"))
    if status in (401, 403):
        return unauthorized(status)
    if status == 404:
        return NotFoundError(f"The directory does not know it: {detail}", reason="NotFound")
    if status in (409, 412):
        return ConflictError(f"Somebody changed it in the directory at the same time: {detail}", reason="Conflict")
    if status == 429:
        return TemporaryError("The directory asks us to slow down (429).", reason="TooManyRequests", retry_after=delay)
    if status >= 500 and status != 501:
        return TemporaryError(f"The directory has a problem ({status}).", reason="Unavailable", retry_after=delay)
    if status < 400:
        return PermanentError(
            "The directory redirects to another address. A platform admin has to correct its base URL.",
            reason="Redirected",
        )
    return PermanentError(f"The directory refuses ({status}): {detail}", reason="Refused")


def unauthorized(status: int) -> TemporaryError:
    """401 or 403, in a sentence for the platform admin who can do something about it."""
    what = (
        "The directory does not accept the portal's credential. A platform admin has to renew it."
        if status == 401
        else "The directory does not let the portal's account do this. A platform admin has to allow it there."
    )
    return TemporaryError(what, reason="Unauthorized", retry_after=60)


def retry_after(value: str | None) -> float | None:
    """A Retry-After header in seconds (it may be a date), at most an hour; None where there is none."""
    if not value:
        return None
    seconds = number(value)
    if seconds is None:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def attribute(resource: Json, name: str) -> Any:
    """An attribute by its name, in whatever case the server writes it (RFC 7643 §2.1); None where it is absent."""
    if name in resource:
        return resource[name]
    folded = name.casefold()
    return next((value for key, value in resource.items() if key.casefold() == folded), None)


def number(value: Any) -> float | None:
    """A number, also where the server writes it as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if abs(result) < 1e12 else None  # also no infinity, no NaN


def truth(value: Any, *, default: bool) -> bool:
    """A boolean, also where the server writes it as a string."""
    if isinstance(value, str):
        return value.casefold() == "true"
    return value if isinstance(value, bool) else default


def _object(content: bytes) -> Json:
    try:
        answer = httpx.Response(200, content=content).json()
    except (ValueError, RecursionError) as error:
        raise TemporaryError("The directory's answer is not JSON.", reason="BadAnswer") from error
    if not isinstance(answer, dict):
        raise TemporaryError("The directory's answer is not a JSON object.", reason="BadAnswer")
    return answer


def _unreachable(error: Exception) -> TemporaryError:
    """A call without an answer. The client's own words are left out: they may hold addresses and headers."""
    if "certificate" in str(error).lower():
        return TemporaryError("The directory's certificate is not the expected one.", reason="BadCertificate")
    return TemporaryError("The directory cannot be reached.", reason="Unreachable")
