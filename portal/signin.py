"""The pages of signing in and out. The rules are in portal/sso.py."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from allauth.account.views import LoginView
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base import AuthProcess, ProviderException
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from portal.local.factors import SSO_SESSION
from portal.sso import PROVIDER_ID, UNAVAILABLE, ProviderAdapter, failed

PROVIDER_ERRORS = (RequestException, OAuth2Error, ProviderException)


@login_not_required
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the identity provider; with local accounts, show the form and the provider's button."""
    if request.user.is_authenticated:
        return redirect(_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))
    if request.headers.get("HX-Request"):
        # The session expired while a page refreshed one region: redirect the whole page, not the region.
        return HttpResponse(headers={"HX-Refresh": "true"})
    if settings.LOCAL_ACCOUNTS:
        response: HttpResponse = _local_form(request)
        return response
    return start_sso(request)


@login_not_required
@never_cache
@require_safe
def start_sso(request: HttpRequest) -> HttpResponse:
    """Start the authorization code flow. State and PKCE protect it, so GET is safe; no query parameter is passed on."""
    if not settings.OIDC_ISSUER:
        raise Http404
    provider = get_adapter(request).get_provider(request, provider=PROVIDER_ID)
    try:
        response: HttpResponse = provider.redirect(request, process=AuthProcess.LOGIN, next_url=_next(request))
    except PROVIDER_ERRORS:
        return failed(request, UNAVAILABLE, status=503)
    return response


@login_not_required
@never_cache
@require_safe
def sso_callback(request: HttpRequest) -> HttpResponse:
    """Handle the redirect back from the identity provider."""
    if not settings.OIDC_ISSUER:
        raise Http404
    view = OAuth2CallbackView.adapter_view(ProviderAdapter(request, PROVIDER_ID))
    try:
        response: HttpResponse = view(request)
    except PROVIDER_ERRORS:
        return failed(request, UNAVAILABLE, status=503)
    return response


@login_not_required
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then the one at the identity provider (OpenID Connect RP-Initiated Logout 1.0 §2)."""
    target = _end_session_url(request.session.get(SSO_SESSION))
    logout(request)
    return HttpResponseRedirect(target or reverse("signed_out"))


@login_not_required
@never_cache
@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Show the page after sign-out. It has a button, so that people are not signed in again at once."""
    return render(request, "portal/signed_out.html")


@login_not_required
@never_cache
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Use the portal's sign-in for the admin. Raises PermissionDenied for signed-in users who are not admins."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect(f"{reverse('account_login')}?{urlencode({'next': _next(request) or reverse('admin:index')})}")


def _next(request: HttpRequest) -> str:
    """The page to open after sign-in; empty if it is not a page of the portal."""
    url = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if safe else ""


def _end_session_url(kept: Any) -> str:
    """The provider's sign-out URL with parameters; empty if it has none, or has it on another host.

    The content security policy lets forms lead to the issuer's origin only (`form-action`).
    """
    endpoint = str((kept or {}).get("endpoint") or "")
    parts, issuer = urlsplit(endpoint), urlsplit(settings.OIDC_ISSUER)
    if not endpoint or (parts.scheme, parts.netloc) != (issuer.scheme, issuer.netloc):
        return ""
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    query = dict(parse_qsl(parts.query)) | {
        "id_token_hint": kept["id_token"],
        "client_id": app["client_id"],
        "post_logout_redirect_uri": f"{settings.PORTAL_URL}{reverse('signed_out')}",
    }
    return urlunsplit(parts._replace(query=urlencode(query)))


class _LocalForm(LoginView):
    """Email address and password, with a button for single sign-on if there is a provider."""

    template_name = "portal/sign_in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        wanted = _next(self.request)
        return {
            **super().get_context_data(**kwargs),
            "sso_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
            "sso_url": f"{reverse('sso_login')}?{urlencode({'next': wanted})}" if wanted else reverse("sso_login"),
            "next": wanted,
        }


_local_form = _LocalForm.as_view()
