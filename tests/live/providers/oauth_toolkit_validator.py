"""The claims of the django-oauth-toolkit site."""

from typing import Any

from django.conf import settings
from django_site import claims_of, groups_of
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """Sends the claims of each scope, and the groups with a scope of their own."""

    oidc_claim_scope = OAuth2Validator.oidc_claim_scope | {"groups": "groups"}

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Every claim; the toolkit leaves out those whose scope was not granted."""
        return claims_of(settings.DOCUMENT, request.user) | {"groups": groups_of(request.user)}
