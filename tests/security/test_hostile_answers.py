"""Clusters and directories that answer with too much, too slowly, without end or elsewhere.

Memory and time are bounded where the bytes come off the socket; what a person reads is a sentence.
"""

import contextlib
import gzip
import itertools
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from environments.directory import transport
from environments.directory.scim import ScimClient
from environments.kube import client as kube_client
from environments.kube import lists
from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError
from tests.contract.arrange import Way
from tests.security.servers import always, flood, http, serving, trickle

MEGABYTE = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def client_of(url: str):
    """A client whose connections are closed afterwards."""
    client = ClusterClient(Way(url, "s3cret-token"), timeout=(2, 2))
    try:
        yield client
    finally:
        client.close()


def ask_cluster(url: str):
    with client_of(url) as client:
        return client.get("Namespace", "default")


def ask_directory(url: str):
    client = ScimClient(SimpleNamespace(url=url, token_url="", client_id="", secret="s3cret-token"))
    try:
        return client.members("g1")
    finally:
        client.close()


ASK = pytest.mark.parametrize("ask", [ask_cluster, ask_directory], ids=["cluster", "directory"])


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    for module in (kube_client, transport):
        monkeypatch.setattr(module, "MAX_BYTES", MEGABYTE)
        monkeypatch.setattr(module, "MAX_SECONDS", 1.0)


def refused(ask, url: str) -> ReconcileError:
    with pytest.raises(ReconcileError) as caught:
        ask(url)
    assert "s3cret" not in caught.value.message
    assert len(caught.value.message) < 600
    return caught.value


def most_memory(act: Callable[[], None]) -> int:
    """The most bytes that something takes while it lasts, begun anew three times: what other threads of this process
    take at the same moment is in one figure and not in the next.
    """
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        try:
            act()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(peaks)


FLOODS = {
    "a body": (OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536),
    "a body without a length": (OK + b"\r\n", b" " * 65536),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "the length of a chunk": (CHUNKED, b"0" * 65536),
    "a chunk's extension": (CHUNKED + b"1;", b"x" * 65536),
    "trailers": (CHUNKED + b"0\r\n", b"X-Trailer: " + b"x" * 1024 + b"\r\n"),
    "a status line": (b"HTTP/1.1 200 ", b"x" * 65536),
    "headers": (OK, b"X-Header: " + b"x" * 1024 + b"\r\n"),
    "one header": (OK + b"X-Header: ", b"x" * 65536),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@ASK
@pytest.mark.parametrize("part", FLOODS)
def test_what_floods_the_portal_is_cut_off(ask, part):
    sent = []
    head, piece = FLOODS[part]

    def answer(connection: socket.socket, request: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(head)
        for _ in itertools.count():
            connection.sendall(piece)
            sent.append(len(piece))

    def once() -> None:
        sent.clear()
        with serving(answer) as server:
            error = refused(ask, server.url)
        assert error.reason in ("TooBig", "Unreachable", "BadAnswer", "Timeout")
        assert sum(sent) < 12 * MEGABYTE, "what the kernel's buffers hold beyond the limit"

    assert most_memory(once) < 12 * MEGABYTE


@ASK
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED, b"0"),
        (b"HTTP/1.1 200 ", b"x"),
        (OK + b"X-Header: ", b"x"),
        (b"", b""),
    ],
    ids=["body", "chunks", "length of a chunk", "status line", "header", "nothing at all"],
)
def test_what_trickles_in_has_an_end(ask, head, piece):
    stop = threading.Event()
    try:
        with serving(trickle(head, piece, stop)) as server:
            assert refused(ask, server.url).reason == "Timeout"
    finally:
        stop.set()


@ASK
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip"])
def test_a_packed_answer_is_not_unpacked(ask, encoding):
    bomb = gzip.compress(b" " * (64 * MEGABYTE))

    def once() -> None:
        with serving(always(http(bomb, f"Content-Encoding: {encoding}"))) as server:
            assert refused(ask, server.url).reason == "BadAnswer"
        assert b"accept-encoding: identity" in server.requests[0].lower()

    assert most_memory(once) < 8 * MEGABYTE


BODIES = {
    "nested without end": b"[" * 200_000,
    "nested deeply": b'{"a":' * 500 + b"1" + b"}" * 500,
    "not a number": b'{"kind": "Namespace", "id": "g1", "x": NaN}',
    "infinite": b'{"kind": "Namespace", "id": "g1", "x": -Infinity}',
    "a number without end": b'{"kind": "Namespace", "id": "g1", "x": 1e999}',
    "digits without end": b'{"kind": "Namespace", "id": "g1", "x": ' + b"9" * 100_000 + b"}",
    "no text": b'\xff\xfe{"kind": "Namespace"}',
    "nothing": b"",
    "a list": b"[]",
    "a word": b'"Namespace"',
    "null": b"null",
}


@ASK
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_object_is_told_in_a_sentence(ask, body):
    with serving(always(http(body))) as server:
        assert refused(ask, server.url).reason == "BadAnswer"


