"""Certificates as companies have them, right and wrong, made anew for each test."""

import ipaddress
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]
DAY = timedelta(days=1)


def usage(**chosen: bool) -> x509.KeyUsage:
    """A key usage with only these."""
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: chosen.get(name, False) for name in names})


IS_CA: Extension = (x509.BasicConstraints(ca=True, path_length=None), True)
NO_CA: Extension = (x509.BasicConstraints(ca=False, path_length=None), True)
SIGNS: Extension = (usage(key_cert_sign=True, crl_sign=True), True)
ON_LOOPBACK: Extension = (
    x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]),
    False,
)


def named(*names: str) -> Extension:
    """Subject alternative names for hosts."""
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False


def for_use(*uses: x509.ObjectIdentifier) -> Extension:
    """An extended key usage."""
    return x509.ExtendedKeyUsage(uses), False


SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass
class Issued:
    """A certificate, its key, and what a server sends beside it."""

    certificate: x509.Certificate
    key: Key
    sent: list["Issued"] = field(default_factory=list)

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def with_key(self) -> str:
        """The certificate, what is sent beside it, and the key."""
        return "".join(each.pem for each in (self, *self.sent)) + self.key_pem

    @property
    def key_pem(self) -> str:
        """The key alone."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def issue(
    name: str,
    extensions: Iterable[Extension] = (),
    *,
    by: Issued | None = None,
    valid: tuple[timedelta, timedelta] = (-30 * DAY, 30 * DAY),
    key: Key | None = None,
    bare: bool = False,
) -> Issued:
    """A certificate from `valid[0]` to `valid[1]` (from now), signed by itself unless `by` another.

    `bare`: without the identifiers of subject and authority that Python 3.13 insists on.
    """
    own: Key = key or ec.generate_private_key(ec.SECP256R1())
    signer = by.key if by else own
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=by.certificate.subject if by else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
    )
    if not bare:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(signer, hashes.SHA256()), own)


def authority(name: str = "Example CA", **options: object) -> Issued:
    """A certificate authority that is beyond reproach."""
    return issue(name, [IS_CA, SIGNS], **options)  # type: ignore[arg-type]


def server(folder: Path, issued: Issued, configure: Callable[[ssl.SSLContext], None] | None = None) -> ssl.SSLContext:
    """A server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys, too
    path = folder / f"{id(issued)}.pem"
    path.write_text(issued.with_key)
    context.load_cert_chain(path)
    if configure:
        configure(context)
    return context
