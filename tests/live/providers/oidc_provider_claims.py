"""The claims of the django-oidc-provider site."""

from typing import Any

from django.conf import settings
from django_site import claims_of, groups_of
from oidc_provider.lib.claims import ScopeClaims


def userinfo(claims: dict[str, Any], user: Any) -> dict[str, Any]:
    """The claims of the standard scopes."""
    return claims | claims_of(settings.DOCUMENT, user)


class Groups(ScopeClaims):
    """The scope `groups`."""

    info_groups = ("Groups", "The groups that you are in.")

    def scope_groups(self) -> dict[str, Any]:
        """Its claims."""
        return {"groups": groups_of(self.user)}
