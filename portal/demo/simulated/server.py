"""The simulated cluster's socket: HTTP/1.1 with kept connections, one thread each."""

import contextlib
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from portal.demo.simulated import decoding
from portal.demo.simulated.api import Request, Response, failure
from portal.demo.simulated.discovery import VERSION
from portal.demo.simulated.faults import Fault, Faults
from portal.demo.simulated.statuses import StatusError

type Handle = Callable[[Request], Response]

_REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class Server:
    """Listens on loopback and passes requests to `handle`, unless a fault comes first."""

    def __init__(self, handle: Handle, faults: Faults, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._http = _HTTPServer(("127.0.0.1", port), _Handler)
        self._http.tls = tls
        self._http.api_handle, self._http.faults = handle, faults
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="simulated-cluster", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._http.tls else ''}://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        """Serve, in threads of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Close the socket and every connection."""
        self._http.is_stopping = True
        self._http.shutdown()
        self._thread.join()
        self._http.close_connections()
        self._http.server_close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api_handle: Handle
    faults: Faults
    tls: ssl.SSLContext | None = None
    is_stopping = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection. The thread that serves it shakes hands: a slow client holds up no other."""
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait for another request: their connection is over."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; everything else is."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"simulated-cluster/{VERSION}"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    server: _HTTPServer

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        request = Request(
            self.command,
            path,
            dict(parse_qsl(query, keep_blank_values=True)),
            self.headers.get("Authorization", ""),
            self.headers.get("Content-Type", "").partition(";")[0],
            self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            self.headers.get("Accept", ""),
        )
        fault = self.server.faults.take(self.command, path)
        if fault is None:
            self._send(self.server.api_handle(request))
        else:
            self._fail(fault, request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _fail(self, fault: Fault, request: Request) -> None:
        response = self.server.api_handle(request) if not fault.before or not _replaces(fault) else None
        time.sleep(fault.delay)
        if fault.drop_connection:
            self.close_connection = True
            return
        if fault.status or response is None:
            response = _fault_response(fault)
        self._send(response, truncate=fault.truncate)

    def _send(self, response: Response, *, truncate: bool = False) -> None:
        if response.stream is not None:
            self._send_stream(response.stream)
            return
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        for text in response.warnings:
            self.send_header("Warning", decoding.header(text))
        self.end_headers()
        if truncate:
            self.close_connection = True
            self.wfile.write(response.body[: len(response.body) // 2])
        elif self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _send_stream(self, pieces: Iterator[bytes]) -> None:
        """Send a body piece by piece, until it ends, the client goes or the server stops. RFC 9112 section 7.1."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in pieces:
            if self.server.is_stopping or (not piece and self._is_left()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _is_left(self) -> bool:
        """Whether the client closed the connection: nothing else can come while it waits for an answer."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a request is no news."""


def _replaces(fault: Fault) -> bool:
    """Whether the fault takes the place of the answer, rather than spoiling the real one."""
    return bool(fault.status) or fault.drop_connection


def _fault_response(fault: Fault) -> Response:
    reason = _REASONS.get(fault.status, "InternalError")
    message = {
        429: "too many requests, please try again later",
        503: "the server is currently unable to handle the request",
    }.get(fault.status, "an error on the server has prevented the request from succeeding")
    return failure(StatusError(fault.status, reason, message, retry_after=fault.retry_after))
