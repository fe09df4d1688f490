"""HTTPS_PROXY and NO_PROXY: one reading of them for every library, and a guard that holds behind them."""

import contextlib
import socket
import threading

import pytest

from environments.lib import proxies, tls, tls_problems
from environments.lib.errors import PermanentError, ReconcileError
from tests.security.certificates import authority, issue, named, server
from tests.security.servers import serving
from tests.security.tls_ways import VERSION, WAYS, port_of

HOST = "server.allotment.test"
THROUGH = [name for name in WAYS if name != "mail"]


@pytest.mark.parametrize(
    ("entries", "host", "port", "direct"),
    [
        ([], "idp.example.com", 443, False),
        ([], "localhost", 443, True),
        ([], "127.0.0.1", 443, True),
        ([], "::1", 443, True),
        (["*"], "idp.example.com", 443, True),
        (["example.com"], "idp.example.com", 443, True),
        (["example.com"], "example.com", 443, True),
        ([".example.com"], "idp.example.com", 443, True),
        (["*.example.com"], "idp.example.com", 443, True),
        (["EXAMPLE.com"], "idp.example.com", 443, True),
        (["example.com"], "idp-example.com", 443, False),
        (["ample.com"], "example.com", 443, False),
        (["example.com:6443"], "api.example.com", 6443, True),
        (["example.com:6443"], "api.example.com", 443, False),
        (["10.0.0.0/8"], "10.1.2.3", 6443, True),
        (["10.0.0.0/8"], "11.1.2.3", 6443, False),
        (["10.1.2.3"], "10.1.2.3", 6443, True),
        (["10.1.2.3:443"], "10.1.2.3", 6443, False),
        (["fd00::/8"], "fd00::1", 6443, True),
        (["[fd00::1]:6443"], "fd00::1", 6443, True),
        (["[fd00::1]:443"], "fd00::1", 6443, False),
        ([".svc", "no such entry/99"], "api.default.svc", 443, True),
        (["."], "example.com", 443, False),
    ],
)
def test_no_proxy_is_read_as_kubectl_reads_it(entries, host, port, direct):
    assert proxies.is_direct(host, port, entries) is direct


@contextlib.contextmanager
def connecting(target: int):
    """A proxy that connects everybody to one port on loopback, and keeps the heads of what it was asked."""
    heads = []

    def answer(connection: socket.socket, request: bytes) -> None:
        heads.append(request)
        with socket.create_connection(("127.0.0.1", target)) as far:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, connection), daemon=True)
            back.start()
            pump(connection, far)
            back.join(10)

    with serving(answer) as proxy:
        yield proxy.url, heads


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("way", THROUGH)
def test_every_library_goes_through_the_proxy_and_checks_what_is_behind_it(way, tmp_path, settings):
    ca = authority()
    settings.CA_BUNDLE = ca.pem
    context = server(tmp_path, issue("server", [named(HOST)], by=ca))
    with serving(VERSION, context=context) as running, connecting(port_of(running)) as (url, heads):
        settings.HTTPS_PROXY = url.replace("://", "://portal:p%40ss@")
        WAYS[way](f"{HOST}:6443")
        assert heads[0].startswith(f"CONNECT {HOST}:6443 HTTP/1.1\r\n".encode())
        assert b"proxy-authorization: Basic cG9ydGFsOnBAc3M=" in heads[0].replace(b"Proxy-Auth", b"proxy-auth")
        assert len(running.requests) == 1
        assert b"roxy" not in running.requests[0]  # the proxy's password is for the proxy
        with pytest.raises((ReconcileError, OSError)) as caught:
            WAYS[way]("other.allotment.test:6443")
        sentence = getattr(caught.value, "message", "") or tls_problems.explain(caught.value, "server").text
        assert f"is for other names: {HOST}." in sentence
        assert len(running.requests) == 1


@pytest.mark.parametrize("way", THROUGH)
def test_a_proxy_that_refuses_is_told_in_a_sentence(way, settings):
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda connection, _: connection.sendall(refusal)) as proxy:
        settings.HTTPS_PROXY = proxy.url
        with pytest.raises((ReconcileError, OSError)) as caught:
            WAYS[way](f"{HOST}:6443")
    sentence = getattr(caught.value, "message", "") or tls_problems.explain(caught.value, "server").text
    assert sentence.startswith("The proxy does not connect the portal to the ")
    assert sentence.endswith(". Check HTTPS_PROXY.")


@pytest.mark.parametrize("way", THROUGH)
def test_a_name_that_the_portal_knows_to_be_denied_is_not_asked_of_the_proxy(way, settings, monkeypatch):
    known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: known if host == HOST else real(host, *rest, **more)
    )
    with serving(lambda connection, _: connection.close()) as proxy:
        settings.HTTPS_PROXY = proxy.url
        with pytest.raises((PermanentError, OSError), match="does not connect to this address"):
            WAYS[way](f"{HOST}:443")
    assert proxy.requests == []


@pytest.mark.parametrize("way", THROUGH)
def test_what_is_exempt_is_connected_to_without_the_proxy(way, settings):
    settings.HTTPS_PROXY, settings.NO_PROXY = "http://127.0.0.1:9", ["allotment.test"]
    with pytest.raises((ReconcileError, OSError)) as caught:
        WAYS[way](f"{HOST}:6443")
    sentence = getattr(caught.value, "message", "") or tls_problems.explain(caught.value, "server").text
    assert sentence.endswith("'s host name is not known (DNS). Check its address.")  # asked of the portal's own server


def test_the_environments_lower_case_names_count_too(monkeypatch):
    from portal import env

    monkeypatch.setenv("https_proxy", "proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "example.com, 10.0.0.0/8")
    assert env.read("HTTPS_PROXY") == "http://proxy.example.com:3128"
    assert env.read("NO_PROXY") == ["example.com", "10.0.0.0/8"]
    monkeypatch.setenv("HTTPS_PROXY", "")
    assert env.read("HTTPS_PROXY") == ""


def test_the_shared_context_follows_the_bundle(settings):
    settings.CA_BUNDLE = authority().pem
    first = tls.shared()
    assert tls.shared() is first
    settings.CA_BUNDLE = authority("Another CA").pem
    assert tls.shared() is not first
