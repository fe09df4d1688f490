"""Answers that no API server gives, but a proxy in front of it, or the wrong address, does."""

import contextlib
import socket
import threading

import pytest

from environments.kube.answers import NotFoundError
from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError, TemporaryError
from tests.contract.arrange import Way

HTML = b"<html><body>Bad gateway</body></html>"


def _http(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def _server(answer: bytes):
    """Gives every connection the same bytes, whatever it asks, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


TEMPORARY = {
    "nothing": (b"", "Unreachable", None),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "Unreachable", None),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "BadAnswer", None),
    "half a body": (_http("200 OK", b'{"kind":"Name', length=100), "Unreachable", None),
    "half a body without a length": (b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"kind":"Name', "BadAnswer", None),
    "a page of HTML": (_http("200 OK", HTML), "BadAnswer", None),
    "a JSON list": (_http("200 OK", b"[]"), "BadAnswer", None),
    "a proxy's 502": (_http("502 Bad Gateway", HTML), "Status502", None),
    "a proxy's 503 with Retry-After": (_http("503 Service Unavailable", HTML, "Retry-After: 12"), "Status503", 12),
    "a proxy's 429": (_http("429 Too Many Requests", b"slow down", "Retry-After: 3"), "TooManyRequests", 3),
    "a 429 until a date": (
        _http("429 Too Many Requests", b"", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"),
        "TooManyRequests",
        None,
    ),
    "a 503 that says when in its body": (
        _http("503 Service Unavailable", b'{"kind":"Status","reason":"Timeout","details":{"retryAfterSeconds":4}}'),
        "Timeout",
        4,
    ),
    "a 500 whose body is a list": (_http("500 Oops", b"[1]"), "Status500", None),
    "a 401 without a body": (_http("401 Unauthorized", b""), "Unauthorized", 60),
}


@pytest.mark.parametrize(("answer", "reason", "retry_after"), TEMPORARY.values(), ids=TEMPORARY)
def test_a_broken_answer_is_temporary(answer, reason, retry_after):
    with _server(answer) as url, pytest.raises(TemporaryError) as caught:
        ClusterClient(Way(url, "secret-token"), timeout=(1, 1)).get("Namespace", "default")
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)
    assert "secret-token" not in caught.value.message


def test_a_redirect_is_not_followed_with_the_credential():
    with (
        _server(_http("302 Found", b"", "Location: http://127.0.0.1:1/elsewhere")) as url,
        pytest.raises(PermanentError) as caught,
    ):
        ClusterClient(Way(url, "secret-token"), timeout=(1, 1)).version()
    assert caught.value.reason == "Status302"


def test_a_404_that_is_not_kubernetes_own_is_not_there_either():
    with _server(_http("404 Not Found", b"404 page not found")) as url:
        portal = ClusterClient(Way(url, "token"), timeout=(1, 1))
        assert portal.get("Namespace", "default") is None
        with pytest.raises(NotFoundError, match="HTTP status 404"):
            portal.version()


@pytest.mark.real_cluster
def test_a_server_with_another_certificate_is_not_trusted(real_endpoint):
    way = Way(real_endpoint.portal.server, "secret-token")  # without the cluster's own certificate authority
    with pytest.raises(TemporaryError) as caught:
        ClusterClient(way).version()
    assert caught.value.reason == "BadCertificate"
    assert "secret-token" not in caught.value.message
