"""The reports' own tests once more, on PostgreSQL: the same figures to the last digit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SUITES = ("tests/environments/test_reports.py", "tests/environments/test_summaries.py", "tests/pages/test_reports.py")
PATIENCE = 900  # seconds


@pytest.mark.timeout(PATIENCE)
def test_reports_say_the_same_on_postgresql(postgres):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--allow-unix-socket", *SUITES],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres.url_of("reports")},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + postgres.last_words
    assert " passed" in done.stdout
