"""Passwords of local accounts: the link to a new one."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from environments.models import User


def send_reset(user_id: int) -> None:
    """Send the link, if this is an active local account; an account of the identity provider has no password here."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or user.follows_claim or not settings.LOCAL_ACCOUNTS:
        return
    context = {"person": user, "link": reset_link(user), "portal_name": settings.PORTAL_NAME}
    body = render_to_string("email/password_reset.txt", context)
    EmailMessage(f"[{settings.PORTAL_NAME}] A new password", body, to=[user.email]).send()


def reset_link(user: User) -> str:
    """The link for choosing a new password, valid once and for PASSWORD_RESET_TIMEOUT seconds."""
    key = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return f"{settings.PORTAL_URL}{reverse('account_reset_password_from_key', kwargs=key)}"
