"""Checks of single values that people type, each with a sentence."""

import ipaddress
import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
_PROXY_SCHEMES = ("http", "https", "socks5")  # those of client-go


def server_name(text: str) -> None:
    """Raises ValidationError unless the text is a host name or an IP address, as certificates hold them."""
    if not _is_host(text):
        raise ValidationError("Enter a host name or an IP address, for example kubernetes.default.svc", code="host")


def proxy_url(text: str) -> None:
    """Raises ValidationError unless the text is the address of a proxy that kubectl takes, without a password."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in _PROXY_SCHEMES and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValidationError(
            "Enter an address with http, https or socks5, for example http://proxy.example.com:3128", code="proxy"
        )
    if "@" in parts.netloc:
        raise ValidationError(
            "Remove the user name and the password. Every member's kubeconfig contains this address.", code="secret"
        )


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))
    return True
