"""An identity provider made with django-oauth-toolkit.

Source: https://django-oauth-toolkit.readthedocs.io/en/latest/oidc.html. Without a validator of the site's own
it sends `sub` alone; the validator also says which scope each claim belongs to.
"""

from typing import Any

from django_site import configure, make_people, pages, serve


def _options(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": document["keys"][0],
        "OIDC_RSA_PRIVATE_KEYS_INACTIVE": document["keys"][1:],
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OAUTH2_VALIDATOR_CLASS": "oauth_toolkit_validator.Validator",
        "SCOPES": {scope: scope.capitalize() for scope in document["scopes"]},
    }


document = configure("oauth2_provider", OAUTH2_PROVIDER=_options, DOCUMENT=lambda given: given)
urlpatterns = pages("o", "oauth2_provider")


def make_client(client: dict[str, Any]) -> None:
    """Create the portal's client, unless it is there."""
    from oauth2_provider.models import Application

    values = {
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
        "algorithm": Application.RS256_ALGORITHM,
        "client_secret": client["secret"],
        "redirect_uris": client["redirect_uri"],
        "post_logout_redirect_uris": client["post_logout_redirect_uri"],
        "name": "Allotment",
    }
    Application.objects.get_or_create(client_id=client["id"], defaults=values)


if __name__ == "__main__":
    make_people(document)
    for each in document["clients"]:
        make_client(each)
    serve(document)
