"""The portal's app, and Django's admin with the portal's site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    """The app for sign-in, settings and health."""

    name = "portal"

    def ready(self) -> None:
        """Import for their effect: checks and signal handlers register themselves."""
        from portal import checks, deploy_checks, logs, metrics, task_logs  # noqa: F401

        logs.conceal_settings()


class PortalAdminConfig(AdminConfig):
    """Django's admin, with the portal's site as the default one."""

    default_site = "portal.admin_site.AdminSite"
