"""What a session that ended means for a form that was sent after it: sign in, come back to its page, nothing is done.

Django's own middleware would lead back to the address that the form was sent to. Many of these take no GET, and people
would see an empty page (405) after signing in.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

NOT_DONE = "Your session had ended, so nothing was changed. Check the page, then try again."
_SAFE = ("GET", "HEAD", "OPTIONS")


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page needs a sign-in, unless its view says otherwise."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponseRedirect:
        """Redirect to the sign-in, which leads back to the page; after a form, with a sentence there."""
        if request.method in _SAFE:
            return super().handle_no_permission(request, view_func)
        if not request.headers.get("HX-Request"):  # htmx reloads the page, which shows how things are
            messages.warning(request, NOT_DONE)
        return redirect_to_login(page_of(request), resolve_url(settings.LOGIN_URL))


def page_of(request: HttpRequest) -> str:
    """The page that a form was on: where the browser says that it was, else the closest one above its address."""
    referrer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referrer, {request.get_host()}, require_https=request.is_secure()):
        parts = urlsplit(referrer)
        if has_page(parts.path):
            return f"{parts.path}?{parts.query}" if parts.query else parts.path
    path = request.path
    while not has_page(path) and path != "/":
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def has_page(path: str) -> bool:
    """Whether an address can be opened in a browser: it exists, and its view takes GET."""
    try:
        view: Any = resolve(path).func
    except (Resolver404, UnicodeError):
        return False
    return takes_get(view)


def takes_get(view: Any) -> bool:
    """Whether a view takes GET: what its class says, and every `require_http_methods` around it."""
    while view is not None:
        of_class = getattr(view, "view_class", None)
        if of_class is not None and not hasattr(of_class, "get"):
            return False
        if inspect.isfunction(view):
            methods = inspect.getclosurevars(view).nonlocals.get("request_method_list")
            if methods is not None and "GET" not in methods:
                return False
        view = view.func if isinstance(view, partial) else getattr(view, "__wrapped__", None)
    return True
