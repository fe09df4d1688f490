"""Real servers for the tests in this folder: one Canaille and one PostgreSQL per session."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo.idp import IdentityProvider
from portal.demo.ports import free_port
from portal.demo.simulated import SimulatedCluster
from tests.live.shape import Shape
from tests.services import PATIENCE, PORTAL_URL, ROOT, PostgreSQL


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
        # Nothing here outlives a power cut, so nothing waits for the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: PostgreSQL) -> str:
    """The name of a database with all tables, from which the others are copied: migrating takes some seconds."""
    environment = os.environ | {
        "DATABASE_URL": postgres.database("migrated"),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=PATIENCE)
    return "migrated"


@pytest.fixture(scope="module")
def production_cluster():
    """The cluster of all tests of a module, whose environments are told apart by their names."""
    with SimulatedCluster(termination_delay=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, postgres, migrated, production_cluster):
    folder = tmp_path_factory.mktemp("shape")
    shape = Shape(folder, postgres.database(folder.name, template=migrated))
    shape.drive("prepare", production_cluster.url, production_cluster.portal_token)
    return shape


@pytest.fixture
def shape(prepared, production_cluster):
    production_cluster.faults.clear()
    prepared.start_redis()
    yield prepared
    production_cluster.faults.clear()
    for name in list(prepared.processes):
        prepared.stop(name, signal.SIGKILL)
