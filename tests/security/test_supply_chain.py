"""What is installed is what was locked: every line with its version and its hashes, from wherever it comes."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
FEWEST = {
    "kubectl.txt": 3,  # without what they depend on
    "django-oauth-toolkit.txt": 16,
    "django-oidc-provider.txt": 9,
    "scim-server.txt": 11,
    "scim-django.txt": 8,
}
NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==([^ ;\\]+)")


def requirements(lock: Path) -> list[str]:
    """Its requirements, each on one line."""
    joined = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in map(str.strip, joined.splitlines()) if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_has_one_version_and_its_hashes(lock):
    found = requirements(lock)
    assert len(found) >= FEWEST.get(lock.name, 21)
    for line in found:
        assert NAME.match(line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line, line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_everything_that_was_asked_for_is_locked(lock):
    names = {NAME.match(line)[1].lower().replace("_", "-") for line in requirements(lock)}
    lines = lock.with_suffix(".in").read_text(encoding="utf-8").splitlines()
    asked = [found[0] for line in lines if (found := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip()))]
    assert asked
    for name in asked:
        assert name.lower().replace("_", "-") in names, name


def test_whatever_installs_asks_for_the_hashes():
    for path in ("Makefile", "Dockerfile"):
        text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
        installs = [line for line in text.splitlines() if re.search(r"\bpip3? (\S+ )*install\b", line)]
        assert installs, path
        for line in installs:
            assert "--require-hashes" in line or "--no-deps" in line, (path, line)


@pytest.mark.parametrize(
    "lock", sorted(ROOT.glob("tests/live/**/package-lock.json")), ids=lambda lock: lock.parent.name
)
def test_every_package_of_node_has_one_version_and_its_hash_and_names_no_registry(lock):
    text = lock.read_text(encoding="utf-8")
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert len(packages) >= 40
    for name, entry in packages.items():
        assert entry["version"], name
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
    wanted = json.loads(lock.with_name("package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(f"node_modules/{name}" in packages for name in wanted)
