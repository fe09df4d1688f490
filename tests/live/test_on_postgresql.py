"""What is tested on SQLite once more on PostgreSQL: the same answers, where several connections really work at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 900  # seconds
SUITES = {
    "admission": "environments/test_policy_looks.py environments/test_addresses.py",
    "approvals": "*/test_approval*.py pages/test_request_again.py",
    "directories": "environments/test_directory_actions.py environments/test_directory_admin.py",
    "emails": "environments/test_alerts.py environments/test_digests.py environments/test_member_notices.py",
    "people": "*/test_identities.py environments/test_names.py portal/test_linking.py",
    "publishing": "environments/test_publishing.py",
    "reconcile": "environments/test_reconcile.py environments/test_resilience.py environments/test_batch.py",
    "reports": "environments/test_reports.py environments/test_summaries.py pages/test_reports.py",
    "usage": "environments/test_usage_*.py environments/test_observe.py",
}


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("suite", SUITES)
def test_it_is_the_same_on_postgresql(postgres, migrated, suite):
    tests = [str(path) for pattern in SUITES[suite].split() for path in sorted(ROOT.glob(f"tests/{pattern}"))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--allow-unix-socket", *tests],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": postgres.url_of(suite), "TEST_DATABASE_TEMPLATE": migrated},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + postgres.last_words
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout[-500:]
