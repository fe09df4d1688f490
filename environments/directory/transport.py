"""HTTP as directories need it: bounded, authenticated, and every failure one of the two errors.

No message here holds a secret: what a server says is shown only after the secrets are taken out of it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from environments.directory import wire
from environments.directory.answers import (
    Json,
    attribute,
    bad_answer,
    json_object,
    json_objects,
    number,
    retry_after,
    translate,
    unauthorized,
    words,
)
from environments.lib import bounds, destinations, log_context, metrics, proxies, tls, tls_problems
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

TIMEOUT = httpx.Timeout(10, connect=3)
LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=8)
MAX_BYTES = 20 * 1024 * 1024  # of one answer
MAX_SECONDS = 60  # for one answer, however slowly it trickles in
TOKEN_MARGIN = 30  # a token is renewed this many seconds before it expires
TOKEN_LIFETIME = 300  # of a token whose server does not say
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Connection(Protocol):
    """What is needed to reach a directory: a `Directory` row, or anything with these attributes."""

    url: str
    token_url: str
    client_id: str
    secret: str


def standard_detail(answer: Json) -> str:
    """What a SCIM server says of its error (RFC 7644 §3.12)."""
    return words(attribute(answer, "detail"))


def standard_delay(headers: httpx.Headers) -> float | None:
    """How long to wait, in seconds (RFC 9110 §10.2.3). Some servers write it as a header of their own."""
    return retry_after(headers.get("Retry-After") or headers.get("X-Retry-After"))


@dataclass(frozen=True)
class Dialect:
    """In what one product's HTTP differs from another's."""

    content_type: str = "application/json"
    scheme: str = "Bearer"  # of a secret that is itself the token
    token_url: str = ""  # where the row says none
    scope: str = ""
    #: Instead of a client secret: signs a token request for (client id, secret, token endpoint). RFC 7523 §2.2.
    assertion: Callable[[str, str, str], str] | None = None
    detail: Callable[[Json], str] = standard_detail
    delay: Callable[[httpx.Headers], float | None] = standard_delay


@dataclass(frozen=True)
class Reply:
    """A good answer: its JSON object (empty where there is no content) and its headers."""

    body: Json = field(default_factory=dict)
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def etag(self) -> str:
        """The entity tag, empty where there is none."""
        return str(self.headers.get("ETag", ""))


class Tokens:
    """Where the bearer token comes from: the secret itself, or a token endpoint (RFC 6749 §4.4)."""

    def __init__(
        self, connection: Connection, dialect: Dialect, client: httpx.Client, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._url = connection.token_url or dialect.token_url
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    @property
    def renewable(self) -> bool:
        """Whether another token may be had."""
        return bool(self._url and self._connection.client_id)

    @property
    def secrets(self) -> Iterable[str]:
        """What must never be shown."""
        return [text for text in (self._connection.secret, self._token) if text]

    def header(self, token: str) -> str:
        """The Authorization header for a token."""
        return f"{'Bearer' if self.renewable else self._dialect.scheme} {token}"

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
            raise TemporaryError("The token endpoint's answer contains no token.", reason="BadAnswer")
        lifetime = number(answer.get("expires_in"))
        lifetime = TOKEN_LIFETIME if lifetime is None else lifetime
        log_context.conceal(token)
        self._token = token
        self._until = self._clock() + max(0.0, lifetime - TOKEN_MARGIN)

    def _ask(self) -> Json:
        """The token endpoint's answer. Whatever it says of a refusal is left out: it may quote the request."""
        status, body, headers = self._request()
        if status in (400, 401, 403):
            raise unauthorized(401)
        if status >= 300:
            raise translate(status, delay=self._dialect.delay(headers))
        return json_object(body)

    def _request(self) -> tuple[int, bytes, httpx.Headers]:
        """With the secret in a header, then in the body for servers that want it there; or with what it signs."""
        form = {"grant_type": "client_credentials"}
        form |= {"scope": self._dialect.scope} if self._dialect.scope else {}
        client_id, secret = self._connection.client_id, self._connection.secret
        if self._dialect.assertion:
            signed = self._dialect.assertion(client_id, secret, self._url)
            form |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
            return send(self._client, "POST", self._url, data=form)
        answer = send(self._client, "POST", self._url, data=form, auth=(client_id, secret))
        if answer[0] not in (400, 401):
            return answer
        form |= {"client_id": client_id, "client_secret": secret}
        return send(self._client, "POST", self._url, data=form)


