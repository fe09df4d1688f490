"""`manage.py compare_clusters`: lists namespaces without an environment, and environments without a namespace.

Use it after restoring the database: namespaces created since the backup have no row, deleted ones still have one.
It changes nothing; a person decides.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from environments import kube
from environments.kube import manifests
from environments.lib.errors import ReconcileError
from environments.models import Cluster, Environment
from environments.reconcile import workbench


class Command(BaseCommand):
    help = "Compares the portal's namespaces on every cluster with the environments in the database. Changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        silent = []
        for row in Cluster.objects.filter(lost_at=None):
            try:
                found = _namespaces(row)
            except ReconcileError as error:
                silent.append(f"{row}: {error.message}")
                continue
            for line in differences(found, _environments(row)):
                self.stdout.write(f"{row}: {line}")
        if silent:
            raise CommandError("Some clusters could not be compared: " + "; ".join(silent))


def differences(found: dict[str, str], known: dict[str, tuple[str, bool]]) -> list[str]:
    """A line for each difference.

    `found`: namespace -> environment id in its label; `known`: namespace -> (environment id, whether it should exist).
    """
    lines = []
    for namespace, environment_id in sorted(found.items()):
        if namespace not in known:
            lines.append(f"namespace {namespace} has no environment (label: {environment_id or 'none'})")
        elif known[namespace][0] != environment_id:
            lines.append(f"namespace {namespace} belongs to environment {environment_id}, not {known[namespace][0]}")
    missing = (namespace for namespace, (_, wanted) in known.items() if wanted and namespace not in found)
    return lines + [f"environment {namespace} has no namespace" for namespace in sorted(missing)]


def _namespaces(row: Cluster) -> dict[str, str]:
    """Those that are not on their way out, without the workbench, which belongs to no environment."""
    label = manifests.environment_label(settings.LABEL_DOMAIN)
    items = kube.connect(row).list_objects("Namespace", labels=manifests.SELECTOR)
    staying = (item["metadata"] for item in items if not item["metadata"].get("deletionTimestamp"))
    found = {metadata["name"]: (metadata.get("labels") or {}).get(label, "") for metadata in staying}
    return {name: value for name, value in found.items() if (name, value) != (row.workbench_namespace, workbench.LABEL)}


def _environments(row: Cluster) -> dict[str, tuple[str, bool]]:
    """All of a cluster's, ended ones too. One that was never ready need not have a namespace yet."""
    columns = Environment.objects.filter(cluster=row).values_list("namespace", "pk", "wanted", "ready_at")
    return {namespace: (str(pk), wanted and ready_at is not None) for namespace, pk, wanted, ready_at in columns}
