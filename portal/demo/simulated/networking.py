"""What makes a NetworkPolicy invalid, in the API server's words.

Source: ValidateNetworkPolicySpec of the networking API group, and IsValidCIDR of apimachinery's util/validation.
"""

import ipaddress
import re
from collections.abc import Iterator

from portal.demo.simulated.checks import Place, Rules, missing, not_allowed, one_of, port, selector
from portal.demo.simulated.statuses import Cause, bad_value

_IS_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_SIDES = (("ingress", "from"), ("egress", "to"))


def why_no_block(cidr: str) -> str:
    """What is wrong with a block of addresses; empty if nothing."""
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


def _block(place: Place) -> Iterator[Cause]:
    if not isinstance(place.value, dict):
        return
    cidr = str(place.value.get("cidr") or "")
    if not cidr:
        yield missing(f"{place.field}.cidr")
    elif why := why_no_block(cidr):
        yield bad_value(f"{place.field}.cidr", cidr, why)
    for index, part in enumerate(place.value.get("except") or ()):
        if why := why_no_block(part) or _why_no_part(cidr, part):
            yield bad_value(f"{place.field}.except[{index}]", part, why)


def _why_no_part(cidr: str, part: str) -> str:
    """An exception is a strict part of what it is an exception from."""
    if why_no_block(cidr):
        return ""
    whole, smaller = ipaddress.ip_network(cidr), ipaddress.ip_network(part)
    is_inside = whole.version == smaller.version and smaller.subnet_of(whole) and smaller != whole  # type: ignore[arg-type]
    return "" if is_inside else f"must be a strict subset of `cidr`: {cidr}"


def _peer(place: Place) -> Iterator[Cause]:
    said = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if place.value.get(key) is not None]
    if not said:
        yield missing(place.field, "must specify a peer")
    elif "ipBlock" in said and len(said) > 1:
        yield not_allowed(place.field, "may not specify both ipBlock and another peer")


def _range(place: Place) -> Iterator[Cause]:
    first, last = place.parent.get("port"), place.value
    if last is None:
        return
    if not isinstance(first, int):
        yield bad_value(place.field, last, "may not be specified when `port` is not specified or not an integer")
    elif last < first:
        yield bad_value(place.field, last, "must be greater than or equal to `port`")
    if last > 65535:
        yield bad_value(place.field, last, "must be between 1 and 65535, inclusive")


def _types(place: Place) -> Iterator[Cause]:
    if len(place.value or ()) > 2:
        yield bad_value(place.field, place.value, "may not specify more than two policyTypes")
        return
    for index, each in enumerate(place.value or ()):
        yield from one_of("Egress", "Ingress")(Place(f"{place.field}[{index}]", each, place.parent, place.root))


def _sides() -> Rules:
    rules: Rules = ()
    for side, peers in _SIDES:
        peer, number = f"spec.{side}[].{peers}[]", f"spec.{side}[].ports[]"
        rules += (
            (f"{number}.protocol", one_of("SCTP", "TCP", "UDP")),
            (f"{number}.port", port),
            (f"{number}.endPort", _range),
            (peer, _peer),
            (f"{peer}.podSelector", selector),
            (f"{peer}.namespaceSelector", selector),
            (f"{peer}.ipBlock", _block),
        )
    return rules


POLICY: Rules = (("spec.podSelector", selector), ("spec.policyTypes", _types), *_sides())
