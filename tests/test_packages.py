"""The live tests' servers are installed where there is a network; where there is none, the reason is said."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import packages
from tests.packages import NodePackages, PythonPackages
from tests.services import ROOT

PYTHON = [each for each in packages.ALL if isinstance(each, PythonPackages)]
NODE = [each for each in packages.ALL if isinstance(each, NodePackages)]


def install(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.packages"]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder)} | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_without_a_network_each_is_named_with_the_reason(tmp_path: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    done = install(tmp_path, npm_config_offline="true", npm_config_cache=str(tmp_path / "npm"), **offline)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == [f"No {each.name}" for each in packages.ALL]
    assert all(re.fullmatch(r"No [\w-]+, its tests are skipped: \S.+", line) for line in lines)
    assert not list(tmp_path.rglob("*.complete"))


def test_without_node_its_packages_are_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert NODE
    for each in NODE:
        with pytest.raises(packages.UnavailableError, match=r"Node\.js and npm are not installed"):
            each.installed()


@pytest.mark.skipif(not shutil.which("node") or not shutil.which("npm"), reason="no Node.js")
def test_an_old_node_is_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(packages.UnavailableError, match=r"Node\.js v\d+\.\d+\.\d+ is too old, 999\.0 is needed"):
        NodePackages("later", tmp_path, node=(999, 0)).installed()


@pytest.mark.parametrize("each", PYTHON, ids=lambda each: each.name)
def test_each_python_package_is_pinned_with_its_hashes_and_no_index(each: PythonPackages) -> None:
    text = each.pins.read_text()
    pins = re.split(r"^(?=[a-z0-9])", re.sub(r"^ +#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert pins
    assert all(re.match(r"[\w.-]+==[\w.]+", pin) and "--hash=sha256:" in pin for pin in pins), pins
    assert "://" not in text


@pytest.mark.parametrize("each", NODE, ids=lambda each: each.name)
def test_each_node_package_is_pinned_with_its_hash_and_no_registry(each: NodePackages) -> None:
    locked = json.loads(each.pins.read_text())["packages"]
    wanted = json.loads((each.source / "package.json").read_text())["dependencies"]
    assert all(f"node_modules/{name}" in locked for name in wanted)
    found = {name: package for name, package in locked.items() if name}
    assert found
    assert all(package["integrity"].startswith("sha512-") for package in found.values())
    assert not [name for name, package in found.items() if "resolved" in package]
