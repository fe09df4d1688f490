"""What stands between kubectl and an API server in companies: TLS with another name, another authority, and proxies."""

import contextlib
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Authority:
    """A certificate authority of a company, which no computer trusts by default."""

    folder: Path

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example company CA")])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, name: str) -> ssl.SSLContext:
        """A server's side of TLS, with a certificate for one host name or IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(x509.Name([]), self._name, key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self.folder / f"{name}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@dataclass
class Detour:
    """A listening server, and what it was asked for: the server names of TLS, or the targets of CONNECT."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def tls_front(port: int, context: ssl.SSLContext) -> Iterator[Detour]:
    """TLS in front of a plain server on loopback."""

    def talk(client: socket.socket, detour: Detour) -> None:
        with (
            context.wrap_socket(client, server_side=True) as inner,
            socket.create_connection(("127.0.0.1", port)) as to,
        ):
            _relay(inner, to)

    with _listening(talk) as detour:
        context.sni_callback = lambda _socket, name, _context: detour.asked.append(name or "")
        yield detour


@contextlib.contextmanager
def connect_proxy() -> Iterator[Detour]:
    """An HTTP proxy that knows CONNECT. RFC 9110 section 9.3.6."""

    def talk(client: socket.socket, detour: Detour) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (more := client.recv(4096)):
            head += more
        target = head.split()[1].decode()
        detour.asked.append(target)
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as to:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            _relay(client, to)

    with _listening(talk) as detour:
        yield detour


@contextlib.contextmanager
def _listening(talk: Callable[[socket.socket, Detour], None]) -> Iterator[Detour]:
    listener = socket.create_server(("127.0.0.1", 0))
    detour = Detour(f"127.0.0.1:{listener.getsockname()[1]}")

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(20)
            talk(client, detour)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield detour
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on bytes both ways until one side ends. In one thread: a TLS socket does not serve two."""
    ways = {one: other, other: one}
    while True:
        held = [way for way in ways if isinstance(way, ssl.SSLSocket) and way.pending()]
        for source in held or select.select(list(ways), [], [], 20)[0]:
            piece = source.recv(65536)
            if not piece:
                return
            ways[source].sendall(piece)


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
