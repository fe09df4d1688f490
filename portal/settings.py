"""Django's settings, each from one line of the table in portal/env.py."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import crontab
from django.utils.csp import CSP

from portal import logs
from portal.env import further, insist, read
from portal.setting import FIRST_PROVIDER

insist()

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = read("DEBUG")
SECRET_KEY = read("SECRET_KEY")
SECRET_KEY_FALLBACKS = read("SECRET_KEY_FALLBACKS")
SALT_KEY = read("SALT_KEY")
ALLOWED_HOSTS = read("ALLOWED_HOSTS")

# The product
PORTAL_NAME = read("PORTAL_NAME")
CURRENCY = read("CURRENCY")
PORTAL_URL = read("PORTAL_URL").rstrip("/")
LABEL_DOMAIN = read("LABEL_DOMAIN")
ADMIN_GROUPS = read("ADMIN_GROUPS")
MANAGER_GROUPS = read("MANAGER_GROUPS")
GROUPS_CLAIM = read("GROUPS_CLAIM")
DENIED_NETWORKS = read("DENIED_NETWORKS")
RECONCILE_WORKERS = read("RECONCILE_WORKERS")
LEASE_SECONDS = read("LEASE_SECONDS")
ISOLATION_TEST_IMAGE = read("ISOLATION_TEST_IMAGE")
DEPARTED_DAYS = read("DEPARTED_DAYS")
APPROVAL_REMINDER_DAYS = read("APPROVAL_REMINDER_DAYS")
APPROVAL_ESCALATION_DAYS = read("APPROVAL_ESCALATION_DAYS")
ALERT_HOLD_SECONDS = read("ALERT_HOLD_SECONDS")
DAILY_EMAIL_HOUR = read("DAILY_EMAIL_HOUR")
RESYNC_SECONDS = read("RESYNC_SECONDS")
SWEEP_SECONDS = read("SWEEP_SECONDS")
OBSERVE_SECONDS = read("OBSERVE_SECONDS")
USAGE_HOURLY_DAYS = read("USAGE_HOURLY_DAYS")
USAGE_DAILY_DAYS = read("USAGE_DAILY_DAYS")
CONSUMPTION_DAILY_DAYS = read("CONSUMPTION_DAILY_DAYS")
CONSUMPTION_MONTHLY_DAYS = read("CONSUMPTION_MONTHLY_DAYS")
MAIL_FOLDER = read("MAIL_FOLDER")
ALIVE_FILE = read("ALIVE_FILE")
METRICS_TOKEN = read("METRICS_TOKEN")
METRICS_WORKER_PORT = read("METRICS_WORKER_PORT")
PROMETHEUS_MULTIPROC_DIR = read("PROMETHEUS_MULTIPROC_DIR")
LOCAL_ACCOUNTS = read("LOCAL_ACCOUNTS")
MFA_REQUIRED_FOR = read("MFA_REQUIRED_FOR")
INVITATION_DAYS = read("INVITATION_DAYS")

INSTALLED_APPS = [
    "environments.apps.EnvironmentsConfig",
    "portal.apps.PortalConfig",
    "portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    *(["allauth.mfa"] if LOCAL_ACCOUNTS else []),  # it refuses to run beside SOCIALACCOUNT_ONLY
]

MIDDLEWARE = [
    "portal.logs.RequestLogMiddleware",
    "portal.metrics.RequestMetricsMiddleware",
    "portal.health.ProbesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.sign_in_again.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "environments.web.views.unreadable.UnreadableSpecMiddleware",
    "environments.web.views.ended.EndedMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.local.factors.SecondFactorMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.portal",
            ],
        },
    },
]


def _database() -> dict[str, Any]:
    """SQLite waits for its turn (WAL, IMMEDIATE); PostgreSQL keeps its connections."""
    config: dict[str, Any] = read("DATABASE_URL")
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; "
            "PRAGMA cache_size=-65536; PRAGMA mmap_size=1073741824;",  # reports group hundreds of thousands of rows
        }
    else:
        config |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        config["OPTIONS"] = {"connect_timeout": 5} | config.get("OPTIONS", {})  # seconds; libpq's own is minutes
    return config


DATABASES = {"default": _database()}

AUTH_USER_MODEL = "environments.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "email", "first_name", "last_name"]},
    },
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]

# Sign-in (portal/sso.py, portal/local): accounts come from the identity provider or from a platform admin. There is no
# self-registration.
OIDC_ISSUER = read("OIDC_ISSUER")
OIDC_NAME = read("OIDC_NAME")
OIDC_EMAILS = read("OIDC_EMAILS")
OIDC_EMAIL_DOMAINS = read("OIDC_EMAIL_DOMAINS")
OIDC_PROVIDERS = read("OIDC_PROVIDERS")
OIDC_FURTHER = further()  # by id; portal/providers.py reads it
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "signed_out"
ACCOUNT_ADAPTER = "portal.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_FORMS = {
    "change_password": "portal.local.forms.ChangePasswordForm",
    "reset_password": "portal.local.forms.ResetPasswordForm",
    "reset_password_from_key": "portal.local.forms.ChosenPasswordForm",
}
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{PORTAL_NAME}] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
# allauth's own would begin a list of addresses beside the account's one.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
PASSWORD_RESET_TIMEOUT = 2 * 60 * 60
MFA_ADAPTER = "portal.local.second_factors.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = PORTAL_NAME
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # allauth's list of addresses is not used
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PORTAL_URL.startswith("http:")
SOCIALACCOUNT_ADAPTER = "portal.sso.SocialAccountAdapter"
SOCIALACCOUNT_ONLY = not LOCAL_ACCOUNTS
SOCIALACCOUNT_STORE_TOKENS = False


CLOCK_LEEWAY_SECONDS = read("CLOCK_LEEWAY_SECONDS")


def _app(provider: str, name: str, issuer: str, of: dict[str, Any]) -> dict[str, Any]:
    """What allauth needs to know of one identity provider, and what portal/sso.py does."""
    key = of["CLIENT_KEY"]
    own = {
        "server_url": issuer,
        "scope": of["SCOPES"],
        "client_auth": of["CLIENT_AUTH"] or ("private_key_jwt" if key else ""),
        "client_key": key,
        "client_key_id": of["CLIENT_KID"],
        "client_key_algorithm": of["CLIENT_ALGORITHM"],
    }
    client = {"client_id": of["CLIENT_ID"], "secret": of["CLIENT_SECRET"]}
    return {"provider_id": provider, "name": name, **client, "settings": own}


_first = {
    "CLIENT_ID": read("OIDC_CLIENT_ID"),
    "CLIENT_SECRET": read("OIDC_CLIENT_SECRET"),
    "CLIENT_AUTH": read("OIDC_CLIENT_AUTH"),
    "CLIENT_KEY": read("OIDC_CLIENT_KEY"),
    "CLIENT_KID": read("OIDC_CLIENT_KID"),
    "CLIENT_ALGORITHM": read("OIDC_CLIENT_ALGORITHM"),
    "SCOPES": read("OIDC_SCOPES"),
}
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            *([_app(FIRST_PROVIDER, OIDC_NAME, OIDC_ISSUER, _first)] if OIDC_ISSUER else []),
            *(_app(one, of["NAME"] or one, of["ISSUER"], of) for one, of in OIDC_FURTHER.items()),
        ],
    }
}


def _cache() -> dict[str, Any]:
    """Use Redis to count sign-in attempts and used codes for all processes; without local accounts use memory.

    With SSO only there is nothing to count, so sign-in does not need Redis.
    """
    broker = read("BROKER_URL")
    if not LOCAL_ACCOUNTS or not broker.startswith(("redis:", "rediss:")):
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": broker, "KEY_PREFIX": "portal"}


CACHES = {"default": _cache()}

# Queue: the database knows all pending work, so results are ignored and the sweep replaces lost messages.
CELERY_BROKER_URL = read("BROKER_URL")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
_IN_PROCESS = CELERY_BROKER_URL.startswith("memory:")
# A single process has no other worker to leave messages to, and its acknowledgements wait for the next poll.
CELERY_WORKER_PREFETCH_MULTIPLIER = 0 if _IN_PROCESS else 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A broker that accepts connections and never answers must not block pages. The sweep finds the pending work later.
_WAITS = {"socket_connect_timeout": 2.0, "socket_timeout": 3.0, "health_check_interval": 10, "max_retries": 0}
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01} if _IN_PROCESS else _WAITS | {"visibility_timeout": 600}
# Expire after five minutes: sweeps that pile up while no worker runs would flood the queue.
_FRESH = {"expires": 300.0}
# At fixed times, not at intervals: a beat that restarts every day would never reach a long interval.
CELERY_BEAT_SCHEDULER = "portal.beat:InMemoryScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "environments.sweep", "schedule": SWEEP_SECONDS, "options": _FRESH},
    "end": {"task": "environments.end_environments", "schedule": crontab(minute="*/15")},
    "stranded": {"task": "environments.end_stranded", "schedule": 60.0, "options": _FRESH},
    "departures": {"task": "environments.find_departures", "schedule": crontab(hour="3", minute="0")},
    "names": {"task": "environments.refresh_names", "schedule": crontab(hour="3", minute="20")},
    "observe": {"task": "environments.observe_clusters", "schedule": OBSERVE_SECONDS, "options": _FRESH},
    "policies": {"task": "environments.look_at_policies", "schedule": crontab(minute="*/10"), "options": _FRESH},
    "roll_up": {"task": "environments.roll_up_usage", "schedule": min(5 * OBSERVE_SECONDS, 900.0), "options": _FRESH},
    "prune": {"task": "environments.prune_usage", "schedule": crontab(minute="7")},
    "reminders": {"task": "environments.remind_deciders", "schedule": crontab(minute="40")},
    "letters": {"task": "environments.send_letters", "schedule": min(6 * SWEEP_SECONDS, 60.0), "options": _FRESH},
    "summaries": {"task": "environments.send_summaries", "schedule": crontab(minute="20")},
}

DEFAULT_FROM_EMAIL = SERVER_EMAIL = read("EMAIL_FROM")


def _mailer() -> dict[str, Any]:
    """Django's mailer: a folder in the demo, else what EMAIL_URL names."""
    if MAIL_FOLDER:
        return {"BACKEND": "django.core.mail.backends.filebased.EmailBackend", "OPTIONS": {"file_path": MAIL_FOLDER}}
    url = read("EMAIL_URL")
    options = {
        "host": url["EMAIL_HOST"],
        "port": url["EMAIL_PORT"],
        "username": url["EMAIL_HOST_USER"],
        "password": url["EMAIL_HOST_PASSWORD"],
        "use_tls": url.get("EMAIL_USE_TLS", False),
        "use_ssl": url.get("EMAIL_USE_SSL", False),
        "timeout": 10,
    }
    if url["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        return {"BACKEND": "portal.smtp.EmailBackend", "OPTIONS": options}
    return {"BACKEND": url["EMAIL_BACKEND"], "OPTIONS": {}}


MAILERS = {"default": _mailer()}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Collected and fingerprinted; or, in the demo, straight from where the packages keep them.
WHITENOISE_USE_FINDERS = not read("COLLECTED_STATIC")
STATIC_ROOT = None if WHITENOISE_USE_FINDERS else read("STATIC_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}


def _origin(url: str) -> str:
    return f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"


_apps = SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
# Allows nothing inline, nothing from other origins, and no framing.
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    # The sign-out form leads on to the identity provider; its origin only, since a path would have to match exactly.
    "form-action": [CSP.SELF, *dict.fromkeys(_origin(app["settings"]["server_url"]) for app in _apps)],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
# No page needs a device; passkeys are made and used on pages of our own. Chromium's console reports features that it
# does not know as errors (tests/pages/test_browser.py).
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: []
    for name in (
        "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope", "hid",
        "magnetometer", "microphone", "midi", "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
    )
} | {"publickey-credentials-create": ["self"], "publickey-credentials-get": ["self"]}  # fmt: skip
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_AGE = round(read("SESSION_HOURS") * 3600)
SESSION_COOKIE_NAME = "portal_session"
CSRF_COOKIE_NAME = "portal_csrf"
SECURE = read("SECURE")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = read("HSTS_SECONDS") if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
# portal/deploy_checks.py reports these with the names of the portal's settings.
SILENCED_SYSTEM_CHECKS = [
    f"security.W{number:03}" for number in (4, 5, 8, 9, 12, 16, 18, 20, 21, 25)
]  # TLS and HSTS, secret keys, secure cookies, DEBUG, ALLOWED_HOSTS
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})  # answered over plain HTTP and under any Host
TRUST_PROXY = read("TRUST_PROXY")
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # whose X-Forwarded-For says whom attempts are counted for
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # a template's tables

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = logs.configuration(read("LOG_LEVEL"), read("LOG_FORMAT") or ("text" if DEBUG else "json"))
