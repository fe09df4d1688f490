"""The error page for a template whose content this version of the portal cannot read."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from environments.lib.errors import PermanentError
from environments.reconcile.desired import UNREADABLE
from environments.spec import InvalidSpecError


class UnreadableSpecMiddleware:
    """Answers 409 with an explanation. Pages that do not need the content still work."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """As usual."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page for content that cannot be read; None for everything else."""
        unreadable = isinstance(error, PermanentError) and error.message == UNREADABLE
        if not unreadable and not isinstance(error, InvalidSpecError):
            return None
        match = request.resolver_match
        context = {"namespace": match.kwargs.get("namespace") if match else None}
        return render(request, "environments/unreadable.html", context, status=409)
