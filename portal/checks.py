"""System checks that name contradictory settings in a sentence."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Advice


@register()
def sign_in_is_possible(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """At least one way to sign in must be configured."""
    if settings.OIDC_ISSUER or settings.LOCAL_ACCOUNTS:
        return []
    return [
        Error(
            "Nobody can sign in: set OIDC_ISSUER (single sign-on), or LOCAL_ACCOUNTS=true, or both.",
            id="portal.E001",
        )
    ]


@register()
def oidc_client_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """An issuer without a client cannot be used."""
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    if all(app["client_id"] and app["secret"] for app in apps):
        return []
    return [Error("OIDC_ISSUER is set. Set OIDC_CLIENT_ID and OIDC_CLIENT_SECRET too.", id="portal.E002")]


@register()
def second_factors_are_spelled_right(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A misspelled word must not mean that nobody needs one."""
    if settings.MFA_REQUIRED_FOR not in ("admins", "everybody", "nobody"):
        sentence = f"MFA_REQUIRED_FOR is {settings.MFA_REQUIRED_FOR!r}. Use admins, everybody or nobody."
        return [Error(sentence, id="portal.E003")]
    if settings.MFA_REQUIRED_FOR == "everybody" and not settings.LOCAL_ACCOUNTS:
        sentence = (
            "MFA_REQUIRED_FOR=everybody has no effect while LOCAL_ACCOUNTS is false. With single sign-on only, the "
            "identity provider asks for second factors."
        )
        return [Advice(sentence, id="portal.W001")]
    return []


@register()
def invitations_last(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """An invitation must be good for some time."""
    if settings.INVITATION_DAYS >= 1:
        return []
    return [Error("INVITATION_DAYS must be at least 1. Otherwise invitations expire at once.", id="portal.E004")]


@register(deploy=True)
def local_accounts_have_mail(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Invitations and password resets need email."""
    backend = settings.MAILERS["default"]["BACKEND"]
    if not settings.LOCAL_ACCOUNTS or backend.endswith("smtp.EmailBackend"):
        return []
    sentence = (
        "LOCAL_ACCOUNTS is true, but the portal cannot send email. Set EMAIL_URL, or nobody gets invitations and "
        "password reset links."
    )
    return [Advice(sentence, id="portal.W002")]


@register(deploy=True)
def attempts_are_counted_together(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Several processes with a memory each would allow several times as many attempts."""
    if not settings.LOCAL_ACCOUNTS or settings.CACHES["default"]["BACKEND"].endswith("RedisCache"):
        return []
    sentence = (
        "LOCAL_ACCOUNTS is true without Redis (BROKER_URL), so each process counts sign-in attempts and used codes on "
        "its own. Set BROKER_URL to redis://… if you run more than one process."
    )
    return [Advice(sentence, id="portal.W003")]
