"""What ended is read-only: a request that would change it leads back to its page, with a sentence."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from environments.actions.guards import EndedError


class EndedMiddleware:
    """Turns an EndedError into a message on the environment's page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """As usual."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The way back to the page; None for everything else."""
        match = request.resolver_match
        if not isinstance(error, EndedError) or match is None or "namespace" not in match.kwargs:
            return None
        messages.error(request, error.message)
        return redirect("environment", namespace=match.kwargs["namespace"])
