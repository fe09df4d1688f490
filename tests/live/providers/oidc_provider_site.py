"""An identity provider made with django-oidc-provider.

Source: https://django-oidc-provider.readthedocs.io/en/latest/. The claims of the standard scopes come from a function
of the site's own, and those of further scopes from a class.
"""

from typing import Any

from django_site import configure, make_people, pages, serve

document = configure(
    "oidc_provider",
    OIDC_USERINFO="oidc_provider_claims.userinfo",
    OIDC_EXTRA_SCOPE_CLAIMS="oidc_provider_claims.Groups",
    OIDC_IDTOKEN_INCLUDE_CLAIMS=lambda given: given["claims_in_id_token"],
    DOCUMENT=lambda given: given,
)
urlpatterns = pages("openid", "oidc_provider")


def make_client(client: dict[str, Any]) -> None:
    """Create the portal's client, unless it is there."""
    from oidc_provider.models import Client, ResponseType

    code, _ = ResponseType.objects.get_or_create(value="code", defaults={"description": "code"})
    values = {
        "client_secret": client["secret"],
        "redirect_uris": [client["redirect_uri"]],
        "post_logout_redirect_uris": [client["post_logout_redirect_uri"]],
        "reuse_consent": False,
        "name": "Allotment",
    }
    made, _ = Client.objects.get_or_create(client_id=client["id"], defaults=values)
    made.response_types.add(code)


def set_keys(keys: list[str]) -> None:
    """Keep exactly these keys. The first one signs."""
    from oidc_provider.models import RSAKey

    RSAKey.objects.all().delete()
    for key in keys:
        RSAKey.objects.create(key=key)


if __name__ == "__main__":
    make_people(document)
    set_keys(document["keys"])
    for each in document["clients"]:
        make_client(each)
    serve(document)
