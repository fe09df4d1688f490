"""Every route of the portal, an address for it, and who may ask for it."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from environments.models import Environment

ROLES = ("anonymous", "owner", "member", "teammate", "manager", "stranger", "admin")


def routes(patterns=None, prefix: str = "/") -> Iterator[str]:
    """Every route of the URL configuration."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern).lstrip("^").rstrip("$").replace("\\Z", "")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def product_routes() -> list[str]:
    """All but Django's own admin, which is closed as a whole (see below)."""
    return sorted(route for route in routes() if not route.startswith("/admin/") and "(?P" not in route)


def address(route: str, environment: Environment) -> str:
    """A route with its parts filled in by what exists."""
    known = {
        "<slug:namespace>": environment.namespace,
        "<int:pk>": "1",
        "<slug:provider>": "partner",
        "<slug:slug>": environment.version.template.slug,
        "<slug:report>": "cost",
        "<path:object_id>": "1",
        "<int:object_id>": "1",
        "<int:content_type_id>": "1",
    }
    for part, value in known.items():
        route = route.replace(part, value)
    return route