class Http:
    """One base URL, spoken to with a bearer token. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        transport: httpx.BaseTransport | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = connection.url.rstrip("/")
        self._dialect = dialect
        self._client = httpx.Client(
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
            trust_env=False,
            verify=tls.shared(),
            mounts=_proxies(connection.url, connection.token_url or dialect.token_url) if transport is None else None,
            follow_redirects=False,  # the token goes nowhere but where an admin sent it
            headers={"Accept": ", ".join(dict.fromkeys((dialect.content_type, "application/json")))}
            | {"Accept-Encoding": "identity"},
        )
        log_context.conceal(connection.secret)
        wire.guard(self._client)
        self.tokens = Tokens(connection, dialect, self._client, clock)

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
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One call whose answer is an object or nothing. `path` may be a whole address of this server.

        Raises NotFoundError, ConflictError, or one of the two errors. A token that is refused is renewed once.
        """
        content, answered = self._call(method, path, params, body, headers or {})
        return Reply(json_object(content) if content.strip() else {}, answered)

    def listing(self, path: str, params: dict[str, str] | None = None) -> tuple[list[Json], httpx.Headers]:
        """One GET whose answer is an array of objects; with the headers. Raises as `request`."""
        content, headers = self._call("GET", path, params, None, {})
        return json_objects(content), headers

    @metrics.called("directory")
    def _call(
        self, method: str, path: str, params: dict[str, str] | None, body: Json | None, headers: dict[str, str]
    ) -> tuple[bytes, httpx.Headers]:
        if body is not None:
            headers = headers | {"Content-Type": self._dialect.content_type}
        url = self._address(path)
        for last in (False, True):
            token = self.tokens.current()
            sent = headers | {"Authorization": self.tokens.header(token)}
            status, content, answered = send(self._client, method, url, params=params, json=body, headers=sent)
            if status != 401 or last or not self.tokens.renewable:
                break
            self.tokens.refused(token)
        if status >= 300:
            raise self._error(status, content, answered)
        return content, answered

    def _address(self, path: str) -> str:
        """The address of a path. A whole address, as lists name their next page, must be of the same server."""
        if not path or path.startswith("/"):
            return self._base + path
        try:
            there, here = httpx.URL(path), httpx.URL(self._base)
        except httpx.InvalidURL as error:
            raise bad_answer("names a next page that is not an address") from error
        if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
            raise bad_answer("names a next page on another server")  # which would be given the token
        return path

    def _error(self, status: int, content: bytes, headers: httpx.Headers) -> ReconcileError:
        try:
            detail = self._dialect.detail(json_object(content))
        except TemporaryError:
            detail = ""  # an error page in HTML
        for secret in self.tokens.secrets:
            detail = detail.replace(secret, "…")
        return translate(status, detail, self._dialect.delay(headers))


def _proxies(*urls: str) -> dict[str, httpx.BaseTransport | None]:
    """A transport for each server that is called through a proxy."""
    found: dict[str, httpx.BaseTransport | None] = {}
    for url in filter(None, urls):
        if proxy := proxies.proxy_for(url):
            through = httpx.Proxy(proxy, ssl_context=tls.shared() if proxy.startswith("https:") else None)
            where = httpx.URL(url)
            port = f":{where.port}" if where.port else ""
            host = f"[{where.host}]" if ":" in where.host else where.host
            found[f"{where.scheme}://{host}{port}"] = httpx.HTTPTransport(
                verify=tls.shared(), trust_env=False, limits=LIMITS, proxy=through
            )
    return found


def send(client: httpx.Client, method: str, url: str, **options: Any) -> tuple[int, bytes, httpx.Headers]:
    """One HTTP call: status, content and headers. Raises TemporaryError where no whole answer came."""
    destinations.check_url(url)  # behind a proxy it is the proxy that connects
    try:
        with bounds.within(MAX_SECONDS, MAX_BYTES) as budget, client.stream(method, url, **options) as response:
            return response.status_code, _content(response, budget), response.headers
    except bounds.TooBigError as error:
        raise TemporaryError("The directory's answer is too large to read.", reason="TooBig") from error
    except httpx.TimeoutException as error:
        raise TemporaryError("The directory did not answer in time.", reason="Timeout") from error
    except (httpx.TransportError, httpx.StreamError) as error:
        raise _unreachable(error) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise PermanentError(
            "The directory's address is not valid. A platform admin must correct it.", reason="BadAddress"
        ) from error


def _content(response: httpx.Response, budget: bounds.Budget) -> bytes:
    """The whole body, which was not packed. Raises TemporaryError, TooBigError."""
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise bad_answer(
            "is compressed, although the portal did not ask for that"
        )  # a few bytes that unpack to gigabytes
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_BYTES:
            raise bounds.TooBigError
        if budget.seconds_left <= 0:
            raise TemporaryError("The directory did not answer in time.", reason="Timeout")
    return bytes(content)


def _unreachable(error: Exception) -> TemporaryError:
    """A call without an answer. The client's own words are left out: they may hold addresses and headers."""
    found = tls_problems.explain(error, "directory")
    return TemporaryError(found.text, reason=found.reason)
