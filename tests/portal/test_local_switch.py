"""LOCAL_ACCOUNTS as a process reads it at its start: what is installed, what answers, what the checks say."""

import os
import subprocess
import sys
from typing import Any

import pytest

from portal import checks

SSO = {"OIDC_ISSUER": "https://idp.example.com", "OIDC_CLIENT_ID": "portal", "OIDC_CLIENT_SECRET": "secret"}
PROBE = """
import django; django.setup()
from django.conf import settings
from django.core.management import call_command
from django.urls import get_resolver
call_command("check", fail_level="WARNING")
under = [p for p in get_resolver().url_patterns if str(p.pattern) == "accounts/"][0]
names = [p.name for q in under.url_patterns for p in getattr(q, "url_patterns", [q])]
print("allauth.mfa" in settings.INSTALLED_APPS, settings.SOCIALACCOUNT_ONLY)
print(settings.CACHES["default"]["BACKEND"].rpartition(".")[2])
print(*sorted(names))
"""


def process(**environment: str) -> list[str]:
    """What a fresh process with these settings says of itself."""
    base = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "portal.settings", "SECRET_KEY": "x" * 60}
    command = [sys.executable, "-W", "error::DeprecationWarning:portal", "-c", PROBE]
    done = subprocess.run(command, env=base | environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-3:]


def test_without_it_nothing_of_local_accounts_is_installed_or_answers() -> None:
    installed, cache, names = process(**SSO)
    assert (installed, cache) == ("False True", "LocMemCache")
    assert names == (
        "account_login account_logout provider_backchannel_logout provider_callback provider_login signed_out "
        "sso_backchannel_logout sso_callback sso_login"
    )


@pytest.mark.parametrize("beside", [SSO, {}])
def test_with_it_the_pages_answer_and_attempts_are_counted_in_redis(beside: dict[str, str]) -> None:
    installed, cache, names = process(LOCAL_ACCOUNTS="true", **beside)
    assert (installed, cache) == ("True False", "RedisCache")
    assert {"accept_invitation", "mfa_index", "mfa_authenticate", "account_reset_password"} <= set(names.split())
    assert not [name for name in names.split() if "signup" in name or name in ("account_email", "account_set_password")]


def test_with_it_in_one_process_memory_is_enough() -> None:
    assert process(LOCAL_ACCOUNTS="true", BROKER_URL="memory://localhost")[1] == "LocMemCache"


@pytest.mark.parametrize(
    ("changed", "check", "ids"),
    [
        ({"MFA_REQUIRED_FOR": "admin"}, checks.second_factors_are_spelled_right, ["portal.E003"]),
        ({"MFA_REQUIRED_FOR": "everybody"}, checks.second_factors_are_spelled_right, ["portal.W001"]),
        (
            {"MFA_REQUIRED_FOR": "everybody", "LOCAL_ACCOUNTS": True},
            checks.second_factors_are_spelled_right,
            [],
        ),
        ({}, checks.second_factors_are_spelled_right, []),
        ({"INVITATION_DAYS": 0}, checks.invitations_last, ["portal.E004"]),
        ({"LOCAL_ACCOUNTS": True}, checks.local_accounts_have_mail, ["portal.W002"]),
        ({}, checks.local_accounts_have_mail, []),
        ({"LOCAL_ACCOUNTS": True}, checks.attempts_are_counted_together, ["portal.W003"]),
        ({"OIDC_ISSUER": ""}, checks.sign_in_is_possible, ["portal.E001"]),
    ],
)
def test_contradictions_are_told_in_a_sentence(settings: Any, changed: Any, check: Any, ids: list[str]) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert [message.id for message in check(None)] == ids
