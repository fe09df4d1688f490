"""The objects that the portal manages in a namespace, and what each is for."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from environments.kube import manifests
from environments.lib.looks import KindLook
from environments.lib.phases import Phase
from environments.models import Environment, Member
from environments.reconcile import desired, drift
from environments.reconcile.drift import Cause, Entry

_POLICIES = {
    "deny-all": "blocks all traffic",
    "allow-dns": "allows DNS",
    "allow-same-namespace": "allows traffic inside the namespace",
    "allow-ingress-controller": "allows traffic from the ingress controller",
}


@dataclass(frozen=True)
class ManagedObject:
    """One object that the portal manages for an environment."""

    kind: str
    name: str
    purpose: str
    unread: KindLook | None = None  # if the portal could not read this kind in full for too long


def managed_objects(environment: Environment, members: Iterable[Member]) -> list[ManagedObject]:
    """The objects that the portal manages for an environment; empty if its template's content cannot be read.

    `members`: all of its members, also those who are being removed.
    """
    if environment.readable_spec is None:
        return []
    wanted = manifests.all_manifests(desired.desired_with_bindings(environment, members))
    unread = {look.kind: look for look in environment.unread}
    return [
        ManagedObject(item["kind"], item["metadata"]["name"], _purpose(item), unread.get(item["kind"]))
        for item in wanted
    ]


def drift_of(environment: Environment) -> dict[str, list[Entry]]:
    """What its objects have otherwise than wanted: `changed` by hand, and `altered` by the cluster."""
    entries = drift.read(environment.drift) if environment.phase != Phase.DELETED else []
    by_hand = [each for each in entries if each.cause != Cause.CLUSTER]
    return {"changed": by_hand, "altered": [each for each in entries if each not in by_hand]}


def _purpose(manifest: manifests.Manifest) -> str:
    if manifests.is_extra(manifest, settings.LABEL_DOMAIN):
        return "from the template"
    match manifest["kind"]:
        case "Namespace":
            level = manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            return f"Pod Security {level}"
        case "ResourceQuota" if manifest["metadata"]["name"] == manifests.CRITICAL_QUOTA:
            return f"{manifest['spec']['hard']['pods']} pods with critical priority"
        case "ResourceQuota":
            return f"{len(manifest['spec']['hard'])} resources limited"
        case "LimitRange":
            return "default requests and limits for containers"
        case "ServiceAccount":
            return "no API token mounted by default"
        case "RoleBinding":
            return f"{len(manifest['subjects'])} subjects"
        case _:
            return _POLICIES.get(manifest["metadata"]["name"], "allows what the template lists")
