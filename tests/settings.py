"""The portal's settings for tests: nothing from the machine's environment, fast hashing, static files as they are.

The apps and tables of local accounts are there, their pages and rules are not: tests run SSO-only. Those of local
accounts switch them on (`local_accounts` in tests/portal/conftest.py), so that one run covers both.
"""

import os

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]
os.environ |= {
    "SECRET_KEY": "only-for-tests-" + "x" * 50,
    "OIDC_ISSUER": "http://127.0.0.1:1/issuer",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_CLIENT_SECRET": "secret",
    "BROKER_URL": "memory://localhost",
    "SECURE": "false",
    "COLLECTED_STATIC": "false",
    "EMAIL_URL": "memorymail://",
    "MAIL_FOLDER": "",
    "LOCAL_ACCOUNTS": "true",
}

from portal.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
LOCAL_ACCOUNTS = False

if template := os.environ.get("TEST_DATABASE_TEMPLATE"):  # on PostgreSQL: a database that is migrated already
    DATABASES["default"]["TEST"] = {"TEMPLATE": template}  # noqa: F405
