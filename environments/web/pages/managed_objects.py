"""The objects that the portal keeps in place, and what each is for."""

from dataclasses import dataclass

from django.conf import settings

from environments.kube import manifests
from environments.models import Environment
from environments.reconcile import desired


@dataclass(frozen=True)
class Thing:
    """One object that the portal manages for an environment."""

    kind: str
    name: str
    says: str


def things(environment: Environment) -> list[Thing]:
    """The objects that the portal keeps in place, and what each is for; none where its content cannot be read."""
    if environment.readable_spec is None:
        return []
    wanted = manifests.all_manifests(desired.desired_with_bindings(environment))
    return [Thing(item["kind"], item["metadata"]["name"], _says(item)) for item in wanted]


def _says(manifest: manifests.Manifest) -> str:
    if manifests.is_extra(manifest, settings.LABEL_DOMAIN):
        return "the template's own"
    match manifest["kind"]:
        case "Namespace":
            level = manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            return f"Pod Security {level}"
        case "ResourceQuota":
            return f"{len(manifest['spec']['hard'])} resources limited"
        case "LimitRange":
            return "defaults for containers without resources"
        case "ServiceAccount":
            return "no token in pods that do not ask"
        case "RoleBinding":
            return f"{len(manifest['subjects'])} subjects"
        case _:
            policies = {"deny-all": "nothing in or out …", "allow-dns": "… but DNS"}
            return policies.get(manifest["metadata"]["name"], "… and inside the namespace")
