"""Every setting, in one table: its name in the environment, its type, its default and what it is for.

`X` is read from the environment, or from the file that `X_FILE` names (for mounted secrets).
"""

from dataclasses import dataclass
from typing import Any

import environ

_environment = environ.FileAwareEnv()


@dataclass(frozen=True)
class Setting:
    """One line of the table. A default of None means that there is none."""

    name: str
    kind: str  # a cast of django-environ: str, bool, int, float, list, db_url, email_url
    default: Any
    help: str

    def read(self) -> Any:
        """The value now. Raises ImproperlyConfigured where it is needed and missing or of the wrong type."""
        cast = getattr(_environment, self.kind)
        return cast(self.name) if self.default is None else cast(self.name, default=self.default)


TABLE = (
    Setting("SECRET_KEY", "str", "", "Signs sessions and encrypts stored credentials. At least 50 random characters."),
    Setting("SECRET_KEY_FALLBACKS", "list", [], "Former secret keys, which still decrypt."),
    Setting("SALT_KEY", "str", "allotment", "Salt of the keys that encrypt stored credentials."),
    Setting("DEBUG", "bool", False, "Django's debug pages. Never where others can reach the portal."),
    Setting("ALLOWED_HOSTS", "list", ["localhost", "127.0.0.1"], "Host names the portal answers to."),
    Setting("PORTAL_URL", "str", "http://localhost:8000", "The address people use; links in e-mails begin with it."),
    Setting("PORTAL_NAME", "str", "Allotment", "The name on every page."),
    Setting("LABEL_DOMAIN", "str", "allotment.internal", "The domain of label and annotation keys on objects."),
    Setting(
        "DATABASE_URL", "db_url", "sqlite:///db.sqlite3", "postgres://user:password@host:5432/name, or sqlite:///path."
    ),
    Setting("BROKER_URL", "str", "redis://localhost:6379/0", "Celery's broker. memory:// runs it inside one process."),
    Setting("EMAIL_URL", "email_url", "consolemail://", "smtp+tls://user:password@host:587; consolemail:// prints."),
    Setting("EMAIL_FROM", "str", "allotment@localhost", "The sender of e-mails."),
    Setting("OIDC_ISSUER", "str", "", "The identity provider's issuer URL. Empty: no single sign-on."),
    Setting("OIDC_NAME", "str", "Single sign-on", "The identity provider's name on the sign-in page."),
    Setting("OIDC_CLIENT_ID", "str", "", "The portal's client id at the identity provider."),
    Setting("OIDC_CLIENT_SECRET", "str", "", "The portal's client secret there."),
    Setting("OIDC_SCOPES", "list", ["openid", "profile", "email", "groups"], "The scopes asked for at sign-in."),
    Setting("GROUPS_CLAIM", "str", "groups", "The claim that lists a person's groups."),
    Setting("ADMIN_GROUPS", "list", ["platform-admins"], "Groups whose members are platform admins."),
    Setting("MANAGER_GROUPS", "list", ["managers"], "Groups whose members are managers."),
    Setting("LOCAL_ACCOUNTS", "bool", False, "Sign-in with a password of the portal's own, beside or without SSO."),
    Setting(
        "MFA_REQUIRED_FOR", "str", "admins", "Local accounts that need a second factor: admins, everybody or nobody."
    ),
    Setting("INVITATION_DAYS", "int", 7, "How many days an invitation to a local account is good for."),
    Setting("RECONCILE_WORKERS", "int", 4, "Independent steps of one environment that run at the same time."),
    Setting("LEASE_SECONDS", "int", 120, "How long a worker that vanished holds up an environment."),
    Setting("SWEEP_SECONDS", "float", 10.0, "How often the sweep enqueues what is owed."),
    Setting("OBSERVE_SECONDS", "float", 120.0, "How often each cluster's quotas are read."),
    Setting("RESYNC_SECONDS", "float", 6 * 3600.0, "How often an environment in order is looked at all the same."),
    Setting("DEPARTED_DAYS", "int", 0, "Owners without a sign-in for so many days count as gone; 0: they do not."),
    Setting("SECURE", "bool", True, "Served over TLS: secure cookies, HSTS, redirect to https."),
    Setting("TRUST_PROXY", "bool", False, "Believe X-Forwarded-Proto: only behind a proxy that always sets it."),
    Setting("STATIC_ROOT", "str", "staticfiles", "Where collectstatic puts the assets."),
    Setting("COLLECTED_STATIC", "bool", True, "Serve what collectstatic collected; false: straight from the packages."),
    Setting("WORKER_ALIVE_FILE", "str", "", "Workers touch this file at each heartbeat, for a liveness probe."),
    Setting("LOG_LEVEL", "str", "INFO", "DEBUG, INFO, WARNING or ERROR."),
    Setting("MAIL_FOLDER", "str", "", "Demo: keep messages in this folder and show them to platform admins."),
)

_BY_NAME = {setting.name: setting for setting in TABLE}


def read(name: str) -> Any:
    """A setting's value. Raises KeyError for a name that is not in the table."""
    return _BY_NAME[name].read()
