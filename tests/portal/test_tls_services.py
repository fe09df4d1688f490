"""Redis and PostgreSQL over TLS, as a process with these settings reaches them: verified, or not spoken to at all."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from environments.lib import tls, tls_files
from portal import setting_urls
from tests.security.certificates import ON_LOOPBACK, authority, issue, named, server
from tests.services import REDIS, Process, answers, free_port, wait_until

PASSWORD = "hunter2#/?@:%&+ü"
REDIS_SCRIPT = """
import django; django.setup()
from django.core.cache import cache
from environments.lib import queue
from portal import health
print("probe", health.broker_state())
print("queue", queue.send("environments.sweep"), queue.waiting())
cache.set("a", 1); print("cache", cache.get("a"))
"""
DATABASE_SCRIPT = """
import django; django.setup()
from django.db import connection
connection.ensure_connection()
"""


def run(script, **environment):
    """What a process of its own prints, and its errors."""
    base = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "portal.settings", "SECRET_KEY": "x" * 60}
    base |= {"LOCAL_ACCOUNTS": "true", "DATABASE_URL": "sqlite:///:memory:"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=base | environment, capture_output=True, text=True, check=False, timeout=60)


@dataclass
class Listener:
    """What somebody in the network has: a port, and what was said to it over TLS."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def listening(context, before=lambda connection: None, answer=b""):
    """An impostor, or a server that says one thing. `before`: what is said before TLS begins."""
    listener, found = socket.create_server(("127.0.0.1", 0)), Listener()
    found.port = listener.getsockname()[1]

    def talk(connection):
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            connection.settimeout(5)
            before(connection)
            with context.wrap_socket(connection, server_side=True) as secure:
                found.heard.append(secure.recv(65536))
                secure.sendall(answer)

    def listen():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture
def bundle(tmp_path):
    """The company's authority, whose certificates lack what Python 3.13 asks for; and the file with it."""
    ca = authority(bare=True)
    (tmp_path / "ca.pem").write_text(f"# our own\n{ca.pem}")
    return ca, str(tmp_path / "ca.pem")


@pytest.fixture
def redis(tmp_path, bundle):
    leaf = issue("redis", [ON_LOOPBACK], by=bundle[0], bare=True)
    (tmp_path / "redis.pem").write_text(leaf.with_key)
    port = free_port()
    command = [REDIS, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""]
    command += ["--tls-cert-file", str(tmp_path / "redis.pem"), "--tls-key-file", str(tmp_path / "redis.pem")]
    command += ["--tls-ca-cert-file", bundle[1], "--bind", "127.0.0.1", "--requirepass", PASSWORD]
    process = Process(command, tmp_path / "redis.log", {"PATH": os.environ["PATH"]})
    process.start()
    wait_until(lambda: answers(port), "redis")
    yield f"rediss://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/0"
    process.stop()


@pytest.mark.skipif(not REDIS, reason="needs redis-server")
def test_broker_cache_and_probe_verify_redis_by_the_bundle(redis, bundle):
    done = run(REDIS_SCRIPT, BROKER_URL=redis, CA_BUNDLE=bundle[1])
    assert done.stdout.splitlines() == ["probe ok", "queue True 1", "cache 1"], done.stderr
    assert "insecure" not in done.stderr


@pytest.mark.parametrize("kind", ["unknown", "other name"])
def test_an_impostor_of_the_broker_hears_nothing(kind, tmp_path, bundle):
    ca = bundle[0] if kind == "other name" else authority("Impostor")
    extension = named("redis.example.com") if kind == "other name" else ON_LOOPBACK
    with listening(server(tmp_path, issue("redis", [extension], by=ca))) as impostor:
        url = f"rediss://:{quote(PASSWORD, safe='')}@127.0.0.1:{impostor.port}/0"
        done = run(REDIS_SCRIPT, BROKER_URL=url, CA_BUNDLE=bundle[1])
        time.sleep(0.1)
    assert done.stdout.splitlines()[0] == "probe not answering"
    assert [heard for heard in impostor.heard if heard] == []
    assert "hunter2" not in done.stdout + done.stderr


def ssl_request(connection):
    """PostgreSQL's own way into TLS. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL"""
    assert struct.unpack("!ii", connection.recv(8)) == (8, 80877103)
    connection.sendall(b"S")


FATAL = b"SFATAL\0VFATAL\0C3D000\0Mthere is no such database\0\0"
REFUSAL = b"E" + struct.pack("!i", len(FATAL) + 4) + FATAL


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ours", "there is no such database"),  # it was spoken to
        ("unknown", "certificate verify failed"),
        ("other name", "does not match host name"),
    ],
)
def test_a_database_is_verified_wherever_tls_is_asked_for(mode, kind, said, tmp_path, bundle):
    ca = authority("Impostor") if kind == "unknown" else bundle[0]
    extension = named("db.example.com") if kind == "other name" else ON_LOOPBACK
    leaf = issue("db", [extension], by=ca, bare=True)
    with listening(server(tmp_path, leaf), ssl_request, REFUSAL) as database:
        url = f"postgres://portal:{quote(PASSWORD, safe='')}@127.0.0.1:{database.port}/portal?sslmode={mode}"
        done = run(DATABASE_SCRIPT, DATABASE_URL=url, CA_BUNDLE=bundle[1])
    assert said in done.stderr
    assert bool([heard for heard in database.heard if heard]) == (kind == "ours")
    assert "hunter2" not in done.stderr


def test_the_file_with_authorities_comes_back_after_a_cleaner(settings):
    settings.CA_BUNDLE = authority().pem
    tls_files.forget()
    path = tls_files.authorities()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = path.read_text()
    assert settings.CA_BUNDLE in text
    assert tls.system_authorities() in text
    path.unlink()
    assert tls_files.authorities().read_text() == text
    path.unlink()
    path.parent.rmdir()
    assert tls_files.authorities().read_text() == text


def test_a_url_that_is_accepted_reads_the_same_for_every_library():
    url = setting_urls.parse(f"redis://portal:{quote(PASSWORD, safe='')}@redis:6379/0")
    assert (url.user, url.password, url.host) == ("portal", PASSWORD, "redis")
    assert setting_urls.parse(str(url)) == url
