"""What the environment says is read exactly, or refused in a sentence that quotes no secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import env

ROOT = Path(__file__).resolve().parent.parent.parent

BAD = [
    ("DEBUG", "ture", "DEBUG is 'ture': it must be true or false."),
    ("SECURE", "", "SECURE is '': it must be true or false."),
    ("SWEEP_SECONDS", "-1", "SWEEP_SECONDS is '-1': it must be from 0.1 to 3600."),
    ("SWEEP_SECONDS", "often", "SWEEP_SECONDS is 'often': it must be a number."),
    ("OBSERVE_SECONDS", "nan", "OBSERVE_SECONDS is 'nan': it must be a number."),
    ("LEASE_SECONDS", "0", "LEASE_SECONDS is '0': it must be from 1 to 3600."),
    ("LEASE_SECONDS", "1.5", "LEASE_SECONDS is '1.5': it must be a whole number."),
    ("RECONCILE_WORKERS", "10000", "RECONCILE_WORKERS is '10000': it must be from 1 to 32."),
    ("INVITATION_DAYS", "0", "INVITATION_DAYS is '0': it must be from 1 to 90."),
    ("LOG_LEVEL", "info", "LOG_LEVEL is 'info': it must be DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    *(
        (
            "OIDC_PROVIDERS",
            value,
            f"OIDC_PROVIDERS is {value!r}: it must be different ids such as partner or new-tenant, "
            "separated by commas. An id has at most 20 lower-case letters, digits and hyphens, begins with a letter, "
            "and is not sso.",
        )
        for value in ("sso", "a,a", "A", "a_b", "a-", "-a", "1a", "a b", "x" * 21, "ü")
    ),
    ("OIDC_EMAILS", "maybe", "OIDC_EMAILS is 'maybe': it must be verified, unless_unverified or always."),
    ("LOG_FORMAT", "xml", "LOG_FORMAT is 'xml': it must be empty, json or text."),
    (
        "DATABASE_URL",
        "mysql://portal:hunter2@db/portal",
        "DATABASE_URL must be postgres://user:password@host:5432/name (special characters percent-encoded) or "
        "sqlite:///path.",
    ),
    (
        "DATABASE_URL",
        "postgres://portal:hunter2@db",
        "DATABASE_URL must be postgres://user:password@host:5432/name (special characters percent-encoded) or "
        "sqlite:///path.",
    ),
    (
        "EMAIL_URL",
        "mail.example.com",
        "EMAIL_URL must be like smtp+tls://user:password@host:587 (special characters percent-encoded), or "
        "consolemail://.",
    ),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD)
def test_a_value_that_cannot_be_used_is_told_in_a_sentence(monkeypatch, name, value, sentence):
    monkeypatch.setenv(name, value)
    assert env.mistakes() == [sentence]
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", "Yes", True),
        ("DEBUG", "0", False),
        ("SWEEP_SECONDS", "2.5", 2.5),
        ("ALLOWED_HOSTS", " a.example.com, b.example.com,", ["a.example.com", "b.example.com"]),
        ("SECRET_KEY", "$HOME-is-no-variable", "$HOME-is-no-variable"),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
    ],
)
def test_a_good_value_is_read_exactly(monkeypatch, name, value, expected):
    monkeypatch.setenv(name, value)
    assert env.read(name) == expected
    assert env.mistakes() == []


def test_a_further_provider_has_settings_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("hunter2\n")
    monkeypatch.setenv("OIDC_PROVIDERS", "new-tenant,partner")
    monkeypatch.setenv("OIDC_NEW_TENANT_ISSUER", "https://new.example.com/")
    monkeypatch.setenv("OIDC_NEW_TENANT_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("ADMIN_GROUPS", "ours")
    found = env.further()
    assert list(found) == ["new-tenant", "partner"]
    assert found["new-tenant"]["ISSUER"] == "https://new.example.com/"
    assert found["new-tenant"]["CLIENT_SECRET"] == "hunter2"
    assert found["new-tenant"]["ADMIN_GROUPS"] == [], "those of the first provider are its own"
    assert [setting.name for setting in env.every() if setting.secret and "TENANT" in setting.name] == [
        "OIDC_NEW_TENANT_CLIENT_SECRET",
        "OIDC_NEW_TENANT_CLIENT_KEY",
    ]
    monkeypatch.setenv("OIDC_PARTNER_EMAILS", "sometimes")
    assert env.mistakes() == ["OIDC_PARTNER_EMAILS is 'sometimes': it must be verified, unless_unverified or always."]


def test_a_value_comes_from_a_file_without_the_line_break_at_its_end(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text(" with spaces \n")
    monkeypatch.delenv("OIDC_CLIENT_SECRET", raising=False)
    monkeypatch.setenv("OIDC_CLIENT_SECRET_FILE", str(file))
    assert env.read("OIDC_CLIENT_SECRET") == " with spaces "


def test_a_file_that_cannot_be_read_is_told_by_its_name(monkeypatch, tmp_path):
    monkeypatch.delenv("OIDC_CLIENT_SECRET", raising=False)
    monkeypatch.setenv("OIDC_CLIENT_SECRET_FILE", str(tmp_path / "missing"))
    assert env.mistakes() == [f"OIDC_CLIENT_SECRET_FILE names {tmp_path / 'missing'}: No such file or directory."]
    (tmp_path / "missing").write_bytes(b"\xff\xfe\x00")
    assert env.mistakes() == [f"OIDC_CLIENT_SECRET_FILE names {tmp_path / 'missing'}, which is not UTF-8 text."]


def test_a_setting_and_its_file_contradict_each_other(monkeypatch, tmp_path):
    monkeypatch.setenv("SALT_KEY", "pepper")
    monkeypatch.setenv("SALT_KEY_FILE", str(tmp_path))
    assert env.mistakes() == ["SALT_KEY and SALT_KEY_FILE are both set: remove one of them."]


def test_what_a_library_reads_itself_has_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR_FILE", str(tmp_path))
    assert env.mistakes() == [
        "PROMETHEUS_MULTIPROC_DIR_FILE is set, but PROMETHEUS_MULTIPROC_DIR cannot be read from a file."
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "check"),
        ("-m", "celery", "-A", "portal", "report"),
        ("-m", "gunicorn", "portal.wsgi", "--config=python:portal.gunicorn", "--bind=127.0.0.1:0", "--workers=2"),
    ],
)
def test_every_door_ends_at_once_with_the_sentences_and_without_a_traceback(command):
    bad = {"PATH": os.environ["PATH"], "SWEEP_SECONDS": "-1", "DATABASE_URL": "oracle://portal:hunter2@db/portal"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=bad, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3, done
    assert "Setting SWEEP_SECONDS is '-1': it must be from 0.1 to 3600.\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
