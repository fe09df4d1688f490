"""Connections to directories: never to a denied address, and never more than is asked for comes through.

httpx's time limit is for each wait on the socket: a server that sends a byte every nine seconds would keep a worker
for days. httpx has no door for a network backend, httpcore below it has; a test holds both to this.
Source: https://www.encode.io/httpcore/network-backends/
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from environments.lib import bounds, destinations


def guard(client: httpx.Client) -> None:
    """Have a client make only such connections, its proxies included."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend()


class _Stream(httpcore.NetworkStream):
    """A connection that is read within the call's budget."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises TooBigError, or as httpcore."""
        data = self._stream.read(max_bytes, _patience(timeout, httpcore.ReadTimeout))
        bounds.took(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises as httpcore."""
        self._stream.write(buffer, _patience(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """As usual."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same over TLS."""
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """As usual."""
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises PermanentError (DeniedAddress), or as httpcore."""
        destinations.check_host(host, port)
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            destinations.check_peer(stream.get_extra_info("server_addr"))
        except BaseException:
            stream.close()
            raise
        return _Stream(stream)


def _patience(timeout: float | None, late: type[Exception]) -> float | None:
    try:
        return bounds.patience(timeout)
    except TimeoutError as error:
        raise late("timed out") from error
