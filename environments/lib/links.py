"""Full URLs of portal pages, for emails and other texts that are read outside the portal."""

from django.conf import settings
from django.urls import reverse


def absolute(route: str, *args: str) -> str:
    """The full URL of a route in `urls.py`, for example https://portal.example.com/approvals/."""
    return f"{settings.PORTAL_URL}{reverse(route, args=args)}"
