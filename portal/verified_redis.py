"""Redis over TLS with the portal's TLS policy, for broker, cache and probe.

Celery's Redis transport checks no certificate unless an option asks for it: with `rediss://` alone, whoever answers
gets the password.
"""

import socket
import ssl

import redis
from kombu.transport import redis as kombu_redis

from environments.lib import tls


class VerifiedConnection(redis.SSLConnection):
    """Checks chain, name and dates. Options of the address: `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`."""

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._context().wrap_socket(sock, server_hostname=self.host)

    def _context(self) -> ssl.SSLContext:
        if not (self.ca_certs or self.ca_path or self.certfile):
            return tls.shared()
        found = tls.context()
        if self.ca_certs or self.ca_path:
            found.load_verify_locations(self.ca_certs, self.ca_path)
        if self.certfile:
            found.load_cert_chain(self.certfile, self.keyfile, self.certificate_password)
        return found


class Channel(kombu_redis.Channel):
    """Celery's, with such connections."""

    connection_class_ssl = VerifiedConnection


class Transport(kombu_redis.Transport):
    """For `rediss://`."""

    Channel = Channel
