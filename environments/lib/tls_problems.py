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
    """What keeps a connection from being made.

    `reason`: one word for machines, as in an error of ours; `code`: what exactly, for the log; `text`: a sentence or
    two for people.
    """

    reason: str
    code: str
    text: str


def explain(error: BaseException, who: str, *, trust: str = TRUST_BUNDLE) -> Problem:
    """What is wrong with a connection to `who` (“cluster”, “mail server”).

    `trust` says where an admin adds a certificate authority.
    """
    found = list(causes(error))
    for each in found:
        if isinstance(each, ssl.SSLCertVerificationError):
            return Problem("BadCertificate", *_of_certificate(each, who, trust))
    for each in found:
        if isinstance(each, ssl.SSLError) and (handshake := _of_handshake(each.reason or "", who)):
            return Problem("BadCertificate", *handshake)
    if any("CERTIFICATE_VERIFY_FAILED" in str(each) for each in found):  # a library kept no more of it
        return Problem("BadCertificate", "not_trusted", f"The {who}'s certificate is not trusted. {trust}")
    return _of_connection(found, who)


def _of_connection(found: list[BaseException], who: str) -> Problem:
    if any(type(each).__name__ == "ProxyError" for each in found):  # urllib3's, httpx's and requests'
        return _unreachable("proxy", f"The proxy does not connect the portal to the {who}. Check HTTPS_PROXY.")
    for each in found:
        if problem := _of_socket(each, who):
            return problem
    if any("timed out" in str(each).lower() or "Timeout" in type(each).__name__ for each in found):
        return _late(who)
    if any(isinstance(each, ssl.SSLError) for each in found):
        return _unreachable("tls", f"The {who} and the portal do not agree on TLS.")
    return _unreachable("no_connection", f"The portal cannot reach the {who}.")


def causes(error: BaseException) -> Iterator[BaseException]:
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


def _of_certificate(error: ssl.SSLCertVerificationError, who: str, trust: str) -> tuple[str, str]:
    """Code and sentence."""
    code, leaf = error.verify_code, _leaf(error)
    if code in _NAMES:
        return "other_name", _other_name(leaf, who)
    if code == _EXPIRED:
        text = f"The {who}'s certificate, or one that signed it, has expired{_expiry(leaf)}. Its admin must renew it."
        return "expired", text
    if code == _NOT_YET:
        text = f"The {who}'s certificate is not valid yet{_start(leaf)}. Check the clocks of both machines."
        return "not_yet_valid", text
    if code in _UNKNOWN:
        text = f"The {who}'s certificate is signed by an unknown certificate authority{_issuer(leaf)}. {trust}"
        return "unknown_ca", text
    return "not_trusted", f"The {who}'s certificate {_other(code)}. Its admin must replace it."


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


def _of_handshake(reason: str, who: str) -> tuple[str, str] | None:
    """Code and sentence, if it is known what the reason means."""
    if reason in _NOT_TLS:
        text = f"The {who} answers without TLS, for example with plain HTTP. Check scheme and port of its address."
        return "plain_http", text
    if reason in _OLD:
        return "old_tls", f"The {who} offers no TLS version that the portal accepts (1.2 or later)."
    if reason in _CLIENT:
        return "client_certificate", f"The {who} wants a client certificate, which the portal does not have."
    if reason in _CLIENT_REFUSED:
        text = f"The {who} does not accept the portal's client certificate, or the lack of one."
        return "client_certificate", text
    if reason in _NO_HANDSHAKE:
        text = f"The {who} ends the TLS handshake. It wants a client certificate, or supports none of the ciphers."
        return "handshake", text
    return None


def _of_socket(error: BaseException, who: str) -> Problem | None:
    if isinstance(error, TimeoutError):
        return _late(who)
    if isinstance(error, ConnectionRefusedError):
        return _unreachable("refused", f"The {who} refuses the connection: nothing answers at this address and port.")
    if isinstance(error, socket.gaierror):
        return _unreachable("dns", f"The {who}'s host name is not known (DNS). Check its address.")
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return _unreachable("no_route", f"There is no route from the portal to the {who}'s address.")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return _unreachable("closed", f"The {who} closes the connection before it answers.")
    return None


def _unreachable(code: str, text: str) -> Problem:
    return Problem("Unreachable", code, text)


def _late(who: str) -> Problem:
    return Problem("Timeout", "timeout", f"The {who} did not answer in time.")


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
