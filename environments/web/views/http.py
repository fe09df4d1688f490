"""Types and helpers that the views share."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from environments.models import User


class UserRequest(HttpRequest):
    """A request that has passed LoginRequiredMiddleware and HtmxMiddleware."""

    user: User
    htmx: HtmxDetails


def render_part(request: UserRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or only its part that htmx asked for.

    Both have one address: `Vary` keeps a browser from showing a cached part as the page when the user goes back.
    """
    only_part = request.htmx and not request.htmx.history_restore_request
    response = render(request, f"{page}#{part}" if only_part else page, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form was sent with, be it nothing; None where it was not sent."""
    return request.POST if request.method == "POST" else None
