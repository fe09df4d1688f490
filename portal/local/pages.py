"""Pages for local accounts, built on allauth's views. The rules are in portal/accounts.py and beside this file."""

from typing import Any

from allauth.account import views as account
from allauth.account.internal.flows.login import perform_password_login, record_authentication
from allauth.account.models import Login
from allauth.core import ratelimit
from allauth.mfa.base.views import IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from environments.models import Invitation, User
from portal.local import factors, invitations
from portal.local.forms import ChosenPasswordForm


class ChangePassword(account.PasswordChangeView):
    """A new password; it ends the account's other sessions."""

    template_name = "portal/local/change_password.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Only for accounts with a password."""
        if not isinstance(request.user, User) or not request.user.has_usable_password():
            raise PermissionDenied("Your account has no password here. Change it at your identity provider.")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response


class Security(IndexView):
    """Password, second factors and recovery codes on one page. Users who must set up a factor are sent here."""

    template_name = "portal/local/security.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Not for single sign-on users: their provider handles this."""
        if factors.by_sso(request):
            raise PermissionDenied("You signed in with single sign-on. Manage your sign-in at your identity provider.")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the number of unused recovery codes, and whether the factor must be set up first."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        codes = context["authenticators"].get(Authenticator.Type.RECOVERY_CODES)
        user = self.request.user
        return context | {
            "codes_left": len(codes.get_unused_codes()) if codes else 0,
            "protected": factors.has_factor(user),
            "held": factors.is_required(user) and not factors.has_factor(user),
        }


class _Shown:
    """A factor added in this session counts as confirmed in it."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Add it, and remember that."""
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        request: HttpRequest = self.request  # type: ignore[attr-defined]
        record_authentication(request, request.user, "mfa", reauthenticated=True)
        return response


class AddTOTP(_Shown, ActivateTOTPView):
    """An authenticator app."""

    template_name = "portal/local/add_totp.html"


class AddPasskey(_Shown, AddWebAuthnView):
    """A passkey."""

    template_name = "portal/local/add_passkey.html"


@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password and be signed in. Opening the link does not use it up, because mail filters open links."""
    throttled: HttpResponse | None = ratelimit.consume_or_429(request, action="reset_password_from_key")
    if throttled:
        return throttled
    invitation = invitations.find(token)
    if invitation is None:
        return _gone(request, invitations.GONE)
    form = ChosenPasswordForm(request.POST or None, user=invitations.prospect(invitation))
    if not form.is_valid():
        return render(request, "portal/local/accept_invitation.html", {"form": form, "invitation": invitation})
    try:
        user = invitations.accept(invitation, form.cleaned_data["password1"])
    except ValidationError as refusal:
        return _gone(request, refusal.messages[0])
    return _sign_in(request, user, invitation)


def _sign_in(request: HttpRequest, user: User, invitation: Invitation) -> HttpResponse:
    login = Login(user=user, email=invitation.email)
    response: HttpResponse = perform_password_login(request, {"email": user.email}, login)
    return response


def _gone(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "portal/local/invitation_gone.html", {"sentence": sentence}, status=410)
