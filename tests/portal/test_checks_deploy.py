"""Every unsafe or contradictory setting is named in a sentence of its own, and a sound production has none to name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import deploy_checks, env

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "kJ3x-9fQ2vW7_bN5mZ8tR1yL4pS6dH0gC-aE_uXoViTqBnMrKw"
OTHER_KEY = "Zq8_rT2-yU6iO4pA0sD9fG7hJ3kL5zX1cV-bN_mQwErTyUiOpAs"

#: What docker-compose.yml and deploy/ come to, in one place.
GOOD = {
    "SECRET_KEY": KEY,
    "SALT_KEY": "a-salt-of-ones-own",
    "PORTAL_URL": "https://portal.example.com",
    "ALLOWED_HOSTS": "portal.example.com",
    "TRUST_PROXY": "true",
    "DATABASE_URL": "postgres://portal:a-password@postgres/portal?sslmode=require",
    "BROKER_URL": "redis://redis:6379/0",
    "EMAIL_URL": "smtp+tls://portal:a-password@mail.example.com:587",
    "EMAIL_FROM": "portal@example.com",
    "OIDC_ISSUER": "https://idp.example.com/realms/company",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_CLIENT_SECRET": "a-secret-of-the-client",
    "METRICS_TOKEN": "c0ffee" * 6,
}

BAD = [
    (
        {"SECRET_KEY": ""},
        "SECRET_KEY is not set. Set at least 50 random characters (openssl rand -base64 48).",
    ),
    (
        {"SECRET_KEY": "changeme"},
        "SECRET_KEY is weak. Set at least 50 random characters (openssl rand -base64 48), and keep this key in "
        "SECRET_KEY_FALLBACKS until manage.py rotate_secrets has run.",
    ),
    (
        {"SECRET_KEY": "ab" * 40},
        "SECRET_KEY is weak. Set at least 50 random characters (openssl rand -base64 48), and keep this key in "
        "SECRET_KEY_FALLBACKS until manage.py rotate_secrets has run.",
    ),
    (
        {"SECRET_KEY_FALLBACKS": f"{OTHER_KEY},{KEY}"},
        "SECRET_KEY is also in SECRET_KEY_FALLBACKS. Only previous keys belong there.",
    ),
    (
        {"SECRET_KEY_FALLBACKS": "hunter2"},
        "SECRET_KEY_FALLBACKS has a weak key: an attacker who guesses it can sign in. Remove it soon.",
    ),
    (
        {"SALT_KEY": "allotment"},
        "SALT_KEY is the public default. Set your own before you store credentials; you would have to enter stored "
        "ones again.",
    ),
    ({"DEBUG": "true"}, "DEBUG is true: its error pages show code and settings to everyone."),
    ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS has *. List the hosts, or attackers can make links lead elsewhere."),
    ({"PORTAL_URL": "portal.example.com"}, "PORTAL_URL must be an address such as https://portal.example.com."),
    (
        {"PORTAL_URL": "https://portal.example.com/portal"},
        "PORTAL_URL has a path. Remove it; the portal is served at the root of its host.",
    ),
    (
        {"ALLOWED_HOSTS": "localhost"},
        "PORTAL_URL is at portal.example.com, which is not in ALLOWED_HOSTS: every page would answer 400.",
    ),
    (
        {"PORTAL_URL": "http://portal.example.com"},
        "PORTAL_URL begins with http:// while SECURE is true, so sign-in cannot work. Use https://.",
    ),
    (
        {"TRUST_PROXY": "false"},
        "SECURE is true and TRUST_PROXY false: behind a proxy that ends TLS every page would redirect to itself. Set "
        "TRUST_PROXY=true if a proxy always sets X-Forwarded-Proto itself.",
    ),
    ({"SECURE": "false"}, "SECURE is false: browsers may send session cookies unencrypted."),
    ({"HSTS_SECONDS": "0"}, "HSTS_SECONDS is 0: a browser's first request may use plain HTTP every time."),
    (
        {"DATABASE_URL": "sqlite:///db.sqlite3"},
        "DATABASE_URL is SQLite, which works only for one process on one machine. Use postgres://…",
    ),
    (
        {"BROKER_URL": "memory://localhost"},
        "BROKER_URL is memory, which reaches no other process, so workers get no messages. Use redis://…",
    ),
    *(
        (
            {"DATABASE_URL": f"postgres://portal:a-password@{where}"},
            "DATABASE_URL is on another machine and does not require TLS. Add ?sslmode=require, which checks the "
            "certificate, or ?sslmode=disable if the network is yours alone.",
        )
        for where in ("postgres/portal", "10.0.0.5:5432/portal?sslmode=prefer", "db/portal?sslmode=allow")
    ),
    (
        {"MAIL_FOLDER": "/var/mail/portal"},
        "MAIL_FOLDER is set: emails stay in a folder, where platform admins can read all of them. Use it only for the "
        "demo.",
    ),
    (
        {"EMAIL_URL": "consolemail://"},
        "EMAIL_URL sends nothing, so owners get no notice before expiry. Use smtp+tls://…",
    ),
    (
        {"EMAIL_URL": "smtp://portal:a-password@mail.example.com:25"},
        "EMAIL_URL sends its password unencrypted. Use smtp+tls:// or smtp+ssl://.",
    ),
    (
        {"EMAIL_FROM": "allotment@localhost"},
        "EMAIL_FROM is allotment@localhost, which mail servers reject. Set an address of your own.",
    ),
    (
        {"OIDC_ISSUER": ""},
        "OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is set without OIDC_ISSUER, so single sign-on is off.",
    ),
    (
        {"OIDC_ISSUER": "idp.example.com"},
        "OIDC_ISSUER must be an address such as https://idp.example.com/realms/company.",
    ),
    (
        {"OIDC_ISSUER": "http://idp.example.com"},
        "OIDC_ISSUER begins with http://: an attacker in the network could sign in as any user.",
    ),
    ({"OIDC_SCOPES": "profile,email"}, "OIDC_SCOPES lacks openid, so the provider would return no identity."),
    (
        {"OIDC_PROVIDERS": "new-tenant", "OIDC_NEW_TENANT_ISSUER": "idp.example.com"},
        "OIDC_NEW_TENANT_ISSUER must be an address such as https://idp.example.com.",
    ),
    (
        {"OIDC_PROVIDERS": "new-tenant", "OIDC_NEW_TENANT_ISSUER": "http://new.example.com"},
        "OIDC_NEW_TENANT_ISSUER begins with http://: an attacker in the network could sign in as any user.",
    ),
    (
        {"OIDC_PROVIDERS": "new-tenant", "OIDC_NEW_TENANT_ISSUER": "https://idp.example.com/realms/company"},
        "OIDC_NEW_TENANT_ISSUER is another provider's too: people would have an account for each.",
    ),
    (
        {
            "OIDC_PROVIDERS": "partner",
            "OIDC_PARTNER_ISSUER": "https://idp.partner.example",
            "OIDC_PARTNER_SCOPES": "email",
        },
        "OIDC_PARTNER_SCOPES lacks openid, so the provider would return no identity.",
    ),
    (
        {"OIDC_EMAILS": "always"},
        "OIDC_EMAILS is always: people who can enter an address there get what is shared with it. Use it only if "
        "people cannot change their address at the provider.",
    ),
    ({"GROUPS_CLAIM": ""}, "GROUPS_CLAIM is empty, so SSO gives users no teams and no roles."),
    ({"ADMIN_GROUPS": ""}, "ADMIN_GROUPS is empty, so SSO makes no user a platform admin."),
    (
        {"LABEL_DOMAIN": "Not A Domain"},
        "LABEL_DOMAIN is 'Not A Domain'. Use a domain such as allotment.example.com.",
    ),
    (
        {"LABEL_DOMAIN": "allotment.k8s.io"},
        "LABEL_DOMAIN is allotment.k8s.io, which Kubernetes reserves.",
    ),
    ({"PORTAL_NAME": "Two\nlines"}, "PORTAL_NAME must be one line of text, because email subjects contain it."),
    (
        {"COLLECTED_STATIC": "false"},
        "COLLECTED_STATIC is false: browsers would not cache assets. Use it only for the demo.",
    ),
    ({"STATIC_ROOT": "/nowhere"}, "/nowhere (STATIC_ROOT) has no assets. Run manage.py collectstatic."),
    (
        {"LEASE_SECONDS": "5"},
        "LEASE_SECONDS is 5: a worker that stops for a few seconds, for example while the database restarts, would "
        "lose its environments to another one. Set it to 10 or more.",
    ),
    (
        {"SWEEP_SECONDS": "600"},
        "SWEEP_SECONDS is 600: work that is due in more than a minute, or was lost with the broker, waits that "
        "long. Set it to 60 or less.",
    ),
    (
        {"RESYNC_SECONDS": "60"},
        "RESYNC_SECONDS is below OBSERVE_SECONDS: checking each environment costs more than its cluster.",
    ),
    (
        {"DENIED_NETWORKS": "10.0.0.0/8"},
        "DENIED_NETWORKS does not include 169.254.169.254, where clouds serve the machine's credentials.",
    ),
    ({"LOG_LEVEL": "DEBUG"}, "LOG_LEVEL is DEBUG: libraries log more than you need, and more than you want."),
    (
        {"METRICS_TOKEN": "short"},
        "METRICS_TOKEN is short. Set at least 20 random characters (openssl rand -hex 20).",
    ),
    (
        {"PROMETHEUS_MULTIPROC_DIR": None},
        "METRICS_TOKEN is set without PROMETHEUS_MULTIPROC_DIR: if there are several processes, each reports only its "
        "own numbers.",
    ),
    (
        {"METRICS_TOKEN": "", "METRICS_WORKER_PORT": "9000"},
        "METRICS_WORKER_PORT is set without METRICS_TOKEN, so workers serve no metrics.",
    ),
]


@pytest.fixture
def good(tmp_path) -> dict[str, str]:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "staticfiles.json").write_text("{}")
    return GOOD | {"STATIC_ROOT": str(tmp_path / "static"), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}


@pytest.fixture
def problems(monkeypatch, good):
    """What is said of a production that differs from the good one in this."""

    def find(changes: dict[str, str | None]) -> list[str]:
        for setting in env.TABLE:
            monkeypatch.delenv(setting.name, raising=False)
        for name, value in (good | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        assert env.mistakes() == []
        values = {setting.name: setting.read() for setting in env.TABLE} | {"further": env.further()}
        return [message.msg for message in deploy_checks.problems(values)]

    return find


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=[str(changes)[:60] for changes, _ in BAD])
def test_a_bad_setting_is_named_in_exactly_its_sentence(problems, changes, sentence):
    assert problems(changes) == [sentence]
    for secret in ("changeme", "hunter2", "a-password"):
        assert secret not in sentence


def test_a_sound_production_has_nothing_to_name(problems):
    assert problems({}) == []


def test_local_accounts_without_mail_are_told_once(problems):
    assert problems({"EMAIL_URL": "consolemail://", "LOCAL_ACCOUNTS": "true"}) == []  # portal.W002 says it


def test_each_message_has_a_number_of_its_own(problems):
    source = (ROOT / "portal" / "deploy_checks.py").read_text(encoding="utf-8")
    numbers = [part.split('"')[0] for part in source.split('id="')[1:]]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) == len({sentence for _, sentence in BAD})


def check(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"]
    surroundings = {"PATH": os.environ["PATH"]} | variables
    return subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_finds_nothing_in_a_sound_production(good):
    done = check(good)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_the_command_names_everything_at_once_and_no_secret(good):
    done = check(good | {"SECRET_KEY": "hunter2", "SECURE": "false", "OIDC_CLIENT_SECRET": "", "DEBUG": "true"})
    assert done.returncode == 1
    for number in ("portal.W010", "portal.W015", "portal.E002", "portal.E011"):
        assert number in done.stderr
    assert "security." not in done.stderr, "Django's own words for the same are silenced"
    assert "hunter2" not in done.stdout + done.stderr
