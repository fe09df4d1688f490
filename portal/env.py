"""Every setting, in one table: its name in the environment, its kind, its default, what it is for, what it may be.

`X` is read from the environment, or from the file that `X_FILE` names (for mounted secrets). A value that cannot be
used is told in a sentence before anything starts (`insist`). docs/settings.md is made from this table.
"""

import sys
from itertools import chain
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from portal.setting import Setting

_NO_RETRY = 3  # exit code; gunicorn ends on it instead of starting the same worker over and over
_DAY = 24 * 3600.0

#: The table, by what the settings are about. A number needs its range; a test holds every line to that.
GROUPS: dict[str, tuple[Setting, ...]] = {
    "The portal": (
        Setting(
            "PORTAL_URL", "str", "http://localhost:8000", "The address people use; links in e-mails begin with it."
        ),
        Setting("PORTAL_NAME", "str", "Allotment", "The name on every page."),
        Setting("CURRENCY", "str", "EUR", "The currency of rates and costs, shown beside every amount."),
        Setting("LABEL_DOMAIN", "str", "allotment.internal", "The domain of label and annotation keys on objects."),
        Setting("DEBUG", "bool", False, "Django's debug pages. Never where others can reach the portal."),
    ),
    "Keys": (
        Setting(
            "SECRET_KEY",
            "str",
            "",
            "Signs sessions and encrypts stored credentials. At least 50 random characters.",
            secret=True,
        ),
        Setting("SECRET_KEY_FALLBACKS", "list", [], "Former secret keys, which still decrypt.", secret=True),
        Setting("SALT_KEY", "str", "allotment", "Salt of the keys that encrypt stored credentials.", secret=True),
    ),
    "Database and queue": (
        Setting(
            "DATABASE_URL",
            "db_url",
            "sqlite:///db.sqlite3",
            "postgres://user:password@host:5432/name, or sqlite:///path.",
            secret=True,
        ),
        Setting(
            "BROKER_URL",
            "str",
            "redis://localhost:6379/0",
            "Celery's broker. memory:// runs it inside one process.",
            secret=True,
        ),
    ),
    "Web": (
        Setting("ALLOWED_HOSTS", "list", ["localhost", "127.0.0.1"], "Host names the portal answers to."),
        Setting("SECURE", "bool", True, "Served over TLS: secure cookies, HSTS, redirect to https."),
        Setting("TRUST_PROXY", "bool", False, "Believe X-Forwarded-Proto: only behind a proxy that always sets it."),
        Setting(
            "HSTS_SECONDS",
            "int",
            31536000,
            "How long browsers remember to use https only (Strict-Transport-Security). 0: not at all.",
            least=0,
            most=2 * 31536000,
        ),
        Setting("SESSION_HOURS", "float", 12.0, "How long a sign-in lasts.", least=0.25, most=720),
        Setting("STATIC_ROOT", "str", "staticfiles", "Where collectstatic puts the assets."),
        Setting(
            "COLLECTED_STATIC", "bool", True, "Serve what collectstatic collected; false: straight from the packages."
        ),
    ),
    "Sign-in and roles": (
        Setting("OIDC_ISSUER", "str", "", "The identity provider's issuer URL. Empty: no single sign-on."),
        Setting("OIDC_NAME", "str", "Single sign-on", "The identity provider's name on the sign-in page."),
        Setting("OIDC_CLIENT_ID", "str", "", "The portal's client id at the identity provider."),
        Setting("OIDC_CLIENT_SECRET", "str", "", "The portal's client secret there.", secret=True),
        Setting("OIDC_SCOPES", "list", ["openid", "profile", "email", "groups"], "The scopes asked for at sign-in."),
        Setting("GROUPS_CLAIM", "str", "groups", "The claim that lists a person's groups."),
        Setting("ADMIN_GROUPS", "list", ["platform-admins"], "Groups whose members are platform admins."),
        Setting("MANAGER_GROUPS", "list", ["managers"], "Groups whose members are managers."),
        Setting("LOCAL_ACCOUNTS", "bool", False, "Sign-in with a password of the portal's own, beside or without SSO."),
        Setting(
            "MFA_REQUIRED_FOR",
            "str",
            "admins",
            "Local accounts that need a second factor: admins, everybody or nobody.",
        ),
        Setting(
            "INVITATION_DAYS",
            "int",
            7,
            "How many days an invitation to a local account is good for.",
            least=1,
            most=90,
        ),
    ),
    "E-mail": (
        Setting(
            "EMAIL_URL",
            "email_url",
            "consolemail://",
            "smtp+tls://user:password@host:587; consolemail:// prints.",
            secret=True,
        ),
        Setting(
            "APPROVAL_REMINDER_DAYS",
            "int",
            2,
            "How often, in days, those who decide are reminded of requests that wait for them. 0: never.",
            least=0,
            most=90,
        ),
        Setting("EMAIL_FROM", "str", "allotment@localhost", "The sender of e-mails."),
        Setting("MAIL_FOLDER", "str", "", "Demo: keep messages in this folder and show them to platform admins."),
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
            "Networks that the portal never connects to, whatever the address of a cluster or directory says: "
            "link-local and the clouds' metadata services. "
            "Loopback (127.0.0.0/8, ::1/128) may be added where nothing runs there.",
        ),
    ),
    "Work": (
        Setting(
            "RECONCILE_WORKERS",
            "int",
            4,
            "Independent steps of one environment that run at the same time.",
            least=1,
            most=32,
        ),
        Setting(
            "LEASE_SECONDS",
            "int",
            120,
            "How long a worker that vanished holds up an environment. Longer than any one call to a cluster or "
            "directory may last.",
            least=1,
            most=3600,
        ),
        Setting("SWEEP_SECONDS", "float", 10.0, "How often the sweep enqueues what is owed.", least=0.1, most=3600),
        Setting("OBSERVE_SECONDS", "float", 120.0, "How often each cluster's quotas are read.", least=1, most=_DAY),
        Setting(
            "RESYNC_SECONDS",
            "float",
            6 * 3600.0,
            "How often an environment in order is looked at all the same.",
            least=60,
            most=30 * _DAY,
        ),
        Setting(
            "DEPARTED_DAYS",
            "int",
            0,
            "Owners without a sign-in for so many days count as gone; 0: they do not.",
            least=0,
            most=3650,
        ),
        Setting("ALIVE_FILE", "str", "", "Worker and beat touch this file while they live, for a probe: each its own."),
    ),
    "Usage": (
        Setting(
            "USAGE_HOURLY_DAYS",
            "int",
            9,
            "How many days an environment's usage by the hour is kept: what the charts of a day and a week show. "
            "With 10,000 environments a day takes some 280 MB of PostgreSQL.",
            least=8,
            most=60,
        ),
        Setting(
            "USAGE_DAILY_DAYS",
            "int",
            400,
            "How many days usage by the day is kept: what the charts of 30 and 90 days show.",
            least=92,
            most=3650,
        ),
        Setting(
            "CONSUMPTION_DAILY_DAYS",
            "int",
            800,
            "How many days each day's and week's consumption is kept: what reports add up and compare with what was "
            "before.",
            least=92,
            most=7320,
        ),
        Setting(
            "CONSUMPTION_MONTHLY_DAYS",
            "int",
            3660,
            "How many days the consumption of each month is kept.",
            least=400,
            most=36600,
        ),
    ),
    "Logs and metrics": (
        Setting(
            "LOG_LEVEL",
            "str",
            "INFO",
            "DEBUG, INFO, WARNING or ERROR.",
            choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        ),
        Setting(
            "LOG_FORMAT",
            "str",
            "",
            "json: one object a line, for collectors; text: for people. Empty: text with DEBUG, else json.",
            choices=("", "json", "text"),
        ),
        Setting(
            "METRICS_TOKEN",
            "str",
            "",
            "The bearer token that /metrics asks for. Empty: /metrics is not there (404).",
            secret=True,
        ),
        Setting(
            "METRICS_WORKER_PORT",
            "int",
            0,
            "Where a Celery worker serves its own metrics, with the same token. 0: nowhere.",
            least=0,
            most=65535,
        ),
        Setting(
            "PROMETHEUS_MULTIPROC_DIR",
            "folder",
            "",
            "A folder of this container's own, empty at its start, where its processes gather their metrics. Needed "
            "where more than one process serves pages or runs tasks.",
            has_file=False,
        ),
    ),
}

TABLE = tuple(chain.from_iterable(GROUPS.values()))

_BY_NAME = {setting.name: setting for setting in TABLE}


def read(name: str) -> Any:
    """A setting's value. Raises KeyError for a name that is not in the table, else as `Setting.read`."""
    return _BY_NAME[name].read()


def default(name: str) -> Any:
    """What a setting is where nobody says."""
    return _BY_NAME[name].default


def mistakes() -> list[str]:
    """A sentence for each setting that cannot be used as it is."""
    found = []
    for setting in TABLE:
        try:
            setting.read()
        except ImproperlyConfigured as error:
            found.append(str(error))
    return found


def insist() -> None:
    """End the process, with the sentences on stderr, where a setting cannot be used."""
    found = mistakes()
    if found:
        sys.stderr.write("".join(f"Setting {sentence}\n" for sentence in found))
        raise SystemExit(_NO_RETRY)
