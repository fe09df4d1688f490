"""What keeps a connection from being made, in a sentence for each problem.

Every library wraps the errors of sockets and TLS in its own; what is at the bottom of them says what is wrong. The
libraries' own words are left out: they may hold addresses and headers.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from environments.lib import tls

TRUST_BUNDLE = "Add it to CA_BUNDLE."
_MOST_NAMES = 5
_LONGEST = 120  # characters of what a certificate says of itself

# Source: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/, by the numbers of x509_vfy.h
_NOT_YET, _EXPIRED, _NAMES, _PURPOSE = 9, 10, frozenset({62, 64}), 26
_UNKNOWN = frozenset({2, 18, 19, 20, 21, 27})
_NO_AUTHORITY = frozenset({24, 25, 32, tls.NOT_AN_AUTHORITY})
_FORBIDDEN_NAMES = frozenset(range(47, 54))
_WEAK = frozenset({66, 67, 68})

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"})
_CLIENT = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
_CLIENT_REFUSED = frozenset(
    {"SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_CERTIFICATE_EXPIRED",
     "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED"}
)  # fmt: skip
_NO_HANDSHAKE = frozenset({"SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


@dataclass(frozen=True)
class Problem:
    """`reason`: one word for machines, as in an error of ours; `text`: a sentence or two for people."""

    reason: str
    text: str


def explain(error: BaseException, who: str, *, trust: str = TRUST_BUNDLE) -> Problem:
    """What is wrong with a connection to `who` (“cluster”, “mail server”).

    `trust` says where an admin adds a certificate authority.
    """
    causes = list(_causes(error))
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            return Problem("BadCertificate", _of_certificate(each, who, trust))
    for each in causes:
        if isinstance(each, ssl.SSLError) and (text := _of_handshake(each.reason or "", who)):
            return Problem("BadCertificate", text)
    if any("CERTIFICATE_VERIFY_FAILED" in str(each) for each in causes):  # a library kept no more of it
        return Problem("BadCertificate", f"The {who}'s certificate is not trusted. {trust}")
    if any(type(each).__name__ == "ProxyError" for each in causes):  # urllib3's, httpx's and requests'
        return Problem("Unreachable", f"The proxy does not connect the portal to the {who}. Check HTTPS_PROXY.")
    for each in causes:
        if found := _of_socket(each, who):
            return found
    if any("timed out" in str(each).lower() or "Timeout" in type(each).__name__ for each in causes):
        return _late(who)
    return Problem("Unreachable", f"The portal cannot reach the {who}.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was made of: by `from`, as an argument, or as urllib3 keeps it."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]


def _of_certificate(error: ssl.SSLCertVerificationError, who: str, trust: str) -> str:
    code, leaf = error.verify_code, _leaf(error)
    if code in _NAMES:
        return _other_name(leaf, who)
    if code == _EXPIRED:
        return f"The {who}'s certificate, or one that signed it, has expired{_expiry(leaf)}. Its admin must renew it."
    if code == _NOT_YET:
        return f"The {who}'s certificate is not valid yet{_start(leaf)}. Check the clocks of both machines."
    if code in _UNKNOWN:
        return f"The {who}'s certificate is signed by an unknown certificate authority{_issuer(leaf)}. {trust}"
    return f"The {who}'s certificate {_other(code)}. Its admin must replace it."


def _other(code: int) -> str:
    if code == _PURPOSE:
        return "is not for servers (extended key usage)"
    if code in _NO_AUTHORITY:
        return "is signed by one that may not sign others"
    if code in _FORBIDDEN_NAMES:
        return "has a name that its certificate authority may not sign"
    if code in _WEAK:
        return "has a key or signature that is too weak"
    return f"is not valid (OpenSSL error {code})"


def _of_handshake(reason: str, who: str) -> str:
    if reason in _NOT_TLS:
        return f"The {who} answers without TLS, for example with plain HTTP. Check scheme and port of its address."
    if reason in _OLD:
        return f"The {who} offers no TLS version that the portal accepts (1.2 or later)."
    if reason in _CLIENT:
        return f"The {who} wants a client certificate, which the portal does not have."
    if reason in _CLIENT_REFUSED:
        return f"The {who} does not accept the portal's client certificate, or the lack of one."
    if reason in _NO_HANDSHAKE:
        return f"The {who} ends the TLS handshake. It wants a client certificate, or supports none of the ciphers."
    return ""


def _of_socket(error: BaseException, who: str) -> Problem | None:
    if isinstance(error, TimeoutError):
        return _late(who)
    if isinstance(error, ConnectionRefusedError):
        return Problem("Unreachable", f"The {who} refuses the connection: nothing answers at this address and port.")
    if isinstance(error, socket.gaierror):
        return Problem("Unreachable", f"The {who}'s host name is not known (DNS). Check its address.")
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Problem("Unreachable", f"There is no route from the portal to the {who}'s address.")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Problem("Unreachable", f"The {who} closes the connection before it answers.")
    return None


def _late(who: str) -> Problem:
    return Problem("Timeout", f"The {who} did not answer in time.")


def _leaf(error: ssl.SSLCertVerificationError) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(error.certificate) if hasattr(error, "certificate") else None
    except ValueError:
        return None


def _other_name(leaf: x509.Certificate | None, who: str) -> str:
    names = _names(leaf)
    if not names:
        return f"The {who}'s certificate has no names (subjectAltName). A common name does not count. Replace it."
    shown = ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES))
    return f"The {who}'s certificate is for other names: {shown}. Use one of them in its address, or add this one."


def _names(leaf: x509.Certificate | None) -> list[str]:
    try:
        value = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value if leaf else ()
        kinds = (x509.DNSName, x509.IPAddress)
        return [_shown(str(name.value)) for name in value if isinstance(name, kinds)]
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []


def _expiry(leaf: x509.Certificate | None) -> str:
    if leaf is None or leaf.not_valid_after_utc > datetime.now(leaf.not_valid_after_utc.tzinfo):
        return ""  # it is another certificate of the chain
    return f" ({leaf.not_valid_after_utc:%-d %B %Y, %H:%M} UTC)"


def _start(leaf: x509.Certificate | None) -> str:
    return f" (from {leaf.not_valid_before_utc:%-d %B %Y, %H:%M} UTC)" if leaf else ""


def _issuer(leaf: x509.Certificate | None) -> str:
    try:
        found = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME) if leaf else []
    except ValueError:
        found = []
    return f" ({_shown(str(found[0].value))})" if found else ""


def _shown(text: str) -> str:
    """What another machine wrote, short and without line breaks."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)[:_LONGEST]
