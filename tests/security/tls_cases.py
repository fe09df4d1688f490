"""Certificates of servers on loopback: which of them kubectl takes, and the sentence about each that it does not."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.security.certificates import (
    CLIENT_AUTH,
    DAY,
    IS_CA,
    NO_CA,
    ON_LOOPBACK,
    SERVER_AUTH,
    SIGNS,
    Issued,
    authority,
    for_use,
    issue,
    named,
    usage,
)


@dataclass(frozen=True)
class Case:
    """`make` gives the server's certificate and the trusted ones as PEM. `says`: part of the sentence, or nothing."""

    name: str
    make: Callable[[], tuple[Issued, str]]
    says: str = ""
    host: str = "127.0.0.1"


def _by(ca: Issued, *extensions: object, **options: object) -> tuple[Issued, str]:
    return issue("server", extensions or [ON_LOOPBACK], by=ca, **options), ca.pem  # type: ignore[arg-type]


def _through(middle: Issued, root: Issued, *, sent: bool = True) -> tuple[Issued, str]:
    leaf = issue("server", [ON_LOOPBACK], by=middle)
    leaf.sent = [middle] if sent else []
    return leaf, root.pem


def _alone(*extensions: object, **options: object) -> tuple[Issued, str]:
    leaf = issue("server", [ON_LOOPBACK, *extensions], **options)  # type: ignore[arg-type,list-item]
    return leaf, leaf.pem


def _signed_by_leaf() -> tuple[Issued, str]:
    root = authority()
    return _through(issue("no authority", [NO_CA], by=root), root)


def _deep() -> tuple[Issued, str]:
    root = issue("root", [(x509.BasicConstraints(ca=True, path_length=0), True), SIGNS])
    return _through(authority("middle", by=root), root)


def _constrained() -> tuple[Issued, str]:
    names = x509.NameConstraints([x509.DNSName("example.com")], None)
    root = issue("root", [IS_CA, SIGNS, (names, True)])
    return issue("server", [named("localhost")], by=root), root.pem


def _pinned() -> tuple[Issued, str]:
    leaf = issue("server", [ON_LOOPBACK, NO_CA], by=authority())
    return leaf, leaf.pem


def _middle_trusted() -> tuple[Issued, str]:
    middle = authority("middle", by=authority())
    leaf = issue("server", [ON_LOOPBACK], by=middle)
    return leaf, middle.pem


def _unknown() -> tuple[Issued, str]:
    leaf, _ = _by(authority("Other CA"))
    return leaf, authority().pem


def _same_name() -> tuple[Issued, str]:
    leaf, _ = _by(authority())
    return leaf, authority().pem


_AUTHORITY_MAY_NOT = "is signed by one that may not sign others"

GOOD = [
    Case("beyond reproach", lambda: _by(authority(), ON_LOOPBACK, for_use(SERVER_AUTH))),
    Case("a host name", lambda: _by(authority()), host="localhost"),
    Case("without identifiers", lambda: _by(issue("CA", [IS_CA, SIGNS], bare=True), ON_LOOPBACK, bare=True)),
    Case("an authority without key usage", lambda: _by(issue("CA", [IS_CA]))),
    Case("basic constraints not critical", lambda: _by(issue("CA", [(IS_CA[0], False), SIGNS]))),
    Case("only what is needed", lambda: _by(issue("CA", [(IS_CA[0], False)], bare=True), ON_LOOPBACK, bare=True)),
    Case("signed by itself and trusted", lambda: _alone()),
    Case("signed by itself, no authority", lambda: _alone(NO_CA, bare=True)),
    Case("trusted alone, without its authority", _pinned),
    Case("a trusted authority that is no root", _middle_trusted),
    Case("through another authority", lambda: _through(authority("middle", by=(root := authority())), root)),
    Case("a wildcard", lambda: _by(authority(), named("*.localhost.localdomain", "localhost")), host="localhost"),
    Case("a subject of no meaning", lambda: _by(authority(), ON_LOOPBACK, (usage(digital_signature=True), True))),
]

