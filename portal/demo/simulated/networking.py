"""What makes a NetworkPolicy invalid, in the API server's words.

Source: ValidateNetworkPolicySpec of the networking API group, and IsValidCIDR of apimachinery's util/validation.
"""

import ipaddress
import re
from collections.abc import Iterator

from portal.demo.simulated.kinds import Object
from portal.demo.simulated.names import key_causes, value_causes
from portal.demo.simulated.statuses import Cause, bad_value

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_IS_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def policy(found: Object) -> Iterator[Cause]:
    """What is wrong with a policy's peers and ports."""
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(found["spec"].get(side) or []):
            where = f"spec.{side}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                yield from _port(f"{where}.ports[{number}]", port)
            for number, peer in enumerate(rule.get(peers) or []):
                yield from _peer(f"{where}.{peers}[{number}]", peer)


def _port(where: str, port: Object) -> Iterator[Cause]:
    protocol, number = port.get("protocol", "TCP"), port.get("port")
    if protocol not in _PROTOCOLS:
        listed = ", ".join(f'"{each}"' for each in _PROTOCOLS)
        why = f'Unsupported value: "{protocol}": supported values: {listed}'
        yield Cause(f"{where}.protocol", why, "FieldValueNotSupported")
    if isinstance(number, int) and not 1 <= number <= 65535:
        yield bad_value(f"{where}.port", number, "must be between 1 and 65535, inclusive")
    if isinstance(number, str) and not re.fullmatch(r"[a-z0-9-]*[a-z][a-z0-9-]*", number):
        yield bad_value(f"{where}.port", number, "must contain at least one letter (a-z)")


def _peer(where: str, peer: Object) -> Iterator[Cause]:
    for name in ("podSelector", "namespaceSelector"):
        for key, value in ((peer.get(name) or {}).get("matchLabels") or {}).items():
            yield from key_causes(f"{where}.{name}.matchLabels", key)
            yield from value_causes(f"{where}.{name}.matchLabels", value)
    if block := peer.get("ipBlock"):
        cidr = str(block.get("cidr", ""))
        if why := _why_no_block(cidr):
            yield bad_value(f"{where}.ipBlock.cidr", cidr, why)


def _why_no_block(cidr: str) -> str:
    address, slash, length = cidr.partition("/")
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        is_padded = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]+", cidr) and any(
            part.startswith("0") and part != "0" for part in address.split(".")
        )
        return "must not have leading 0s in IP or prefix length" if is_padded else _IS_NO_CIDR
    if not slash or not length.isdecimal() or "%" in address:
        return _IS_NO_CIDR
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        return "must not have an IPv4-mapped IPv6 address"
    if len(length) > 1 and length.startswith("0"):
        return "must not have leading 0s in IP or prefix length"
    is_aligned = ipaddress.ip_address(address) == network.network_address
    return "" if is_aligned else "must not have bits set beyond the prefix length"
