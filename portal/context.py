"""Context for every page's template."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from environments.models import Cluster, Environment


def portal(request: HttpRequest) -> dict[str, Any]:
    """The product's name, whether a simulated cluster is in use, and how many requests wait for the reader.

    What needs a query is a function: the part of a page that htmx asks for shows none of it and costs none.
    """
    return {
        "portal_name": settings.PORTAL_NAME,
        "simulated": cache(Cluster.objects.filter(is_simulated=True).exists),  # a page shows it twice
        "has_outbox": bool(settings.MAIL_FOLDER),
        "to_decide_count": lambda: Environment.objects.number_awaiting(request.user),  # type: ignore[arg-type]
    }
