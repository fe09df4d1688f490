"""Where the portal never connects to, whatever address an admin enters and whatever a name resolves to.

An admin's form takes addresses of clusters and directories. Without this, one that points at the metadata service of
the cloud that the portal runs in would have the portal ask it, with rights that the admin does not have. A name is
looked at when it is connected to, and the far end of the connection once more: what it resolved to before counts for
nothing (DNS rebinding). Which networks: the setting DENIED_NETWORKS.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import ipaddress
import socket
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from environments.lib.errors import PermanentError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1


def is_denied(address: str) -> bool:
    """Whether an IP address, in any spelling that Python knows, is in a denied network. No address at all is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    networks = _networks(tuple(settings.DENIED_NETWORKS))
    return any(form in network for form in _forms(found) for network in networks)


def check_url(url: str) -> None:
    """Raises PermanentError (DeniedAddress) where an address, as it is written, is denied. Asks no name server."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        raise _denied() from None
    for address in _lookup(host, None, socket.AI_NUMERICHOST):
        if is_denied(address):
            raise _denied()


def check_host(host: str, port: int | None) -> None:
    """Raises PermanentError (DeniedAddress) where a name, or an address, leads to a denied network now.

    A name that leads nowhere is left to the connection itself.
    """
    if any(is_denied(address) for address in _lookup(host, port, 0)):
        raise _denied()


def check_peer(peer: Any) -> None:
    """Raises PermanentError (DeniedAddress) where the far end of a connection (`getpeername`) is denied."""
    if isinstance(peer, tuple) and is_denied(str(peer[0])):
        raise _denied()


def _lookup(host: str, port: int | None, flags: int) -> set[str]:
    """Whatever the machine takes it for: `0xa9fea9fe`, `169.254.43518` and `2852039166` are addresses too."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError, ValueError):
        return set()
    return {str(info[4][0]) for info in found}


def _forms(address: Address) -> list[Address]:
    """An address, and the IPv4 address that it stands for where it is IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    meant = [address.ipv4_mapped, address.sixtofour]
    if address in _NAT64:
        meant.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, the old IPv4-compatible form
        meant.append(ipaddress.IPv4Address(int(address)))
    return [address, *filter(None, meant)]


@cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _denied() -> PermanentError:
    return PermanentError(
        "The portal does not connect to this address: it is a link-local, metadata or other denied one.",
        reason="DeniedAddress",
    )
