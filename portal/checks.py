"""System checks that name contradictory settings in a sentence."""

from typing import Any

import jwt
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Advice

from portal.env import prefix
from portal.setting import FIRST_PROVIDER
from portal.sso_client import KEY, SigningKey, assertion


@register()
def sign_in_is_possible(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that there is a way to sign in."""
    if settings.OIDC_ISSUER or settings.OIDC_PROVIDERS or settings.LOCAL_ACCOUNTS:
        return []
    return [
        Error(
            "No one can sign in. Set OIDC_ISSUER (single sign-on), LOCAL_ACCOUNTS=true, or both.",
            id="portal.E001",
        )
    ]


@register()
def oidc_client_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that each identity provider has an issuer and a client."""
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    return [Error(_missing(app), id="portal.E002") for app in apps if not _is_complete(app)]


def _is_complete(app: dict[str, Any]) -> bool:
    proof = app["secret"] or app["settings"]["client_key"]
    return bool(app["client_id"] and proof and app["settings"]["server_url"])


def _missing(app: dict[str, Any]) -> str:
    if app["provider_id"] == FIRST_PROVIDER:
        return "OIDC_ISSUER is set. Set OIDC_CLIENT_ID and OIDC_CLIENT_SECRET too (or OIDC_CLIENT_KEY)."
    name = prefix(app["provider_id"])
    return (
        f"OIDC_PROVIDERS names {app['provider_id']}. Set {name}_ISSUER, {name}_CLIENT_ID and {name}_CLIENT_SECRET "
        f"(or {name}_CLIENT_KEY)."
    )


@register()
def client_keys_can_sign(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that each key for `private_key_jwt` is there where it is chosen, and can sign with its algorithm."""
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    found = ((app["provider_id"], _key_problem(app["settings"])) for app in apps)
    return [Error(sentence.format(_settings_of(one)), id="portal.E026") for one, sentence in found if sentence]


def _settings_of(provider: str) -> str:
    return "OIDC" if provider == FIRST_PROVIDER else prefix(provider)


def _key_problem(of: dict[str, Any]) -> str:
    """What is wrong with a provider's key, as a sentence with a place for the settings' prefix; empty if nothing is."""
    if of["client_auth"] == KEY and not of["client_key"]:
        return "{0}_CLIENT_AUTH is private_key_jwt. Set {0}_CLIENT_KEY_FILE to the path of the private key."
    if not of["client_key"]:
        return ""
    try:
        assertion(SigningKey(of["client_key"], of["client_key_id"], of["client_key_algorithm"]), "check", "check")
    except (jwt.PyJWTError, ValueError, TypeError):
        algorithm = of["client_key_algorithm"]
        return f"{{0}}_CLIENT_KEY must be an unencrypted private key in PEM that can sign with {algorithm}."
    return ""


@register()
def second_factors_are_spelled_right(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check the spelling: a typo must not turn second factors off."""
    if settings.MFA_REQUIRED_FOR not in ("admins", "everybody", "nobody"):
        sentence = f"MFA_REQUIRED_FOR is {settings.MFA_REQUIRED_FOR!r}. Set it to `admins`, `everybody` or `nobody`."
        return [Error(sentence, id="portal.E003")]
    if settings.MFA_REQUIRED_FOR == "everybody" and not settings.LOCAL_ACCOUNTS:
        sentence = (
            "MFA_REQUIRED_FOR=everybody has no effect while LOCAL_ACCOUNTS is false: with single sign-on alone, the "
            "identity provider handles second factors."
        )
        return [Advice(sentence, id="portal.W001")]
    return []


@register()
def invitations_last(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that invitations are valid for some time."""
    if settings.INVITATION_DAYS >= 1:
        return []
    return [Error("INVITATION_DAYS must be at least 1, or invitations expire at once.", id="portal.E004")]


@register(deploy=True)
def local_accounts_have_mail(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that there is a mail server for invitations and password resets."""
    backend = settings.MAILERS["default"]["BACKEND"]
    if not settings.LOCAL_ACCOUNTS or backend.endswith("smtp.EmailBackend"):
        return []
    sentence = (
        "LOCAL_ACCOUNTS is true, but the portal sends no emails. Set EMAIL_URL, so that people get invitations and "
        "password reset links."
    )
    return [Advice(sentence, id="portal.W002")]


@register(deploy=True)
def attempts_are_counted_together(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that all processes count attempts together: with a counter each, they would allow several times as many."""
    if not settings.LOCAL_ACCOUNTS or settings.CACHES["default"]["BACKEND"].endswith("RedisCache"):
        return []
    sentence = (
        "LOCAL_ACCOUNTS is true without Redis (BROKER_URL): each process counts sign-in attempts and used codes "
        "separately. Use Redis, unless there is only one process."
    )
    return [Advice(sentence, id="portal.W003")]
