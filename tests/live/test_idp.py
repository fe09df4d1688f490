"""The demo's identity provider as a process: it starts, goes on where it stopped, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from portal.demo.idp import IdentityProvider
from portal.demo.ports import free_port
from tests.services import PORTAL_URL

ROOT = Path(__file__).parents[2]


def test_a_second_run_goes_on_with_the_same_keys_and_people(tmp_path: Path) -> None:
    port = free_port()
    seen = []
    for _ in range(2):
        provider = IdentityProvider(tmp_path, port, PORTAL_URL)
        provider.start()
        try:
            provider.wait_ready(60)
            keys = httpx.get(f"{provider.issuer}/oauth/jwks.json").json()
            auth = (provider.scim_client_id, provider.scim_client_secret)
            answer = httpx.post(provider.token_url, data={"grant_type": "client_credentials"}, auth=auth).json()
            token = {"Authorization": f"Bearer {answer['access_token']}"}
            people = httpx.get(f"{provider.scim_url}/Users", headers=token).json()["Resources"]
            seen.append((keys, {person["id"] for person in people}))
        finally:
            provider.stop()

    assert seen[0] == seen[1]
    assert len(seen[0][1]) == 5


def test_its_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    IdentityProvider(tmp_path, free_port(), PORTAL_URL)
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_told(idp: IdentityProvider, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"Port {idp.port} is in use"):
        IdentityProvider(tmp_path, idp.port, PORTAL_URL).start()


def test_an_end_at_the_start_is_told_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "canaille.sqlite").write_text("this is no database")
    provider = IdentityProvider(tmp_path, free_port(), PORTAL_URL)
    provider.start()
    with pytest.raises(RuntimeError, match=r"canaille\.log"):
        provider.wait_ready(60)
    provider.stop()
    assert "DatabaseError" in provider.log.read_text()


def test_it_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import time; from pathlib import Path; from portal.demo.idp import IdentityProvider;"
        f"p = IdentityProvider(Path({str(tmp_path)!r}), {port}, {PORTAL_URL!r});"
        "p.start(); p.wait_ready(60); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(signal.SIGKILL)

    end = time.monotonic() + 60
    with pytest.raises(httpx.TransportError):  # noqa: PT012
        while time.monotonic() < end:
            httpx.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
            time.sleep(0.05)
