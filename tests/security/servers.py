"""Servers that mean harm: each connection is handed to a function that may write whatever it likes."""

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[[socket.socket, bytes], None]


@dataclass
class Server:
    """A listening server. `requests` has what it was sent, `sent` how many bytes it got rid of."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0


@contextlib.contextmanager
def serving(
    answer: Answer, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", greeting: bytes = b""
) -> Iterator[Server]:
    """A server on loopback whose every request is answered by `answer(connection, request)`; it may speak first."""
    listener = socket.create_server((host, 0))
    scheme = "https" if context else "http"
    server = Server(f"{scheme}://{host}:{listener.getsockname()[1]}")
    stopping = threading.Event()

    def talk(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            connection.settimeout(10)
            with context.wrap_socket(connection, server_side=True) if context else connection as secure:
                secure.sendall(greeting)
                while not stopping.is_set() and (request := secure.recv(65536)):
                    server.requests.append(request)
                    answer(secure, request)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(answer: bytes) -> Answer:
    """The same bytes, whatever is asked."""
    return lambda connection, request: connection.sendall(answer)


def flood(head: bytes, piece: bytes) -> Answer:
    """A beginning, and then the same piece for as long as anybody takes it."""

    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(head)
        for _ in itertools.count():
            connection.sendall(piece)

    return answer


def trickle(head: bytes, piece: bytes, stop: threading.Event) -> Answer:
    """A beginning, and then a piece every twentieth of a second."""

    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(head)
        while not stop.wait(0.05):
            connection.sendall(piece)

    return answer
