#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` no longer keeps tests of one `xdist_group` together.
#
# xdist appends "@group" to the private attribute `_nodeid` of each test. pytest 9.2 derives a test's id from another
# attribute, so the suffix is lost. Neither warns. Expected: both tests of group "one" run on one worker.
# Seen: they run on two. Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0

cat >test_groups.py <<'PY'
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", [1, 2])
def test_of_one_group(number, worker_id):
    time.sleep(1)
    with open("workers.txt", "a") as seen:
        seen.write(f"{worker_id}\n")
PY

venv/bin/python -m pytest -q -n 2 --dist loadgroup
venv/bin/pip list 2>/dev/null | grep -E '^pytest'
workers=$(sort -u workers.txt | wc -l)
echo "workers that ran tests of the one group: $workers"
[ "$workers" -eq 2 ] || { echo "Changed: the group stays on one worker."; exit 1; }
