"""The log of sign-ins, successful and failed: which provider, from which address, and what was wrong.

Users appear as ids. What a person typed, and what a provider said of them, stays out.
"""

import logging
from typing import Any

from allauth.account.signals import user_logged_in
from allauth.core.internal.httpkit import get_client_ip
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from environments.lib import log_context
from environments.models import User
from portal import providers
from portal.sso_faults import Kind, SignInFault

logger = logging.getLogger(__name__)

LOCAL = "local"  # in the place of a provider: a password, a passkey or an invitation


def address_of(request: HttpRequest) -> str:
    """The client's address; with TRUST_PROXY the one that the proxy adds. Empty if there is none."""
    try:
        return get_client_ip(request) or ""
    except ImproperlyConfigured:  # X-Forwarded-For is there, and empty
        return ""


@receiver(user_logged_in, dispatch_uid="log_sign_in")
def signed_in(request: HttpRequest, user: User, **more: Any) -> None:
    """Log a successful sign-in."""
    login = more.get("sociallogin")
    provider = login.account.provider if login is not None else LOCAL
    fields = {"user": str(user.pk), "provider": provider, "address": address_of(request)}
    logger.info("Signed in at %s", provider, extra={"fields": fields})


@receiver(user_login_failed, dispatch_uid="log_failed_password")
def wrong_password(request: HttpRequest | None = None, **_: Any) -> None:
    """Log a wrong address or password of a local account."""
    if request is not None:
        log_failure(request, LOCAL, SignInFault(Kind.ACCOUNT, "wrong_password", ""))


def log_failure(request: HttpRequest, provider: str, fault: SignInFault) -> None:
    """Log why a sign-in failed."""
    fields = {
        "provider": provider,
        "address": address_of(request),
        "kind": str(fault.kind),
        "code": fault.code,
        "host": fault.host,
    }
    logger.warning("Sign-in failed at %s: %s (%s)", provider, fault.kind, fault.code, extra={"fields": fields})


def failed(request: HttpRequest, provider: str, fault: SignInFault) -> HttpResponse:
    """Log a failed sign-in, and show the page that says what to do. It has a button and does not redirect."""
    log_failure(request, provider, fault)
    found = providers.find(provider)
    context = {
        "fault": fault,
        "provider_name": found.name if found else "",
        "request_id": log_context.fields().get("request_id", ""),
    }
    return render(request, "portal/sign_in_failed.html", context, status=fault.status)
