"""Tests an environment's manifests on a cluster before it is created, with `dryRun=All`.

A dry run stores nothing, so the environment's own namespace is still missing when its contents come, and a cluster
refuses whatever goes into a namespace that is not there. The Namespace itself is tried as it is; the rest is tried
in a namespace that exists, which the page names. What differs there (its Pod Security level, its quota) is not seen.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
"""

from dataclasses import dataclass

from django.conf import settings

from environments.kube.client import RESOURCES, ClusterClient, Manifest
from environments.kube.manifests import is_extra
from environments.lib.errors import PermanentError

_ONLY_THERE = "Not tested: the portal has the rights for this only in the environment's own namespace."


@dataclass(frozen=True)
class Verdict:
    """What became of one manifest."""

    kind: str
    name: str
    tone: str
    sentence: str

    @property
    def is_refused(self) -> bool:
        """Whether the cluster would not take it."""
        return self.tone == "bad"


def dry_run(client: ClusterClient, manifests: list[Manifest], scratch: str) -> list[Verdict]:
    """Try every manifest, namespaced ones in the namespace `scratch`; empty: they are left out, and that is said.

    Raises TemporaryError where the cluster does not answer.
    """
    missing = _why_not(client, scratch)
    return [_try(client, manifest, scratch, missing) for manifest in manifests]


def _why_not(client: ClusterClient, scratch: str) -> str:
    """Why nothing can be tried inside a namespace, empty where it can."""
    if not scratch:
        return "Not tested: the environment's namespace does not exist yet. Enter an existing namespace to test in."
    if client.get("Namespace", scratch) is None:
        return f"Not tested: this cluster has no namespace {scratch}."
    return ""


def _try(client: ClusterClient, manifest: Manifest, scratch: str, missing: str) -> Verdict:
    kind, metadata = str(manifest["kind"]), manifest["metadata"]
    name, where = str(metadata["name"]), ""
    if kind not in RESOURCES:
        return Verdict(kind, name, "", "Not tested: the portal does not apply this kind itself.")
    if RESOURCES[kind].namespaced:
        if missing:
            return Verdict(kind, name, "", missing)
        if is_extra(manifest, settings.LABEL_DOMAIN):
            return Verdict(kind, name, "", _ONLY_THERE)
        manifest, where = manifest | {"metadata": metadata | {"namespace": scratch}}, f" (tested in {scratch})"
    try:
        client.apply(manifest, dry_run=True)
    except PermanentError as error:
        return Verdict(kind, name, "bad", error.message)
    return Verdict(kind, name, "ok", f"The cluster would accept it{where}.")
