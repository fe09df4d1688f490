"""Types and helpers that the views share."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from environments.models import User


class UserRequest(HttpRequest):
    """A request that has passed LoginRequiredMiddleware and HtmxMiddleware."""

    user: User
    htmx: HtmxDetails
