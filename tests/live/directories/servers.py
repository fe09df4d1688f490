"""SCIM servers from packages of their own (tests/packages.py), and what is done to each behind the portal's back."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import httpx

from portal.demo.ports import answers, free_port
from tests import packages
from tests.live.scim_servers import ALL_RIGHT, KEEPS, PATCH_SCHEMA, TOKEN, body_of

HERE = Path(__file__).resolve().parent
FILTERS_IDS = "Filters external IDs."
EXACT = (
    "Filters user names, email addresses and group names, but distinguishes capitals; the portal tries both spellings."
)
PEOPLE = ("dana", "theo", "max", "ada", "sam")


class Process:
    """A server as a process of its own, with a bearer token and five people."""

    packages: packages.Packages
    path = "/scim/v2"
    says = "answers: 5 people (filter: yes, patch: yes)."
    does = ALL_RIGHT
    short_lists = False

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}{self.path}"

    def command(self, installed: Path) -> list[str]:
        """How the server is started from what is installed."""
        raise NotImplementedError

    def connection(self) -> SimpleNamespace:
        return SimpleNamespace(url=self.url, token_url="", client_id="", secret=TOKEN)

    def admin(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        return httpx.Client(headers=headers, base_url=self.url)

    def deactivate(self, name: str, *, active: bool = False) -> None:
        with self.admin() as admin:
            found = admin.get("/Users", params={"filter": f'userName eq "{name}"'}).json()["Resources"][0]
            admin.put(f"/Users/{found['id']}", json=body_of(name, active=active)).raise_for_status()

    def rename_group(self, group_id: str, name: str) -> None:
        operation = {"op": "replace", "path": "displayName", "value": name}
        with self.admin() as admin:
            body = {"schemas": [PATCH_SCHEMA], "Operations": [operation]}
            admin.patch(f"/Groups/{group_id}", json=body).raise_for_status()

    def start(self) -> None:
        """Raises UnavailableError if the packages cannot be had."""
        command = self.command(self.packages.installed())
        variables = os.environ | {
            "SCIM_TOKEN": TOKEN,
            "SCIM_PORT": str(self._port),
            "DJANGO_SETTINGS_MODULE": "scim_django.settings",
        }
        with tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(command, cwd=HERE, env=variables, stdout=said, stderr=said)
            end = time.monotonic() + 30
            while not answers(self._port):
                if self._process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    raise AssertionError(f"{self.packages.name} does not start: {said.read().decode()[-2000:]}")
                time.sleep(0.05)
        with self.admin() as admin:
            for name in PEOPLE:
                admin.post("/Users", json=body_of(name)).raise_for_status()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)


class CurrentScim2Server(Process):
    """The current scim2-server: filters in any case, keeps entity tags, and answers most changes with 204."""

    packages = packages.SCIM2_SERVER
    path = "/v2"

    def command(self, installed: Path) -> list[str]:
        return [str(installed.with_name("scim2-server")), "--port", str(self._port), "--bearer-token", TOKEN]


class DjangoScim2(Process):
    """django-scim2: POST and PUT ignore members with 201 and 200; it removes members by their values alone."""

    packages = packages.DJANGO_SCIM2
    says = "answers: 5 people (filter: no, patch: yes)."
    does = (
        "Does not support filters; lists are read as a whole.",
        KEEPS,
        "Creates groups without members; the portal adds them afterwards.",
        "Removes members with PATCH remove and their values only.",
    )

    def command(self, installed: Path) -> list[str]:
        return [str(installed), "-m", "scim_django.serve"]

    def rename_group(self, group_id: str, name: str) -> None:
        with self.admin() as admin:
            group = admin.get(f"/Groups/{group_id}").json()
            admin.put(f"/Groups/{group_id}", json=group | {"displayName": name}).raise_for_status()


class ScimmyOnExpress4(Process):
    """scimmy: filters are exact about capitals, and a member added twice is in twice."""

    packages = packages.SCIMMY_ON_EXPRESS_4
    does = (FILTERS_IDS, EXACT, *ALL_RIGHT[1:])

    def command(self, installed: Path) -> list[str]:
        return ["node", str(HERE / "scimmy.cjs"), str(installed), str(self._port), TOKEN]


class ScimmyOnExpress5(ScimmyOnExpress4):
    """The same, and each list is its first twenty entries for ever: express 5 keeps no change of a query."""

    packages = packages.SCIMMY_ON_EXPRESS_5
    does = (
        FILTERS_IDS,
        EXACT,
        KEEPS,
        "Repeats the first page of a list for ever; longer lists cannot be read.",
        ALL_RIGHT[-1],
    )
    short_lists = True
