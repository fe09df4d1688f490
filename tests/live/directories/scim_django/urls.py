"""The interface's address, and who may use it: the holder of the token."""

from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.urls import include, path

urlpatterns = [path("scim/v2/", include("django_scim.urls"))]


def bearer(get_response: Any) -> Any:
    """Middleware that signs in whoever sends the token."""

    def middleware(request: Any) -> Any:
        allowed = request.headers.get("Authorization") == f"Bearer {settings.TOKEN}"
        request.user = SimpleNamespace(is_anonymous=not allowed, is_authenticated=allowed)
        return get_response(request)

    return middleware
