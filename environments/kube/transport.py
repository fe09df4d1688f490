"""Connections to API servers, and their answers, read as a whole. environments/lib/connections.py guards them."""

import ssl
from typing import Any

import urllib3
from kubernetes.utils.keepalive import tcp_keepalive_socket_options

from environments.lib import connections
from environments.lib.errors import TemporaryError

_CHUNK = 64 * 1024
POOL = 16  # connections kept to one API server


def pools(context: ssl.SSLContext, *, proxy: str | None = None, server_name: str | None = None) -> urllib3.PoolManager:
    """Guarded connections. `server_name`: the name that the certificate must have, None for that of the address.

    Retrying is the reconcile's business; a redirect is an answer, and never gets the credential.
    """
    options: dict[str, Any] = {
        "ssl_context": context,
        "retries": urllib3.Retry(0, redirect=False),
        "maxsize": POOL,
        "socket_options": tcp_keepalive_socket_options(),
    }
    if server_name:
        options["server_hostname"] = server_name
    manager = connections.through(proxy, options)
    connections.guard(manager)
    return manager


def read(response: urllib3.BaseHTTPResponse) -> bytes:
    """The whole body as it was sent. Raises TemporaryError (BadAnswer) where it is packed, which was not asked for."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):  # a few bytes that unpack to gigabytes
        response.close()
        raise TemporaryError(
            "The cluster's answer is compressed, although the portal did not ask for that.", reason="BadAnswer"
        )
    try:
        return b"".join(response.stream(_CHUNK, decode_content=False))
    except BaseException:
        response.close()  # what is left of it must not be taken for the next answer
        raise
