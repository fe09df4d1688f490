"""System checks that name contradictory settings in a sentence."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def sign_in_is_possible(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Somebody must be able to sign in."""
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
    return [Error("OIDC_ISSUER is set: OIDC_CLIENT_ID and OIDC_CLIENT_SECRET are needed too.", id="portal.E002")]
