"""Directories of people and groups behind one interface. The only importer of `httpx`."""

import threading
from datetime import datetime
from typing import Protocol

from environments.directory.base import DirectoryClient, Explores, GroupKey, NamedGroup, OwnAccounts, Person
from environments.directory.capabilities import Row, in_words
from environments.directory.entra import EntraClient
from environments.directory.keycloak import KeycloakClient, token_url
from environments.directory.local import LocalClient
from environments.directory.okta import OktaClient
from environments.directory.scim import ScimClient
from environments.directory.transport import Connection
from environments.lib.errors import PermanentError
from environments.lib.stored_secrets import readable
from environments.models.directories import Kind

__all__ = [
    "DirectoryClient",
    "DirectoryRow",
    "Explores",
    "GroupKey",
    "NamedGroup",
    "OwnAccounts",
    "Person",
    "check_realm",
    "connect",
    "in_words",
]


class DirectoryRow(Connection, Protocol):
    """A `Directory` row, as the cache of clients needs it."""

    pk: int
    kind: str
    updated_at: datetime


_clients: dict[int, tuple[datetime, DirectoryClient]] = {}
_clients_lock = threading.Lock()


def connect(directory: DirectoryRow) -> DirectoryClient:
    """The client for a directory, shared by all threads until its row changes.

    Raises PermanentError for a kind that nothing here speaks.
    """
    with _clients_lock:
        cached = _clients.get(directory.pk)
        if cached is None or cached[0] != directory.updated_at:
            cached = (directory.updated_at, _client(directory))
            _clients[directory.pk] = cached
        return cached[1]


def forget() -> None:
    """Close and forget all clients; the next call connects anew."""
    with _clients_lock:
        for _, client in _clients.values():
            client.close()
        _clients.clear()


def check_realm(url: str) -> None:
    """Raises PermanentError (BadAddress) where a Keycloak address names no realm."""
    token_url(url)


def _client(directory: DirectoryRow) -> DirectoryClient:
    readable(directory.secret)
    match directory.kind:
        case Kind.SCIM:
            return ScimClient(directory, keeper=Row(directory.pk))
        case Kind.KEYCLOAK:
            return KeycloakClient(directory)
        case Kind.OKTA:
            return OktaClient(directory)
        case Kind.ENTRA:
            return EntraClient(directory)
        case Kind.LOCAL:
            return LocalClient(directory.pk)
        case _:
            raise PermanentError(
                f"This portal does not support the directory kind {directory.kind}.", reason="UnknownKind"
            )
