"""The configured identity providers, and whose address each of them may vouch for.

The first one's settings have no id in their names. Roles, teams and addresses hold per provider, never across.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from portal.setting import FIRST_PROVIDER


@dataclass(frozen=True)
class IdentityProvider:
    """One configured identity provider. `client_id` is the portal's there."""

    id: str
    name: str
    issuer: str
    client_id: str
    emails: str  # when its addresses count: OIDC_EMAILS
    email_domains: tuple[str, ...]
    groups_claim: str
    admin_groups: tuple[str, ...]
    manager_groups: tuple[str, ...]

    @property
    def is_first(self) -> bool:
        """Whether this is the one whose settings have no id in their names."""
        return self.id == FIRST_PROVIDER

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and host of the issuer."""
        parts = urlsplit(self.issuer)
        return parts.scheme, parts.netloc

    def vouches_for(self, email: str, verified: bool | None) -> bool:
        """Whether an address counts as the person's own. `verified` is the claim `email_verified`, None if absent."""
        domains = {domain.lower().removeprefix("@") for domain in self.email_domains}
        if domains and email.rpartition("@")[2].lower() not in domains:
            return False
        return verified is True or self.emails == "always" or (self.emails == "unless_unverified" and verified is None)


def configured() -> list[IdentityProvider]:
    """Every identity provider of the settings, the first one first."""
    return [_from_settings(app) for app in settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] if _is_on(app)]


def find(provider: str) -> IdentityProvider | None:
    """The identity provider with this id; None if it is not configured."""
    return next((each for each in configured() if each.id == provider), None)


def name_of(provider: str) -> str:
    """The name of an identity provider for people; its id if it is no longer configured."""
    found = find(provider)
    return found.name if found else provider


def _is_on(app: dict[str, Any]) -> bool:
    return bool(settings.OIDC_ISSUER) or app["provider_id"] != FIRST_PROVIDER


def _from_settings(app: dict[str, Any]) -> IdentityProvider:
    key = app["provider_id"]
    first = {
        "EMAILS": settings.OIDC_EMAILS,
        "EMAIL_DOMAINS": settings.OIDC_EMAIL_DOMAINS,
        "GROUPS_CLAIM": settings.GROUPS_CLAIM,
        "ADMIN_GROUPS": settings.ADMIN_GROUPS,
        "MANAGER_GROUPS": settings.MANAGER_GROUPS,
    }
    values = first if key == FIRST_PROVIDER else settings.OIDC_FURTHER[key]
    return IdentityProvider(
        id=key,
        name=app["name"],
        issuer=app["settings"]["server_url"],
        client_id=app["client_id"],
        emails=values["EMAILS"],
        email_domains=tuple(values["EMAIL_DOMAINS"]),
        groups_claim=values["GROUPS_CLAIM"],
        admin_groups=tuple(values["ADMIN_GROUPS"]),
        manager_groups=tuple(values["MANAGER_GROUPS"]),
    )
