"""The product's Django app."""

from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    """Environments, their templates, clusters and directories."""

    name = "environments"
    verbose_name = "Environments"

    def ready(self) -> None:
        """Have members follow the people of teams."""
        from environments.actions import team_members  # models are ready now

        team_members.watch()
