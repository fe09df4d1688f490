"""What sign-in asks of the identity provider has the same guards as all other connections."""

import gzip
import time

import pytest
import requests
from allauth.socialaccount.adapter import get_adapter

from portal import sso_session
from tests.security.servers import always, flood, http, serving

METADATA = "http://169.254.169.254/keys"


@pytest.fixture
def session():
    with get_adapter().get_requests_session() as session:
        yield session


def test_an_answer_comes_through(session):
    with serving(always(http(b'{"issuer": "x"}'))) as server:
        assert session.get(server.url).json() == {"issuer": "x"}
        assert b"Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("url", [METADATA, "http://2852039166/", "http://[::ffff:169.254.169.254]/"])
def test_a_denied_address_is_not_connected_to(session, url, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it connected"))
    with pytest.raises(requests.ConnectionError, match="does not connect"):
        session.get(url)


def test_a_redirect_to_a_denied_address_is_not_followed(session):
    moved = http(b"", f"Location: {METADATA}", status="302 Found")
    with serving(always(moved)) as server, pytest.raises(requests.ConnectionError, match="does not connect"):
        session.get(server.url)


def test_the_far_end_of_a_connection_is_checked(session, settings):
    with serving(always(http(b"{}"))) as server:
        settings.DENIED_NETWORKS = ["127.0.0.0/8"]
        with pytest.raises(requests.ConnectionError, match="does not connect"):
            session.get(server.url.replace("127.0.0.1", "localhost"))
        assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        flood(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        flood(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    ],
    ids=["body", "chunks", "head"],
)
def test_an_answer_without_end_is_cut_off(session, answer):
    with serving(answer) as server, pytest.raises(requests.RequestException):
        session.get(server.url)


def test_an_answer_that_trickles_in_is_cut_off(session, monkeypatch):
    monkeypatch.setattr(sso_session, "MAX_SECONDS", 0.5)

    def trickle(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    before = time.monotonic()
    with serving(trickle) as server, pytest.raises(requests.RequestException):
        session.get(server.url)
    assert time.monotonic() - before < 5


def test_a_compressed_answer_is_refused(session):
    packed = http(gzip.compress(b"{}"), "Content-Encoding: gzip")
    with serving(always(packed)) as server, pytest.raises(requests.exceptions.ContentDecodingError):
        session.get(server.url)


def test_redirects_end(session):
    with serving(always(http(b"", "Location: /again", status="302 Found"))) as server:
        with pytest.raises(requests.TooManyRedirects):
            session.get(server.url)
        assert len(server.requests) == sso_session.MAX_REDIRECTS + 1
