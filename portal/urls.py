"""URLs: the portal's own doors, then the product's pages.

Of allauth only the two ends of the sign-in flow are open; its pages for addresses, sign-up and connections are not.
"""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.urls import URLPattern, URLResolver, include, path, reverse_lazy

from portal import health, outbox, signin

accounts: list[URLPattern | URLResolver] = [
    path("login/", signin.sign_in, name="account_login"),
    path("logout/", signin.sign_out, name="account_logout"),
    path("signed-out/", signin.signed_out, name="signed_out"),
    path("oidc/sso/login/", signin.start_sso, name="sso_login"),
    path("oidc/sso/login/callback/", signin.sso_callback, name="sso_callback"),
]
if settings.LOCAL_ACCOUNTS:
    change_password = PasswordChangeView.as_view(
        template_name="portal/change_password.html", success_url=reverse_lazy("catalog")
    )
    accounts.append(path("password/", change_password, name="account_change_password"))

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/login/", signin.admin_sign_in),
    path("admin/logout/", signin.sign_out),
    path("admin/", admin.site.urls),
    path("accounts/", include(accounts)),
    path("outbox/", outbox.outbox, name="outbox"),
    path("", include("environments.urls")),
]
