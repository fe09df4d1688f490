"""Real servers for the tests in this folder: one Canaille and one PostgreSQL per session."""

from collections.abc import Iterator

import pytest

from portal.demo.idp import IdentityProvider
from tests.ports import free_port
from tests.services import PostgreSQL

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
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """One server for all; who uses it takes a database of their own."""
    with PostgreSQL(tmp_path_factory.mktemp("postgres")) as server:
        yield server
