"""Connections to the identity provider, with the guards of all outgoing connections.

The issuer comes from the settings, but its other addresses come from the issuer's own answer.
"""

from typing import Any

import requests
from allauth.socialaccount import app_settings
from requests.adapters import HTTPAdapter

from environments.lib import bounds, connections, destinations, proxies, tls
from environments.lib.errors import PermanentError

MAX_BYTES = 2 * 1024 * 1024  # of one answer with its redirects
MAX_SECONDS = 10.0  # for one answer, however slowly it comes: a person waits for it
MAX_REDIRECTS = 3


class GuardedSession(requests.Session):
    """Connects to no denied address, and reads only so much for only so long. Raises requests' own errors."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # proxies and authorities come from the portal's settings, and no password from ~/.netrc
        self.max_redirects = MAX_REDIRECTS
        self.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _GuardedAdapter())

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """One call with its redirects. Raises RequestException."""
        kwargs.setdefault("timeout", app_settings.REQUESTS_TIMEOUT)
        try:
            with bounds.within(MAX_SECONDS, MAX_BYTES):
                return super().request(*args, **kwargs)
        except PermanentError as error:
            raise requests.ConnectionError(error.message) from error


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Guard direct connections."""
        super().init_poolmanager(*args, ssl_context=tls.shared(), **kwargs)
        connections.guard(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Guard connections to a proxy."""
        manager = super().proxy_manager_for(*args, ssl_context=tls.shared(), proxy_ssl_context=tls.shared(), **kwargs)
        connections.guard(manager)
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Add no authorities: the context has them."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises RequestException, PermanentError (DeniedAddress)."""
        destinations.check_url(request.url or "")  # behind a proxy it is the proxy that connects
        proxy = proxies.proxy_for(request.url or "")
        kwargs["proxies"] = {"http": proxy, "https": proxy} if proxy else {}
        response = super().send(request, *args, **kwargs)
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            response.close()  # a few bytes that unpack to gigabytes
            raise requests.exceptions.ContentDecodingError("compressed, although the portal did not ask for that")
        return response
