"""`manage.py print_admission | kubectl apply -f -`: the admission policies for one cluster."""

from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.kube import admission


class Command(BaseCommand):
    help = "Prints the ValidatingAdmissionPolicies that protect the portal's objects, and their bindings."
    requires_system_checks = ()  # it calls nothing, and runs before there is a database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--label-domain", default=settings.LABEL_DOMAIN, help="The domain of label keys (default: LABEL_DOMAIN)."
        )
        parser.add_argument(
            "--account",
            default=admission.PORTAL,
            help=f"The portal's user name in the cluster (default: {admission.PORTAL}).",
        )
        parser.add_argument(
            "--account-namespace",
            default="",
            metavar="NAMESPACE",
            help="The namespace of members' ServiceAccounts (default: where the portal's own is).",
        )
        parser.add_argument(
            "--privileged-namespaces",
            action="store_true",
            help="Lets the portal make namespaces with the Pod Security level privileged, for templates that need it.",
        )
        parser.add_argument(
            "--break-glass-group",
            action="append",
            default=[],
            metavar="GROUP",
            help="The name of a group in the cluster that is exempt from the policies. Can be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifests = admission.documents(
                label_domain=options["label_domain"],
                account=options["account"],
                account_namespace=options["account_namespace"],
                break_glass=options["break_glass_group"],
                privileged=options["privileged_namespaces"],
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(yaml.safe_dump_all(manifests, explicit_start=True, sort_keys=False, width=120), ending="")
