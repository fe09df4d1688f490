"""Public servers for the live tests, each with packages of its own in a cache outside of this repository.

What a server depends on may contradict what the portal depends on, so nothing of it is installed beside the portal.
Python packages are pinned by hash in `requirements/<name>.txt`. npm packages are pinned in a folder with a
`package.json` and a `package-lock.json`, which names no registry (npm's `omit-lockfile-registry-resolved`); no script
of a package runs.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kubectls import UnavailableError

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 100  # for one installation within a test, which has 120; `make test` installs before it starts them


@dataclass(frozen=True)
class PythonPackages:
    """The packages of `requirements/<name>.txt` in a virtual environment."""

    name: str

    @property
    def pins(self) -> Path:
        return ROOT / "requirements" / f"{self.name}.txt"

    def installed(self) -> Path:
        """The interpreter of the environment, made now unless it is there. Raises UnavailableError."""
        version = "{}.{}.{}".format(*sys.version_info)
        with _made_once(self.name, version, self.pins) as (folder, is_new):
            if is_new:
                _run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)])
                pip = ["-m", "pip", "--python", str(folder), "--disable-pip-version-check", "install", "--quiet"]
                _run([sys.executable, *pip, "--retries=1", "--require-hashes", "-r", str(self.pins)])
        return folder / "bin" / "python"


@dataclass(frozen=True)
class NodePackages:
    """The packages of a folder with a `package-lock.json`, as `npm ci` installs them."""

    name: str
    source: Path
    node: tuple[int, int] = (0, 0)  # the oldest version of Node.js that runs them

    @property
    def pins(self) -> Path:
        return self.source / "package-lock.json"

    def installed(self) -> Path:
        """The folder that holds `node_modules`, made now unless it is there. Raises UnavailableError."""
        npm, node = shutil.which("npm"), shutil.which("node")
        if not npm or not node:
            raise UnavailableError("Node.js and npm are not installed")
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        if tuple(map(int, version.strip().removeprefix("v").split(".")[:2])) < self.node:
            raise UnavailableError("Node.js {} is too old, {}.{} is needed".format(version.strip(), *self.node))
        with _made_once(self.name, "", self.pins) as (folder, is_new):
            if is_new:
                for file in (self.source / "package.json", self.pins):
                    shutil.copy(file, folder)
                options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
                _run([npm, "ci", *options], folder)
        return folder


Packages = PythonPackages | NodePackages

LIVE = ROOT / "tests" / "live"
OAUTH_TOOLKIT = PythonPackages("django-oauth-toolkit")
DJANGO_OIDC_PROVIDER = PythonPackages("django-oidc-provider")
NODE_OIDC_PROVIDER = NodePackages("oidc-provider", LIVE / "providers" / "oidc-provider", node=(20, 20))
SCIM2_SERVER = PythonPackages("scim-server")
DJANGO_SCIM2 = PythonPackages("scim-django")
SCIMMY_ON_EXPRESS_4 = NodePackages("express4", LIVE / "directories" / "express4")
SCIMMY_ON_EXPRESS_5 = NodePackages("express5", LIVE / "directories" / "express5")
ALL: tuple[Packages, ...] = (
    OAUTH_TOOLKIT,
    DJANGO_OIDC_PROVIDER,
    NODE_OIDC_PROVIDER,
    SCIM2_SERVER,
    DJANGO_SCIM2,
    SCIMMY_ON_EXPRESS_4,
    SCIMMY_ON_EXPRESS_5,
)

_unavailable: dict[str, UnavailableError] = {}


@contextmanager
def _made_once(name: str, version: str, pins: Path) -> Iterator[tuple[Path, bool]]:
    """The folder for these pins, and whether to fill it: for one process at a time, and only until it is complete."""
    if name in _unavailable:  # a machine without a network is asked once
        raise _unavailable[name]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "allotment" / "packages"
    key = hashlib.sha256(version.encode() + pins.read_bytes()).hexdigest()[:16]
    folder, complete = base / f"{name}-{key}", base / f"{name}-{key}.complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (base / f"{name}-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder, not complete.exists()
        except UnavailableError as error:
            _unavailable[name] = error
            raise
        complete.touch()


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{Path(command[0]).name} did not end in {SECONDS} seconds") from None
    assert "DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
    assert "EINTEGRITY" not in done.stderr, done.stderr
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and "complete log of this run" not in line]
        raise UnavailableError((said or [f"{Path(command[0]).name} failed"])[-1])


def main() -> int:
    """Install all, and say which; 1 if one is missing."""
    missing = 0
    for each in ALL:
        try:
            each.installed()
        except UnavailableError as error:
            sys.stdout.write(f"No {each.name}, its tests are skipped: {error}\n")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
