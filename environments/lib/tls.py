"""The one TLS policy of all outgoing connections: clusters, directories, sign-in, mail, broker, cache.

A certificate is good where kubectl, that is Go's crypto/x509, takes it: its chain leads to a trusted authority, it has
the name that was asked for, and it is valid today. Python 3.13 asks for more (VERIFY_X509_STRICT): an Authority Key
Identifier, key usage in an authority's certificate, critical basic constraints. Many clusters' certificates lack one of
these. Without that flag, OpenSSL takes two things that Go refuses, so they are refused here: a common name instead of
subject alternative names, and an authority of version 3 without basic constraints.
Source: https://pkg.go.dev/crypto/x509#Certificate.Verify, https://docs.python.org/3/library/ssl.html#ssl.VerifyFlags
"""

import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import certifi
from cryptography import x509
from django.conf import settings

NOT_AN_AUTHORITY = 79  # X509_V_ERR_INVALID_CA
MAX_PEM = 2 * 1024 * 1024  # characters: the list of a system's authorities has about 200,000
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})


class CertificateRefusedError(ssl.SSLCertVerificationError):
    """A certificate did not pass. `certificate`: the server's own, as DER; empty where it sent none."""

    def __init__(self, code: int, message: str, certificate: bytes) -> None:
        super().__init__(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
        self.verify_code = code
        self.verify_message = message
        self.certificate = certificate


def context(authority: str = "", client: str = "") -> ssl.SSLContext:
    """A client's context. `authority`: the only certificates to trust, as PEM; empty: the system's and CA_BUNDLE.

    `client`: the client's certificate with its key, as PEM. Raises ValueError where one of them cannot be read.
    """
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain, dates and name
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # a trusted certificate need not be a root
    found.hostname_checks_common_name = False
    found.sslsocket_class, found.sslobject_class = _Socket, _Object
    if authority:
        found.load_verify_locations(cadata=certificates(authority))
    else:
        _load_system(found)
    if client:
        _load_client(found, client)
    return found


def shared() -> ssl.SSLContext:
    """The context for the system's authorities and CA_BUNDLE. Reading them takes a while, so HTTP clients share it."""
    return _shared(settings.CA_BUNDLE)


@cache
def _shared(bundle: str) -> ssl.SSLContext:
    return context()


def certificates(text: str) -> str:
    """The certificates in a text, as PEM; what is around them does not count.

    Raises ValueError, with a sentence that quotes nothing, where there is none, one is broken, or a private key is
    among them.
    """
    if len(text) > MAX_PEM:
        raise ValueError("This is too long for a list of certificates.")
    if has_private_key(text):
        raise ValueError("This contains a private key. Paste only the certificate.")
    blocks = [block for block in _BLOCK.finditer(text) if block[1] in _CERTIFICATES]
    if not blocks:
        raise ValueError(
            "This is not a PEM certificate, which begins with -----BEGIN CERTIFICATE-----. "
            "If it comes from a kubeconfig, decode it first (base64 -d)."
        )
    return "".join(_checked(number, block[0]) for number, block in enumerate(blocks, 1))


def has_private_key(text: str) -> bool:
    """Whether a text has what nobody may see."""
    return "PRIVATE KEY" in text


def system_authorities() -> str:
    """The system's list of certificate authorities, as PEM; certifi's where the system has none."""
    path = ssl.get_default_verify_paths().cafile or certifi.where()
    return Path(path).read_text(encoding="utf-8")


def _checked(number: int, block: str) -> str:
    """A block with line breaks as OpenSSL wants them. An indented one comes from YAML."""
    lines = [line.strip() for line in block.splitlines()]
    pem = "\n".join(line for line in lines if line) + "\n"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise ValueError(f"Certificate {number} is damaged. Paste all of it, with its first and last line.") from None
    return pem


def _load_system(found: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        found.load_default_certs()
    else:
        found.load_verify_locations(cafile=certifi.where())
    if settings.CA_BUNDLE:
        found.load_verify_locations(cadata=settings.CA_BUNDLE)


def _load_client(found: ssl.SSLContext, pem: str) -> None:
    """Python reads a client's key from files alone: this one is there for no longer than that, and for its owner."""
    with tempfile.TemporaryDirectory(prefix="allotment-") as folder:  # 0700
        path = Path(folder) / "client.pem"
        path.touch(0o600)
        path.write_text(pem, encoding="utf-8")
        try:
            found.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, OSError):
            raise ValueError("The client certificate and its key cannot be read, or do not belong together.") from None


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal. Raises ValueError."""
    raise ValueError("The client's key has a password. Remove it (openssl pkey).")


@contextmanager
def _policy(connection: ssl.SSLSocket | ssl.SSLObject) -> Iterator[None]:
    """Say which certificate it was that did not pass; and check of the chain what OpenSSL does not."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        sent = connection.get_unverified_chain()
        raise CertificateRefusedError(error.verify_code, error.verify_message, sent[0] if sent else b"") from error
    chain = connection.get_verified_chain()
    if not all(_may_sign(der) for der in chain[1:]):
        raise CertificateRefusedError(NOT_AN_AUTHORITY, "invalid CA certificate", chain[0])


@cache
def _may_sign(der: bytes) -> bool:
    """Whether Go takes it for an authority. OpenSSL has looked at everything else."""
    authority = x509.load_der_x509_certificate(der)
    if authority.version is x509.Version.v1:
        return True
    try:
        return authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        """Raises CertificateRefusedError, or as usual."""
        with _policy(self):
            super().do_handshake(block)


class _Object(ssl.SSLObject):
    """TLS within TLS, through a proxy that has it, too."""

    def do_handshake(self) -> None:
        """Raises CertificateRefusedError, or as usual."""
        with _policy(self):
            super().do_handshake()