@ASK
def test_a_redirect_is_not_followed_and_the_credential_stays(ask):
    with serving(always(http(b"{}"))) as elsewhere:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"):
            location = f"Location: {elsewhere.url}/api/v1/namespaces/default"
            with serving(always(http(b"", location, status=status))) as server:
                refused(ask, server.url)
                assert len(server.requests) == 1
        assert elsewhere.requests == []


@ASK
def test_a_server_that_quotes_the_credential_is_not_quoted(ask):
    """The token comes back in an error's message, in its reason, and as the name of what was asked for."""
    body = json.dumps(
        {"message": "Bearer s3cret-token", "reason": "s3cret-token", "detail": "no s3cret-token"}
    ).encode()
    for status in ("400 Bad Request", "403 Forbidden", "409 Conflict", "500 Oops", "200 OK"):
        with serving(always(http(body, status=status))) as server:
            error = refused(ask, server.url)
            assert "s3cret" not in error.reason


def test_texts_that_no_database_takes_become_ones_that_it_takes():
    item = {"kind": "Namespace", "metadata": {"name": "a", "uid": "u", "annotations": {"x": "nul \0 half \ud800"}}}
    with serving(always(http(json.dumps(item).encode()))) as server:
        found = ask_cluster(server.url)
    assert found["metadata"]["annotations"]["x"] == "nul \ufffd half \ufffd"


def page(token: str, count: int = 1, kind: str = "Pod") -> bytes:
    items = [{"metadata": {"name": f"p{number}", "uid": "u"}} for number in range(count)]
    return http(json.dumps({"kind": f"{kind}List", "metadata": {"continue": token}, "items": items}).encode())


def read_all(url: str) -> None:
    with client_of(url) as client:
        list(client.list_objects("Pod"))


def test_a_list_that_goes_in_a_circle_ends():
    with serving(always(page("again"))) as server, pytest.raises(TemporaryError, match="repeats a page"):
        read_all(server.url)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_LIST_PAGES", 5), ("MAX_LIST_BYTES", 2000), ("MAX_LIST_SECONDS", 0.2)]
)
def test_a_list_without_end_ends(monkeypatch, limit, value):
    monkeypatch.setattr(lists, limit, value)
    tokens = itertools.count()
    answer = lambda connection, request: connection.sendall(page(f"t{next(tokens)}"))  # noqa: E731
    with serving(answer) as server, pytest.raises(TemporaryError, match="a list of Pod objects that does not end"):
        read_all(server.url)


def test_a_token_of_a_page_that_is_no_text_is_no_list():
    body = json.dumps({"kind": "PodList", "metadata": {"continue": {"a": 1}}, "items": []}).encode()
    with serving(always(http(body))) as server, pytest.raises(TemporaryError, match="is not a list of Pod objects"):
        read_all(server.url)


def test_a_wait_of_years_is_an_hour():
    body = json.dumps({"details": {"retryAfterSeconds": 1e300}}).encode()
    for headers in ((), ("Retry-After: 99999999999999999999",), ("Retry-After: inf",), ("Retry-After: nan",)):
        with serving(always(http(body, *headers, status="503 Busy"))) as server:
            error = refused(ask_cluster, server.url)
        assert error.retry_after is None or error.retry_after <= 3600


@ASK
def test_a_certificate_that_nobody_signed_is_not_trusted(ask, tmp_path):
    context = self_signed(tmp_path)
    with serving(always(http(b"{}")), context=context) as server:
        assert refused(ask, server.url).reason == "BadCertificate"
    assert server.requests == []


def self_signed(folder):
    import ssl

    from portal.demo.controlplane import _write_certificates

    _write_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def test_a_kubeconfig_that_does_not_check_certificates_is_refused():
    text = json.dumps(
        {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": "https://a.example", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "a", "user": {"token": "t"}}],
        }
    )
    way = Way("", text, credential_kind="kubeconfig")
    with pytest.raises(PermanentError, match="The portal cannot read the cluster's credential"):
        ClusterClient(way)


def test_a_yaml_bomb_for_a_kubeconfig_costs_nothing():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{two}: &{two} [{', '.join(f'*{one}' for _ in range(9))}]" for one, two in itertools.pairwise("abcdefghij")
    ]
    text = "\n".join([*lines, "clusters: [{name: *j, cluster: {}}]", "current-context: *j", "users: []"])
    with pytest.raises(PermanentError, match="The portal cannot read the cluster's credential"):
        ClusterClient(Way("", text, credential_kind="kubeconfig"))


def test_a_flood_leaves_the_other_clusters_alone():
    """One worker's cluster floods while another's answers: the budget is each call's own."""
    good = http(json.dumps({"kind": "Namespace", "metadata": {"name": "default", "uid": "u"}}).encode())
    head, piece = FLOODS["chunks"]
    with serving(flood(head, piece)) as bad, serving(always(good)) as fine:
        thread = threading.Thread(target=lambda: refused(ask_cluster, bad.url))
        thread.start()
        for _ in range(20):
            assert ask_cluster(fine.url)["metadata"]["name"] == "default"
        thread.join()
