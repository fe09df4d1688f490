"""The tests of approvals once more, on PostgreSQL, where a decision's UPDATE asks the same question in other words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SUITES = ("tests/environments/test_approvals.py", "tests/environments/test_approval_notices.py")
PAGES = ("tests/pages/test_approvals.py", "tests/security/test_approvals.py")
PATIENCE = 600  # seconds


@pytest.mark.timeout(PATIENCE)
def test_approvals_are_the_same_on_postgresql(postgres):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--allow-unix-socket", *SUITES, *PAGES],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres.url_of("approvals")},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + postgres.last_words
    assert " passed" in done.stdout
