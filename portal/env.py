"""The table of all settings: environment variable, type, default, help and range.

`X` is read from the environment, or from the file that `X_FILE` names (for mounted secrets). At its start, `insist`
ends a process with invalid values and prints a sentence for each. `make settings` writes docs/settings.md from it.
"""

import sys
from dataclasses import replace
from itertools import chain
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from portal.env_providers import EMAILS, FURTHER, client
from portal.setting import Setting

_NO_RETRY = 3  # exit code: gunicorn then stops instead of restarting the worker again and again
_DAY = 24 * 3600.0

#: The table, by topic. A number needs a range; a test checks that.
GROUPS: dict[str, tuple[Setting, ...]] = {
    "The portal": (
        Setting(
            "PORTAL_URL", "str", "http://localhost:8000", "The portal's public URL. Links in emails start with it."
        ),
        Setting("PORTAL_NAME", "str", "Allotment", "The portal's name on every page."),
        Setting("CURRENCY", "str", "EUR", "The currency of rates and costs, shown beside every amount."),
        Setting(
            "LABEL_DOMAIN",
            "str",
            "allotment.internal",
            "The domain of label and annotation keys on Kubernetes objects.",
        ),
        Setting("DEBUG", "bool", False, "Shows Django's debug pages. Never turn it on if others can reach the portal."),
    ),
    "Keys": (
        Setting(
            "SECRET_KEY",
            "str",
            "",
            "Signs sessions and encrypts stored credentials. At least 50 random characters.",
            secret=True,
        ),
        Setting("SECRET_KEY_FALLBACKS", "list", [], "Previous secret keys, for decryption only.", secret=True),
        Setting("SALT_KEY", "str", "allotment", "The salt for encrypting stored credentials.", secret=True),
    ),
    "Database and queue": (
        Setting(
            "DATABASE_URL",
            "db_url",
            "sqlite:///db.sqlite3",
            "The database: `postgres://user:password@host:5432/name` or `sqlite:///path`.",
            secret=True,
        ),
        Setting(
            "BROKER_URL",
            "str",
            "redis://localhost:6379/0",
            "The URL of Celery's broker. `memory://` keeps the queue inside one process.",
            secret=True,
        ),
    ),
    "Web": (
        Setting("ALLOWED_HOSTS", "list", ["localhost", "127.0.0.1"], "Host names that the portal accepts."),
        Setting("SECURE", "bool", True, "For a portal behind TLS: secure cookies, HSTS, redirect to https."),
        Setting(
            "TRUST_PROXY", "bool", False, "Trust X-Forwarded-Proto. Turn it on only behind a proxy that always sets it."
        ),
        Setting(
            "HSTS_SECONDS",
            "int",
            31536000,
            "How many seconds browsers use https only (Strict-Transport-Security). 0 turns it off.",
            least=0,
            most=2 * 31536000,
        ),
        Setting("SESSION_HOURS", "float", 12.0, "How many hours a session lasts.", least=0.25, most=720),
        Setting("STATIC_ROOT", "str", "staticfiles", "The folder for the files of collectstatic."),
        Setting(
            "COLLECTED_STATIC", "bool", True, "Serve the files of collectstatic; if false, straight from the packages."
        ),
    ),
    "Sign-in and roles": (
        Setting("OIDC_ISSUER", "str", "", "The identity provider's issuer URL. Empty turns single sign-on off."),
        Setting("OIDC_NAME", "str", "Single sign-on", "The identity provider's name on the sign-in page."),
        Setting("OIDC_CLIENT_ID", "str", "", "The portal's client ID at the identity provider."),
        Setting("OIDC_CLIENT_SECRET", "str", "", "The portal's client secret at the identity provider.", secret=True),
        *client("OIDC"),
        Setting(
            "CLOCK_LEEWAY_SECONDS",
            "int",
            60,
            "How many seconds the clock of an identity provider may differ from the portal's.",
            least=0,
            most=300,
        ),
        Setting(
            "OIDC_EMAILS",
            "str",
            "verified",
            "When an address from the identity provider counts as the person's own, so that they see what is shared "
            "with it. `verified`: if the claim `email_verified` is true. `unless_unverified`: also if there is no such "
            "claim (Entra ID). `always`: also if it is false (directory users in Keycloak). Only for providers where "
            "people cannot enter an address themselves.",
            choices=EMAILS,
        ),
        Setting(
            "OIDC_EMAIL_DOMAINS",
            "list",
            [],
            "Addresses from the identity provider count only in these domains. Empty: in all domains.",
        ),
        Setting(
            "OIDC_PROVIDERS",
            "ids",
            [],
            "Further identity providers, for example of a partner or during a migration. See the end of this page.",
        ),
        Setting("GROUPS_CLAIM", "str", "groups", "The claim that lists a person's groups."),
        Setting("ADMIN_GROUPS", "list", ["platform-admins"], "Groups whose members are platform admins."),
        Setting("MANAGER_GROUPS", "list", ["managers"], "Groups whose members are managers."),
        Setting("LOCAL_ACCOUNTS", "bool", False, "Let people sign in with local accounts, beside or without SSO."),
        Setting(
            "MFA_REQUIRED_FOR",
            "str",
            "admins",
            "Which local accounts need a second factor: `admins`, `everybody` or `nobody`.",
        ),
        Setting(
            "INVITATION_DAYS",
            "int",
            7,
            "How many days an invitation to a local account is valid.",
            least=1,
            most=90,
        ),
    ),
    "Email": (
        Setting(
            "EMAIL_URL",
            "email_url",
            "consolemail://",
            "The mail server: `smtp+tls://user:password@host:587`. `consolemail://` prints emails.",
            secret=True,
        ),
        Setting(
            "APPROVAL_REMINDER_DAYS",
            "int",
            2,
            "How often, in days, approvers get a reminder of pending requests. 0 turns reminders off.",
            least=0,
            most=90,
        ),
        Setting(
            "APPROVAL_ESCALATION_DAYS",
            "int",
            5,
            "After how many days without a decision of a team's managers platform admins are asked, too. "
            "0 turns this off.",
            least=0,
            most=90,
        ),
        Setting(
            "ALERT_HOLD_SECONDS",
            "float",
            600.0,
            "How many seconds usage must stay above a threshold before the portal alerts about it.",
            least=0,
            most=_DAY,
        ),
        Setting(
            "DAILY_EMAIL_HOUR",
            "int",
            7,
            "The hour (UTC) of the daily email to people who chose to get emails once a day.",
            least=0,
            most=23,
        ),
        Setting("EMAIL_FROM", "str", "allotment@localhost", "The sender of emails."),
        Setting("MAIL_FOLDER", "str", "", "For the demo: keep emails in this folder and show them to platform admins."),
    ),
    "Where the portal connects to": (
        Setting(
            "DENIED_NETWORKS",
            "networks",
            [
                "0.0.0.0/8",
                "169.254.0.0/16",
                "100.100.100.200/32",
                "168.63.129.16/32",
                "192.0.0.192/32",
                "224.0.0.0/4",
                "255.255.255.255/32",
                "::/128",
                "fe80::/10",
                "fd00:ec2::254/128",
                "fd20:ce::254/128",
                "ff00::/8",
            ],
            "Networks that the portal never connects to, even if the address of a cluster or directory is in one: "
            "link-local addresses and the clouds' metadata services. "
            "Add loopback (127.0.0.0/8, ::1/128) if no cluster or directory runs there.",
        ),
    ),
    "Work": (
        Setting(
            "RECONCILE_WORKERS",
            "int",
            4,
            "How many independent steps of one environment run at the same time.",
            least=1,
            most=32,
        ),
        Setting(
            "LEASE_SECONDS",
            "int",
            120,
            "Seconds before another worker can take over an environment from a worker that stopped responding. Set it "
            "higher than your longest API call.",
            least=1,
            most=3600,
        ),
        Setting(
            "SWEEP_SECONDS",
            "float",
            10.0,
            "Seconds between two sweeps, which enqueue all pending work.",
            least=0.1,
            most=3600,
        ),
        Setting(
            "OBSERVE_SECONDS", "float", 120.0, "Seconds between two reads of each cluster's quotas.", least=1, most=_DAY
        ),
        Setting(
            "RESYNC_SECONDS",
            "float",
            6 * 3600.0,
            "Seconds between two checks of an environment that needs no work.",
            least=60,
            most=30 * _DAY,
        ),
        Setting(
            "ISOLATION_TEST_IMAGE",
            "str",
            "docker.io/library/busybox:1.36.1@sha256:73aaf090f3d85aa34ee199857f03fa3a95c8ede2ffd4cc2cdb5b94e566b11662",
            "The image of the pods that test whether a cluster's network isolates. It needs `sh`, `nc`, `nslookup`, "
            "`sed` and `timeout`, as in BusyBox, and must run as any user.",
        ),
        Setting(
            "DEPARTED_DAYS",
            "int",
            0,
            "Owners count as departed after this many days without a sign-in. 0 turns this off.",
            least=0,
            most=3650,
        ),
        Setting(
            "ALIVE_FILE",
            "str",
            "",
            "Worker and beat touch this file while they run, for a liveness probe. Give each its own.",
        ),
    ),
    "Usage": (
        Setting(
            "USAGE_HOURLY_DAYS",
            "int",
            9,
            "How many days to keep hourly usage, which the charts for a day and a week show. "
            "With 10,000 environments, one day takes about 280 MB in PostgreSQL.",
            least=8,
            most=60,
        ),
        Setting(
            "USAGE_DAILY_DAYS",
            "int",
            400,
            "How many days to keep daily usage, which the charts for 30 and 90 days show.",
            least=92,
            most=3650,
        ),
        Setting(
            "CONSUMPTION_DAILY_DAYS",
            "int",
            800,
            "How many days to keep daily and weekly consumption, which reports add up and compare with the previous "
            "period.",
            least=92,
            most=7320,
        ),
        Setting(
            "CONSUMPTION_MONTHLY_DAYS",
            "int",
            3660,
            "How many days to keep monthly consumption.",
            least=400,
            most=36600,
        ),
    ),
    "Logs and metrics": (
        Setting(
            "LOG_LEVEL",
            "str",
            "INFO",
            "The least severe level that is logged.",
            choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        ),
        Setting(
            "LOG_FORMAT",
            "str",
            "",
            "`json`: one object per line, for collectors. `text`: for people. Empty: `text` with DEBUG, else `json`.",
            choices=("", "json", "text"),
        ),
        Setting(
            "METRICS_TOKEN",
            "str",
            "",
            "The bearer token for /metrics. Empty turns /metrics off (404).",
            secret=True,
        ),
        Setting(
            "METRICS_WORKER_PORT",
            "int",
            0,
            "The port where a Celery worker serves its own metrics, with the same token. 0 turns it off.",
            least=0,
            most=65535,
        ),
        Setting(
            "PROMETHEUS_MULTIPROC_DIR",
            "folder",
            "",
            "A folder where this container's processes share their metrics: used by no other container, and empty at "
            "the start. Needed if more than one process serves pages or runs tasks.",
            has_file=False,
        ),
    ),
}

