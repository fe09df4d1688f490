"""Context for every page's template."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from environments.models import Cluster, Environment


def portal(request: HttpRequest) -> dict[str, Any]:
    """The product's name, whether a simulated cluster is in use, and how many requests wait for the reader."""
    return {
        "portal_name": settings.PORTAL_NAME,
        "simulated": Cluster.objects.filter(is_simulated=True).exists(),
        "has_outbox": bool(settings.MAIL_FOLDER),
        # Lazy: page regions, and users who decide nothing, cost no query.
        "to_decide_count": lambda: Environment.objects.decidable_by(request.user).awaiting_approval().count(),
    }
