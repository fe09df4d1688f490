"""URLs: sign-in, probes and admin, then the product's pages.

Of allauth, only the start and the end of the sign-in flow are reachable, and with local accounts the pages in
portal/local/urls.py. Its pages for sign-up, addresses and connections never are.
"""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from portal import backchannel, health, metrics, outbox, signin

accounts: list[URLPattern | URLResolver] = [
    path("login/", signin.sign_in, name="account_login"),
    path("logout/", signin.sign_out, name="account_logout"),
    path("signed-out/", signin.signed_out, name="signed_out"),
    path("oidc/sso/login/", signin.start_sso, name="sso_login"),
    path("oidc/sso/login/callback/", signin.sso_callback, name="sso_callback"),
    path("oidc/sso/backchannel-logout/", backchannel.backchannel_logout, name="sso_backchannel_logout"),
    path("oidc/<slug:provider>/login/", signin.start_sso, name="provider_login"),
    path("oidc/<slug:provider>/login/callback/", signin.sso_callback, name="provider_callback"),
    path(
        "oidc/<slug:provider>/backchannel-logout/", backchannel.backchannel_logout, name="provider_backchannel_logout"
    ),
]
if settings.LOCAL_ACCOUNTS:
    accounts.append(path("", include("portal.local.urls")))

handler500 = "portal.logs.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/login/", signin.admin_sign_in),
    path("admin/logout/", signin.sign_out),
    path("admin/", admin.site.urls),
    path("accounts/", include(accounts)),
    path("outbox/", outbox.outbox, name="outbox"),
    path("", include("environments.web.urls")),
]
