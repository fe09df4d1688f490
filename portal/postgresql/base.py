"""Django's PostgreSQL backend, which checks the server's certificate wherever DATABASE_URL asks for TLS.

libpq checks nothing with `sslmode=require`, and knows a file of authorities or the system's, never both. Its wheels
carry an OpenSSL of their own, which does not know where the system's are.
Source: https://www.postgresql.org/docs/current/libpq-ssl.html
"""

from typing import Any

from django.db.backends.postgresql import base

from environments.lib import tls_files


class DatabaseWrapper(base.DatabaseWrapper):
    """With the portal's authorities, unless the address names a file of its own (`sslrootcert`)."""

    def get_connection_params(self) -> dict[str, Any]:
        """As Django's, with chain and name checked."""
        return (
            {"sslrootcert": str(tls_files.authorities())} | super().get_connection_params() | {"sslmode": "verify-full"}
        )
