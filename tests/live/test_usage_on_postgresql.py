"""What is tested of usage on SQLite holds on PostgreSQL, where passes and roll-ups really run at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.timeout(600)
def test_the_tests_of_usage_pass_there_too(postgres):
    tests = sorted(str(path) for path in ROOT.glob("tests/environments/test_usage_*.py"))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "tests/environments/test_observe.py"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": postgres.url_of("usage")},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + postgres.last_words
    assert "skipped" not in run.stdout, run.stdout[-500:]