TABLE = tuple(chain.from_iterable(GROUPS.values()))

_BY_NAME = {setting.name: setting for setting in TABLE}


def read(name: str) -> Any:
    """Return a setting's value. Raises KeyError for an unknown name, else the errors of `Setting.read`."""
    return _BY_NAME[name].read()


def default(name: str) -> Any:
    """Return a setting's default."""
    return _BY_NAME[name].default


def mistakes() -> list[str]:
    """Return a sentence for each setting with an invalid value."""
    found = []
    for setting in every():
        try:
            setting.read()
        except ImproperlyConfigured as error:
            found.append(str(error))
    return found


def further() -> dict[str, dict[str, Any]]:
    """Return the values of each further identity provider by its id, by the last part of their names.

    Raises the errors of `Setting.read`.
    """
    return {
        one: {setting.name.removeprefix("OIDC_<ID>_"): _of(one, setting).read() for setting in FURTHER}
        for one in read("OIDC_PROVIDERS")
    }


def _of(provider: str, setting: Setting) -> Setting:
    return replace(setting, name=setting.name.replace("OIDC_<ID>", prefix(provider)))


def prefix(provider: str) -> str:
    """How the names of a further identity provider's settings begin."""
    return f"OIDC_{provider.upper().replace('-', '_')}"


def every() -> list[Setting]:
    """Return the table, with the settings of each further identity provider."""
    try:
        ids = read("OIDC_PROVIDERS")
    except ImproperlyConfigured:
        ids = []  # `mistakes` tells it
    return [*TABLE, *(_of(one, setting) for one in ids for setting in FURTHER)]


def insist() -> None:
    """Exit with the sentences on stderr if any setting has an invalid value."""
    found = mistakes()
    if found:
        sys.stderr.write("".join(f"Setting {sentence}\n" for sentence in found))
        raise SystemExit(_NO_RETRY)
