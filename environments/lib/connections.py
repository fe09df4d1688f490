"""Connections of urllib3: never to a denied address, and never more than is asked for comes through.

Clusters and sign-in use it; directories have the same for httpx (environments/directory/wire.py).

urllib3's own time limit is for each wait on the socket. A server that sends a byte every nine seconds would keep a
worker for years; and of the lines between the chunks of a body, urllib3 reads however much there is.
"""

import io
import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from environments.lib import bounds, destinations, tls


def through(proxy: str | None, options: dict[str, Any]) -> urllib3.PoolManager:
    """A pool manager that connects through a proxy, or by itself. A password of the proxy goes to the proxy alone."""
    if proxy is None:
        return urllib3.PoolManager(**options)
    headers = _proxy_headers(proxy)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, proxy_ssl_context=tls.shared(), **options)


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    return urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")


_BUFFER = 64 * 1024  # bytes: a TLS record has up to 16 KiB, and each wait has its price


def guard(manager: urllib3.PoolManager) -> None:
    """Have a pool manager make only such connections."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Reader(io.RawIOBase):
    """What comes off a socket, within the call's budget."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open for as long as it is read

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Raises TimeoutError, TooBigError."""
        self._sock.settimeout(bounds.patience(self._sock.gettimeout()))
        count: int | None = self._raw.readinto(buffer)
        bounds.took(count or 0)
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Socket:
    """A socket whose files are read within the call's budget."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, *args: Any, **kwargs: Any) -> io.BufferedReader:
        """What `http.client` reads answers from."""
        return io.BufferedReader(_Reader(self._sock), _BUFFER)


class _Guarded(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        destinations.check_host(self._dns_host, self.port)
        sock = super()._new_conn()
        try:
            destinations.check_peer(sock.getpeername())
        except BaseException:
            sock.close()
            raise
        return sock

    def connect(self) -> None:
        """As usual; what comes back is counted from the first byte of an answer on."""
        super().connect()
        self.sock = _Socket(self.sock)


class _Connection(_Guarded):
    """http://"""


class _SecureConnection(_Guarded, HTTPSConnection):
    """https://"""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
