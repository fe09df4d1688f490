"""Certificates for the API servers of the demo: an authority, and a server on loopback that it vouches for."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY, CERTIFICATE, KEY = "ca.crt", "server.crt", "server.key"
_DAYS, _LEAST = timedelta(days=365), timedelta(days=30)
_NAMES: tuple[x509.GeneralName, ...] = (
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.DNSName("localhost"),
    x509.DNSName("kubernetes.default.svc"),
)


def kept(folder: Path, name: str) -> str:
    """Return the folder's authority as PEM; issue new certificates if there are none, or if they expire soon.

    So the files that people downloaded work with the next run of the demo too.
    """
    files = [folder / each for each in (AUTHORITY, CERTIFICATE, KEY)]
    if all(file.exists() for file in files) and all(_lasts(file) for file in files[:2]):
        return files[0].read_text()
    folder.mkdir(0o700, parents=True, exist_ok=True)
    return issue(folder, name)


def issue(folder: Path, name: str) -> str:
    """Write ca.crt, server.crt and server.key for a server of this name; return the authority as PEM.

    The authority's key is not written: nothing else can be signed with it.
    """
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "allotment local CA")])
    ca_builder = _certificate(ca_name, ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    key_usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = ca_builder.add_extension(key_usage, critical=True).sign(ca_key, hashes.SHA256())
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    server = (
        _certificate(server_name, ca_name, server_key.public_key())
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_pem = ca.public_bytes(serialization.Encoding.PEM).decode()
    (folder / AUTHORITY).write_text(ca_pem)
    (folder / CERTIFICATE).write_bytes(server.public_bytes(serialization.Encoding.PEM))
    write_secret(folder / KEY, as_pem(server_key))
    return ca_pem


def as_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _lasts(file: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        return False
    return certificate.not_valid_after_utc - _LEAST > datetime.now(UTC)


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _DAYS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
