"""What tests of environments do and look for on a cluster, whichever folder they are in."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from environments.kube.client import ClusterClient
from environments.models import Environment
from environments.reconcile import engine as reconcile

KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")


@dataclass
class Account:
    """A way to the simulated cluster that is not the portal's."""

    server: str
    credential: str
    credential_kind: str = "token"
    certificate_authority: str = ""


def settle(environment: Environment, tries: int = 30) -> Environment:
    """Reconcile as the queue would, until nothing is owed soon."""
    for _ in range(tries):
        soon = timezone.now() + timedelta(seconds=30)
        Environment.objects.filter(pk=environment.pk, next_reconcile_at__lt=soon).update(
            next_reconcile_at=timezone.now()
        )
        delay = reconcile.reconcile(environment.pk)
        if delay is None or delay > 30:
            break
        time.sleep(min(delay, 0.05))
    environment.refresh_from_db()
    return environment


def names(found: dict[tuple[str, str], dict]) -> dict[str, list[str]]:
    """The names by kind, but for the namespace."""
    result: dict[str, list[str]] = {}
    for kind, name in sorted(found):
        if kind != "Namespace":
            result.setdefault(kind, []).append(name)
    return result


def pod(namespace: str, cpu: str) -> dict:
    resources = {"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": "64Mi"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "api", "namespace": namespace},
        "spec": {"containers": [{"name": "api", "image": "registry.example.com/api:1", "resources": resources}]},
    }


def drop_policy(admin: ClusterClient, environment: Environment) -> None:
    admin.delete("NetworkPolicy", "deny-all", environment.namespace)


def raise_quota(admin: ClusterClient, environment: Environment) -> None:
    live = admin.get("ResourceQuota", "environment-quota", environment.namespace)
    live["spec"]["hard"]["pods"] = "500"
    admin._request("PUT", f"/api/v1/namespaces/{environment.namespace}/resourcequotas/environment-quota", body=live)
