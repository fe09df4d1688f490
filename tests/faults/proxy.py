"""A server between the portal and what it calls, which answers wrongly, late, half or not at all.

HTTP/1.1 in; HTTP or HTTPS out. What goes wrong is said by `Rule`s for a time; without one it passes everything on.
"""

import contextlib
import http.client
import json
import random
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

#: Headers of one connection alone (RFC 9110 §7.6.1), and what says whom it leads to.
_HOP = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "server", "date"}
)
_FLAT = {"429", "500", "503"}
#: What may go wrong. `-after`: it was carried out, and nobody learns of it.
KINDS = ("429", "500", "503", "503-after", "drop", "drop-after", "half", "slow", "empty", "page")


@dataclass
class Rule:
    """So long this goes wrong with so many of the requests that match."""

    kind: str
    until: float  # of time.monotonic()
    share: float = 1.0
    pattern: str = ""  # searched in "METHOD /path?query"
    delay: float = 1.0  # seconds, of `slow`
    times: int = 10**9


@dataclass
class Answer:
    """What the server behind said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class FaultProxy:
    """Usable as a context manager. `hits` counts by kind what went wrong; `watch` is told of every request."""

    target: str
    certificate_authority: str = ""
    seed: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    watch: Callable[[str, str, str], object] = lambda method, path, content_type: None

    def __post_init__(self) -> None:
        self._rules: list[Rule] = []
        self._random, self._lock = random.Random(self.seed), threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{urlsplit(self.target).path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, kind: str, seconds: float, **more: Any) -> Rule:
        """Let something go wrong for so many seconds."""
        rule = Rule(kind, time.monotonic() + seconds, **more)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._rules.clear()

    def passed(self, method: str, path: str, content_type: str, body: bytes) -> None:
        """A request came in."""
        self.watch(method, path, content_type)

    def take(self, line: str) -> Rule | None:
        """What goes wrong with this request, counted."""
        with self._lock:
            now = time.monotonic()
            self._rules = [rule for rule in self._rules if rule.until > now and rule.times > 0]
            for rule in self._rules:
                if re.search(rule.pattern, line) and self._random.random() < rule.share:
                    rule.times -= 1
                    self.hits[rule.kind] += 1
                    return rule
        return None

    def trouble(self, kind: str) -> Answer | None:
        """What is answered without asking the server behind; None where it is asked."""
        if kind not in _FLAT:
            return None
        headers = [("Content-Type", "text/plain")] + ([("Retry-After", "2")] if kind == "429" else [])
        return Answer(int(kind), headers, b"planted by the test")

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the server behind."""
        parts = urlsplit(self.target)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=60)
        context = ssl.create_default_context(cadata=self.certificate_authority)
        return http.client.HTTPSConnection(host, port, timeout=60, context=context)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are the daily bread here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream = self.server.proxy.connect()

    def finish(self) -> None:
        self._upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.proxy.passed(self.command, self.path, self.headers.get("Content-Type", ""), body)
        rule = self.server.proxy.take(f"{self.command} {self.path}")
        kind = rule.kind if rule else ""
        if rule and kind == "slow":
            time.sleep(rule.delay)
        if kind == "drop":
            self.close_connection = True
        elif trouble := self.server.proxy.trouble(kind):
            self._send(trouble)
        else:
            self._forward(body, kind)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _forward(self, body: bytes, kind: str) -> None:
        answer = self._ask(body)
        if answer is None or kind == "drop-after":
            self.close_connection = True
        elif kind == "503-after":
            self._send(self.server.proxy.trouble("503") or answer)
        else:
            self._send(_tampered(answer, kind), half=kind == "half")

    def _ask(self, body: bytes) -> Answer | None:
        """The answer, None where there is none. A kept connection that the server closed is opened once more."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        for is_last in (False, True):
            try:
                self._upstream.request(self.command, self.path, body or None, headers)
                response = self._upstream.getresponse()
                return Answer(response.status, response.getheaders(), response.read())
            except http.client.RemoteDisconnected:
                self._upstream.close()
                if is_last or self.command not in ("GET", "PATCH", "DELETE"):
                    return None
            except (OSError, http.client.HTTPException):
                self._upstream.close()
                return None
        return None

    def _send(self, answer: Answer, *, half: bool = False) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if half else answer.body)
        self.close_connection = self.close_connection or half


def _tampered(answer: Answer, kind: str) -> Answer:
    """A SCIM list that lies: nobody there, or half of a page missing."""
    if kind not in ("empty", "page") or answer.status != 200:
        return answer
    content = json.loads(answer.body)
    if "Resources" not in content and "totalResults" not in content:
        return answer
    resources = content.get("Resources") or []
    content["Resources"] = [] if kind == "empty" else resources[: len(resources) // 2]
    if kind == "empty":
        content["totalResults"] = 0
    return Answer(answer.status, answer.headers, json.dumps(content).encode())
