"""Limits hold when many requests arrive at the same moment, on both databases."""

import json
import os
import subprocess
import sys

import pytest

from tests.services import ROOT

DONE = "done"
PATIENCE = 240  # seconds


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def outcome(request, tmp_path_factory):
    """What came of each thing that was done many times at once: how often each answer was given, and the rows."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('at-once') / 'portal.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres").database("at-once")
    more = {"DATABASE_URL": url, "BROKER_URL": "memory://", "LOCAL_ACCOUNTS": "true", "EMAIL_URL": "dummymail://"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.at_once"],
        cwd=ROOT,
        env=os.environ | more,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize(
    ("what", "done", "rows", "refusal", "refused"),
    [
        ("requests", 2, 2, "You have 2 of at most 2 environments of this template", 18),
        ("heirs", 2, 2, "has 2 of at most 2 environments of this template", 6),
        ("handovers", 1, 1, "", 7),
        ("same_extension", 8, 1, "", 0),
        ("extensions", 8, 1, "", 0),  # the second is offered in the last weeks of the first
        ("same_member", 8, 2, "", 0),
        ("members", 4, 5, "An environment has at most 5 members.", 4),
    ],
)
def test_exactly_as_many_as_are_allowed_win(outcome, what, done, rows, refusal, refused):
    answers = dict(outcome[what]["answers"])
    assert (answers.pop(DONE, 0), outcome[what]["rows"]) == (done, rows), answers
    assert sum(answers.values()) == refused, answers
    assert all(refusal in sentence and "Error" not in sentence for sentence in answers), answers
