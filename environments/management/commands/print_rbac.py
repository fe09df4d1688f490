"""`manage.py print_rbac | kubectl apply -f -`: the portal's account and the environment roles, for one cluster."""

from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandParser

from environments.kube.rbac import ACCOUNT_NAMESPACE, documents


class Command(BaseCommand):
    help = "Prints the manifests of the portal's account and of the environment roles."
    requires_system_checks = ()  # it needs no settings, and runs before there are any

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--account-namespace",
            default=ACCOUNT_NAMESPACE,
            help=f"The namespace of the portal's ServiceAccount (default: {ACCOUNT_NAMESPACE}).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        manifests = documents(options["account_namespace"])
        self.stdout.write(yaml.safe_dump_all(manifests, explicit_start=True, sort_keys=False, width=120), ending="")
