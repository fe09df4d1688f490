"""Two SCIM servers of the tests' own environment; directories/servers.py has more.

How to reach each, and what is done to it behind the portal's back.

Canaille keeps no externalId, cannot filter, and calls members by their user name. scim2-server filters, patches and
keeps everything in memory. They share a library for the shapes (scim2-models), and nothing of what they do.
"""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import httpx

from portal.demo.idp import IdentityProvider
from portal.demo.ports import answers, free_port

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
TOKEN = "s3cret-bearer-token"
KEEPS = "Keeps the external ID by which the portal recognises its groups."
ALL_RIGHT: tuple[str, ...] = (
    "Filters user names, email addresses, group names and external IDs.",
    KEEPS,
    "Removes members with PATCH remove and a path.",
)


class Server(Protocol):
    """One running SCIM server with dana, theo, max, ada and sam in it."""

    url: str
    says: str
    does: tuple[str, ...]  # what testing it with an account finds
    short_lists: bool  # whether a long list cannot be read

    def connection(self) -> SimpleNamespace:
        """What a Directory row says of it."""

    def admin(self) -> httpx.Client:
        """Somebody else who changes the directory: plain SCIM, without the portal's client."""

    def deactivate(self, name: str, *, active: bool = False) -> None: ...

    def rename_group(self, group_id: str, name: str) -> None: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...


def body_of(name: str, *, active: bool = True) -> dict[str, Any]:
    return {
        "schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA],
        "userName": name,
        "name": {"formatted": name, "familyName": name},
        "emails": [{"value": f"{name}@example.com"}],
        "active": active,
    }


class Canaille:
    """The demo's provider. What no interface of it offers is done in its database."""

    says = "answers: 5 people (filter: no, patch: yes)."
    does = (
        "Does not support filters; lists are read as a whole.",
        "Drops external IDs; the portal recognises its groups by name.",
        "Removes members with PATCH replace.",
    )
    short_lists = False

    def __init__(self, idp: IdentityProvider) -> None:
        self.idp = idp
        self.url = idp.scim_url

    def connection(self) -> SimpleNamespace:
        idp = self.idp
        return SimpleNamespace(
            url=idp.scim_url, token_url=idp.token_url, client_id=idp.scim_client_id, secret=idp.scim_client_secret
        )

    def admin(self) -> httpx.Client:
        auth = (self.idp.scim_client_id, self.idp.scim_client_secret)
        form = {"grant_type": "client_credentials"}
        token = httpx.post(self.idp.token_url, data=form, auth=auth).json()["access_token"]
        return httpx.Client(headers={"Authorization": f"Bearer {token}"}, base_url=self.url)

    def deactivate(self, name: str, *, active: bool = False) -> None:
        when = None if active else "2001-01-01 00:00:00"
        self.sql("UPDATE user SET lock_date = ? WHERE user_name = ?", when, name)

    def rename_group(self, group_id: str, name: str) -> None:
        self.sql('UPDATE "group" SET display_name = ? WHERE id = ?', name, group_id)

    def expire_tokens(self) -> None:
        self.sql("UPDATE token SET issue_date = ?", "2001-01-01 00:00:00")

    def sql(self, statement: str, *values: str | None) -> None:
        database = sqlite3.connect(Path(self.idp.database), timeout=10)
        try:
            with database:
                database.execute(statement, values)
        finally:
            database.close()

    def stop(self) -> None:
        self.idp.stop()

    def start(self) -> None:
        self.idp.start()
        self.idp.wait_ready(60)


class Scim2Server:
    """scim2-server as its own process, with a bearer token."""

    says = "answers: 5 people (filter: yes, patch: yes)."
    does = ALL_RIGHT
    short_lists = True

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/v2"

    def connection(self) -> SimpleNamespace:
        return SimpleNamespace(url=self.url, token_url="", client_id="", secret=TOKEN)

    def admin(self) -> httpx.Client:
        return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, base_url=self.url)

    def deactivate(self, name: str, *, active: bool = False) -> None:
        with self.admin() as admin:
            found = admin.get("/Users", params={"filter": f'userName eq "{name}"'}).json()["Resources"][0]
            admin.put(f"/Users/{found['id']}", json=body_of(name, active=active)).raise_for_status()

    def rename_group(self, group_id: str, name: str) -> None:
        operation = {"op": "replace", "path": "displayName", "value": name}
        body = {"schemas": [PATCH_SCHEMA], "Operations": [operation]}
        with self.admin() as admin:
            admin.patch(f"/Groups/{group_id}", json=body).raise_for_status()

    def start(self) -> None:
        program = "from scim2_server.cli import main; main()"
        command = [sys.executable, "-c", program, "--port", str(self._port), "--bearer-token", TOKEN]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        end = time.monotonic() + 30
        while not answers(self._port):
            assert time.monotonic() < end, "scim2-server does not start"
            assert self._process.poll() is None, "scim2-server ended"
            time.sleep(0.05)
        with self.admin() as admin:
            for name in ("dana", "theo", "max", "ada", "sam"):
                admin.post("/Users", json=body_of(name)).raise_for_status()

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