BAD = [
    Case("expired", lambda: _by(authority(), valid=(-30 * DAY, -DAY)), "has expired ("),
    Case("not yet valid", lambda: _by(authority(), valid=(DAY, 30 * DAY)), "is not valid yet (from "),
    Case(
        "an authority that expired",
        lambda: _by(authority(valid=(-30 * DAY, -DAY))),
        "The server's certificate, or one that signed it, has expired. Its admin must renew it.",
    ),
    Case(
        "another name",
        lambda: _by(authority(), named("api.example.com", "*.apps.example.com")),
        "is for other names: api.example.com, *.apps.example.com. Use one of them",
    ),
    Case("another host", lambda: _by(authority(), named("api.example.com")), "names: api.", host="localhost"),
    Case("an address as a host name", lambda: _by(authority(), named("127.0.0.1")), "is for other names: 127.0.0.1."),
    Case("many names", lambda: _by(authority(), named(*(f"h{n}.example.com" for n in range(9)))), " and 4 more."),
    Case("half a wildcard", lambda: _by(authority(), named("local*")), "other names: local*", host="localhost"),
    Case("a common name alone", lambda: (_common_name(), _CA.pem), "has no names (subjectAltName)", host="localhost"),
    Case("an unknown authority", _unknown, "is signed by an unknown certificate authority (Other CA)."),
    Case("another authority of the same name", _same_name, "is signed by an unknown certificate authority"),
    Case("signed by itself", lambda: (_alone()[0], authority().pem), "is signed by an unknown certificate authority"),
    Case(
        "an authority between that is not sent",
        lambda: _through(authority("middle", by=(root := authority())), root, sent=False),
        "is signed by an unknown certificate authority (middle)",
    ),
    Case("for clients alone", lambda: _by(authority(), ON_LOOPBACK, for_use(CLIENT_AUTH)), "is not for servers"),
    Case(
        "an authority for clients alone",
        lambda: _by(issue("CA", [IS_CA, SIGNS, for_use(CLIENT_AUTH)])),
        "is not for servers",
    ),
    Case("signed by what is no authority", _signed_by_leaf, _AUTHORITY_MAY_NOT),
    Case("an authority without basic constraints", lambda: _by(issue("CA", [SIGNS])), _AUTHORITY_MAY_NOT),
    Case("an authority without anything", lambda: _by(issue("CA", [])), _AUTHORITY_MAY_NOT),
    Case(
        "an authority whose key may not sign",
        lambda: _by(issue("CA", [IS_CA, (usage(digital_signature=True), True)])),
        _AUTHORITY_MAY_NOT,
    ),
    Case("more authorities than allowed", _deep, _AUTHORITY_MAY_NOT),
    Case("a name that the authority may not sign", _constrained, "may not sign", host="localhost"),
    Case(
        "a critical extension that nobody knows",
        lambda: _by(
            authority(), ON_LOOPBACK, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
        ),
        "is not valid (OpenSSL error 34)",
    ),
]

_CA = authority()


def _common_name() -> Issued:
    return issue("localhost", [NO_CA], by=_CA)


def _other_identifier() -> tuple[Issued, str]:
    ca = authority()
    identifier = x509.AuthorityKeyIdentifier(b"\x01" * 20, None, None)
    return issue("server", [ON_LOOPBACK, (identifier, False)], by=ca, bare=True), ca.pem


#: kubectl takes these, and OpenSSL has no option for it. Public authorities sign none of them.
STRICTER = [
    Case(
        "for any purpose, and not for servers",
        lambda: _by(authority(), ON_LOOPBACK, for_use(x509.ObjectIdentifier("2.5.29.37.0"))),
        "is not for servers",
    ),
    Case(
        "a key of 1024 bits",
        lambda: _by(authority(), key=rsa.generate_private_key(65537, 1024)),
        "has a key or signature that is too weak",
    ),
    Case("the identifier of another authority", _other_identifier, "is signed by an unknown certificate authority"),
    Case(
        "a key usage that no server has",
        lambda: _by(authority(), ON_LOOPBACK, (usage(data_encipherment=True), True)),
        "is not for servers",
    ),
]
