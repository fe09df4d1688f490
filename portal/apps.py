"""Registers the portal's system checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The app for sign-in, settings and health."""

    name = "portal"

    def ready(self) -> None:
        """Import for their effect: checks and signal handlers register themselves."""
        from portal import checks, deploy_checks, logs, metrics, task_logs  # noqa: F401

        logs.conceal_settings()
