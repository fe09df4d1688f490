"""Which proxy a call goes through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read alike for every library.

requests, httpx and the Kubernetes client read NO_PROXY in three ways; here it is read as kubectl does: host names with
all that is below them, addresses, networks (CIDR), each with a port if need be, `*` for all. Loopback needs no entry.
Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
"""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings

from environments.lib import destinations

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str) -> str | None:
    """The proxy for an address, None where the portal connects by itself.

    Through a proxy it is the proxy that looks up names. So what the portal's own name server knows of a name is
    looked at here. Raises PermanentError (DeniedAddress).
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)
    proxy: str = settings.HTTPS_PROXY if parts.scheme == "https" else settings.HTTP_PROXY
    if not proxy or not host or is_direct(host, port, settings.NO_PROXY):
        return None
    destinations.check_host(host, port)
    return proxy


def is_direct(host: str, port: int | None, entries: list[str]) -> bool:
    """Whether NO_PROXY, or being on this machine, exempts a host from the proxy."""
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    return any(_matches(entry.lower(), host, address, port) for entry in entries)


def _matches(entry: str, host: str, address: destinations.Address | None, port: int | None) -> bool:
    if entry == "*":
        return True
    name, wanted = _split(entry)
    if wanted and wanted != str(port):
        return False
    if address:
        try:
            return address in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split(entry: str) -> tuple[str, str]:
    """A name, address or network, and the port; an IPv6 address with a port is in brackets."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name and port.isdigit() else (entry, "")


def _address(host: str) -> destinations.Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
