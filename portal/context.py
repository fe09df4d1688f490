"""What every page's template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from environments.models import Cluster


def portal(request: HttpRequest) -> dict[str, Any]:
    """The product's name, and whether a simulated cluster is in use."""
    return {
        "portal_name": settings.PORTAL_NAME,
        "simulated": Cluster.objects.filter(is_simulated=True).exists(),
        "has_outbox": bool(settings.MAIL_FOLDER),
    }
