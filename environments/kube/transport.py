"""Answers of API servers, read as a whole. Connections are guarded by environments/lib/connections.py."""

import urllib3

from environments.lib.errors import TemporaryError

_CHUNK = 64 * 1024


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
