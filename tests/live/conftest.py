"""Real servers for the tests in this folder: one Canaille per session, on a free port of the loopback."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from environments.directory.scim import ScimClient
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


@pytest.fixture
def connection(idp: IdentityProvider) -> SimpleNamespace:
    """What a Directory row says of this Canaille."""
    return SimpleNamespace(
        url=idp.scim_url, token_url=idp.token_url, client_id=idp.scim_client_id, secret=idp.scim_client_secret
    )


@pytest.fixture
def scim(connection: SimpleNamespace) -> Iterator[ScimClient]:
    client = ScimClient(connection)
    yield client
    client.close()


@pytest.fixture
def admin(idp: IdentityProvider) -> Iterator[httpx.Client]:
    """Somebody else who changes the directory: plain SCIM, without the portal's client."""
    auth = (idp.scim_client_id, idp.scim_client_secret)
    token = httpx.post(idp.token_url, data={"grant_type": "client_credentials"}, auth=auth).json()["access_token"]
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, base_url=idp.scim_url) as client:
        yield client


@pytest.fixture
def sql(idp: IdentityProvider) -> Callable[..., None]:
    """What no interface of Canaille offers, done in its database."""

    def run(statement: str, *values: str) -> None:
        database = sqlite3.connect(Path(idp.database), timeout=10)
        try:
            with database:
                database.execute(statement, values)
        finally:
            database.close()

    return run
