"""Real servers for the tests in this folder: one Canaille and one PostgreSQL per session."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo.idp import IdentityProvider
from portal.demo.ports import free_port
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
def postgres() -> Iterator[PostgreSQL]:
    """One server for all; who uses it takes a database of their own.

    Not below pytest's own folder: each run of pytest, also one within this one, closes that to other users, and root's
    PostgreSQL runs as one.
    """
    folder = tempfile.TemporaryDirectory(prefix="allotment-postgres-")
    with folder as name, PostgreSQL(Path(name) / "data") as server:
        yield server
