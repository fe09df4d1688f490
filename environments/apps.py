"""The product's Django app."""

from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    """Environments, their templates, clusters and directories."""

    name = "environments"
    verbose_name = "Environments"
