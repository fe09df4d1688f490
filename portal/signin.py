"""The pages of signing in and out. The rules are in portal/sso.py."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from allauth.account.views import LoginView
from allauth.socialaccount.adapter import get_adapter
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

from portal import providers
from portal.local.factors import SSO_SESSION
from portal.setting import FIRST_PROVIDER
from portal.sign_in_log import failed
from portal.sso import ProviderAdapter, login_path
from portal.sso_faults import SignInFault

#: Characters of a sign-out URL's query: nginx and Apache take 8 kB for the request line, and others less.
MAX_SIGN_OUT_QUERY = 4000


@login_not_required
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the identity provider; with several, or with local accounts, show a button for each and the form."""
    if request.user.is_authenticated:
        return redirect(_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))
    if request.headers.get("HX-Request"):
        # The session expired while a page refreshed one region: redirect the whole page, not the region.
        return HttpResponse(headers={"HX-Refresh": "true"})
    if settings.LOCAL_ACCOUNTS:
        response: HttpResponse = _local_form(request)
        return response
    configured = providers.configured()
    if len(configured) > 1:
        return render(request, "portal/sign_in.html", _ways(request))
    return start_sso(request, configured[0].id if configured else FIRST_PROVIDER)


def _ways(request: HttpRequest) -> dict[str, Any]:
    """The identity providers to choose from, each with its name and the address where signing in starts."""
    wanted = _next(request)
    query = f"?{urlencode({'next': wanted})}" if wanted else ""
    ways = [{"name": each.name, "url": login_path(each.id) + query} for each in providers.configured()]
    return {"ways": ways, "next": wanted, "has_form": bool(settings.LOCAL_ACCOUNTS)}


@login_not_required
@never_cache
@require_safe
def start_sso(request: HttpRequest, provider: str = FIRST_PROVIDER) -> HttpResponse:
    """Start the authorization code flow. State and PKCE protect it, so GET is safe; no query parameter is passed on."""
    if providers.find(provider) is None:
        raise Http404
    found = get_adapter(request).get_provider(request, provider=provider)
    try:
        response: HttpResponse = found.start(request, _next(request))
    except SignInFault as fault:
        return failed(request, provider, fault)
    return response


@login_not_required
@never_cache
@require_safe
def sso_callback(request: HttpRequest, provider: str = FIRST_PROVIDER) -> HttpResponse:
    """Handle the redirect back from an identity provider. Each has an address of its own, and state belongs to one."""
    if providers.find(provider) is None:
        raise Http404
    adapter = ProviderAdapter(request, provider)
    try:
        if "state" in request.GET:
            adapter.check_response(request)
        response: HttpResponse = OAuth2CallbackView.adapter_view(adapter)(request)
    except SignInFault as fault:
        return failed(request, provider, fault)
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

    The content security policy lets forms lead to the issuer's origin only (`form-action`). An ID token that would make
    the URL longer than proxies take is left out: `client_id` says as much, though the provider may ask the person. (A
    form would carry it too, but some providers take their sign-out form from their own page only.)
    """
    provider = providers.find((kept or {}).get("provider", FIRST_PROVIDER))
    endpoint = str((kept or {}).get("endpoint") or "")
    parts = urlsplit(endpoint)
    if not endpoint or provider is None or (parts.scheme, parts.netloc) != provider.origin:
        return ""
    query = dict(parse_qsl(parts.query)) | {
        "client_id": provider.client_id,
        "post_logout_redirect_uri": f"{settings.PORTAL_URL}{reverse('signed_out')}",
    }
    hinted = urlencode({"id_token_hint": kept["id_token"]} | query)
    fits = len(hinted) <= MAX_SIGN_OUT_QUERY and kept["id_token"]
    return urlunsplit(parts._replace(query=hinted if fits else urlencode(query)))


class _LocalForm(LoginView):
    """Email address and password, with a button for each identity provider."""

    template_name = "portal/sign_in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_ways(self.request)}


_local_form = _LocalForm.as_view()
