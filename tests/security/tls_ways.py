"""One way for each library to ask a server over TLS, and what the portal then says of it."""

import contextlib
import json
from types import SimpleNamespace

from allauth.socialaccount.adapter import get_adapter
from django.core.mail import mailers
from django.test import override_settings

from environments.directory.transport import Dialect, Http
from environments.kube import issuers
from environments.kube.client import ClusterClient
from environments.lib import tls_problems
from environments.lib.errors import ReconcileError
from tests.contract.arrange import Way
from tests.security.servers import always, http

VERSION = always(http(json.dumps({"gitVersion": "v1.36.0"}).encode()))


def port_of(running) -> int:
    return int(running.url.rpartition(":")[2])


def said(ask, address) -> str:
    """What the portal says of a server, empty where it is good."""
    try:
        ask(address)
    except ReconcileError as error:
        return error.message
    except OSError as error:  # of requests and smtplib
        return tls_problems.explain(error, "server").text
    return ""


def cluster(address):
    return ClusterClient(Way(f"https://{address}", "a-secret-token")).version()


def directory(address):
    connection = SimpleNamespace(url=f"https://{address}", token_url="", client_id="", secret="a-secret-token")
    with contextlib.closing(Http(connection, Dialect())) as http_client:
        return http_client.request("GET", "/Users")


def sign_in(address):
    with get_adapter().get_requests_session() as session:
        return session.get(f"https://{address}/", auth=("portal", "a-secret-password"))


def issuer(address):
    return issuers._fetch(issuers.Issuer(f"https://{address}", "kubectl", ()), f"https://{address}/")


def mail(address):
    host, _, port = address.rpartition(":")
    options = {"host": host, "port": int(port), "username": "portal", "password": "a-secret-password", "use_ssl": True}
    mailer = {"BACKEND": "portal.smtp.EmailBackend", "OPTIONS": options}
    with override_settings(MAILERS={"default": mailer}), contextlib.closing(mailers.default) as backend:
        backend.open()


WAYS = {way.__name__: way for way in (cluster, directory, sign_in, issuer, mail)}
