"""Environments for the SCIM servers that the tests talk to: each of its own, in a cache outside of this repository.

Those of Python come from requirements/scim-*.txt, those of Node from a package-lock.json in a folder beside this file.
pip and npm check the hashes that are locked there, run no package's scripts, and use this machine's registry.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCKS = {
    "scim-server": HERE.parents[2] / "requirements" / "scim-server.txt",
    "scim-django": HERE.parents[2] / "requirements" / "scim-django.txt",
    "express4": HERE / "express4" / "package-lock.json",
    "express5": HERE / "express5" / "package-lock.json",
}
SECONDS = 100  # for one environment within a test, which has 120; `make test` makes them before


class UnavailableError(RuntimeError):
    """An environment could not be had; the message says why."""


def environment(name: str) -> Path:
    """The folder of an environment by its name in LOCKS, made if it is not there. Raises UnavailableError."""
    lock = LOCKS[name]
    build: Callable[[Path, Path], None] = _node if lock.suffix == ".json" else _python
    folder = cache() / f"{name}-{_fingerprint(lock)}"
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # of several test processes one builds
            if not done.exists():
                build(folder, lock)
                done.touch()
    return folder


def cache() -> Path:
    """The folder that keeps the environments, for all working copies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "allotment" / "directories"


def node() -> str:
    """The program that runs the servers of Node. Raises UnavailableError where there is none."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        raise UnavailableError("Node and npm are not installed")
    return found


def _fingerprint(lock: Path) -> str:
    """What an environment is made of: its lock, and the interpreter that it runs in."""
    made_of = lock.read_bytes() + (sys.version if lock.suffix == ".txt" else "").encode()
    return hashlib.sha256(made_of).hexdigest()[:16]


def _python(folder: Path, lock: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")])
    install = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    install += ["--disable-pip-version-check", "--retries=1", "--only-binary=:all:", "--require-hashes"]
    _run([*install, "-r", str(lock)])


def _node(folder: Path, lock: Path) -> None:
    node()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(lock.parent / name, folder)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{Path(command[0]).name} needed more than {SECONDS} seconds") from None
    assert "DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
    assert "EINTEGRITY" not in done.stderr, done.stderr
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it failed"]
        raise UnavailableError(f"{Path(command[0]).name}: {said[-1]}")


def main() -> int:
    """Make all of them, and say which; 1 if one is missing."""
    missing = 0
    for name in LOCKS:
        try:
            sys.stdout.write(f"{name}: {environment(name)}\n")
        except UnavailableError as error:
            sys.stdout.write(f"No {name}, its tests are skipped: {error}\n")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
