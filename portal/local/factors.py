"""Second factors of local accounts: who needs one, and the middleware that enforces it.

Single sign-on users need none here, because their provider handles that. Other users who need a factor can reach only
its set-up until they have one, and only its confirmation until the session has confirmed it.
"""

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse

from environments.models import User

SSO_SESSION = "sso"  # of the session: that single sign-on opened it, and what its sign-out needs

#: What stays open while a page is owed.
_OPEN = {
    "mfa_index": frozenset(
        {"account_logout", "account_reauthenticate", "mfa_index", "mfa_activate_totp", "mfa_add_webauthn"}
    ),
    "mfa_reauthenticate": frozenset({"account_logout", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"}),
}


def has_factor(user: User) -> bool:
    """Whether the account has a second factor. Recovery codes do not count: they only replace a lost one."""
    if not settings.LOCAL_ACCOUNTS:
        return False
    return bool(_factors(user).exclude(type="recovery_codes").exists())


def is_required(user: User) -> bool:
    """Whether an account that signs in here needs a second factor (MFA_REQUIRED_FOR)."""
    everybody = settings.MFA_REQUIRED_FOR == "everybody"
    return everybody or (settings.MFA_REQUIRED_FOR == "admins" and user.is_platform_admin)


def reset(user: User) -> int:
    """Remove all factors and recovery codes from an account, and return how many there were."""
    if not settings.LOCAL_ACCOUNTS:
        return 0
    deleted: int = _factors(user).delete()[0]
    return deleted


def tell_of_reset(user: User, by: User) -> None:
    """Email the person, so that they notice a reset that they did not request."""
    context = {"person": user, "by": by, "link": settings.PORTAL_URL, "portal_name": settings.PORTAL_NAME}
    body = render_to_string("email/factors_reset.txt", context)
    EmailMessage(f"[{settings.PORTAL_NAME}] Your second factors were reset", body, to=[user.email]).send()


def by_sso(request: HttpRequest) -> bool:
    """Whether single sign-on opened this session."""
    return SSO_SESSION in request.session


class SecondFactorMiddleware:
    """Redirects users who still have to set up or confirm a second factor, on every page and in the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on: only `process_view` knows the view."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Redirect to the set-up or the confirmation; None lets the request through."""
        owed = _owed(request)
        name = request.resolver_match.view_name if request.resolver_match else ""
        if not owed or name in _OPEN[owed]:
            return None
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Refresh": "true"})  # the whole page has to go there, not a region of it
        response = HttpResponseRedirect(reverse(owed, query={"next": request.get_full_path()}))
        response.status_code = 302 if request.method in ("GET", "HEAD") else 303
        return response


def _factors(user: User) -> Any:
    from allauth.mfa.models import Authenticator  # there only with local accounts

    return Authenticator.objects.filter(user=user)


def _owed(request: HttpRequest) -> str:
    """The page that must come first: the factor's set-up or its confirmation; empty if neither is needed."""
    user: User | AnonymousUser = request.user
    if not settings.LOCAL_ACCOUNTS or not isinstance(user, User) or by_sso(request) or not is_required(user):
        return ""
    if not has_factor(user):
        return "mfa_index"
    # A session that is older than the factor has not shown it yet.
    shown = any(record.get("method") == "mfa" for record in get_authentication_records(request, user))
    return "" if shown else "mfa_reauthenticate"
