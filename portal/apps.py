"""Registers the portal's system checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The doors: sign-in, settings, health."""

    name = "portal"

    def ready(self) -> None:
        """Import for its effect: the checks register themselves."""
        from portal import checks  # noqa: F401
