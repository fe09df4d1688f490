"""The addresses with local accounts, for tests that switch them on."""

from django.urls import include, path

from portal.urls import urlpatterns as sso_only

urlpatterns = [path("accounts/", include("portal.local.urls")), *sso_only]
