"""Allauth's account adapter: what happens after every sign-in, and the rules for local accounts."""

import logging
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import context as current
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from environments.models import User
from portal import backchannel
from portal.local import factors
from portal.sign_in_log import LOCAL, failed
from portal.sso_faults import Kind, SignInFault

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """Rules for local accounts, and what happens after every sign-in."""

    error_messages: ClassVar[dict[str, Any]] = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The email address or password is wrong.",
        "incorrect_password": "This password is wrong.",
        "enter_current_password": "This password is wrong.",
        "too_many_login_attempts": "Too many attempts. Wait five minutes, then try again.",
        "rate_limited": "Too many attempts. Wait five minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return False: only platform admins create accounts, or invite people."""
        return False

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """A sentence instead of a sign-in."""
        sentence = "Your account is deactivated. Ask a platform admin to activate it."
        return failed(request, LOCAL, SignInFault(Kind.ACCOUNT, "deactivated", sentence, status=403))

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Store in the session what sign-out needs, and let people without a required second factor set it up now."""
        sociallogin = (kwargs["signal_kwargs"] or {}).get("sociallogin")
        if sociallogin is not None:
            request.session[factors.SSO_SESSION] = sociallogin.for_sign_out
            backchannel.remember(request, user, sociallogin)
        elif not factors.has_factor(user):
            reauthenticate_by_password(request)  # they have just entered it
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def reauthenticate(self, user: User, password: str) -> bool:
        """Return whether the password is right. Each try counts as a sign-in attempt."""
        found = self.authenticate(current.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Ask for the second factor if there is one: a password alone must not be enough to remove it."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        strong = [method for method in methods if method["id"] != "reauthenticate"]
        return sorted(strong, key=lambda method: "webauthn" not in method["id"]) or methods  # a passkey is quickest

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Return to the page that led to the form."""
        return reverse("mfa_index")

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Email the account's owner about a change. The change stays even if the email fails."""
        try:
            super().send_notification_mail(template_prefix, user, context, email or user.email)
        except OSError as error:
            logger.warning("No message about %s: %s", template_prefix, type(error).__name__)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Add no message: the next page shows the result."""
