"""Why a namespace that is being deleted is still there: which finalizer on which object, and what to do.

The namespace's conditions name finalizers and resources, but no objects, and none of the namespace's own finalizers.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/#NamespaceStatus
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from environments.kube.client import RESOURCES, ClusterClient, Manifest
from environments.lib.errors import ReconcileError

_CONTENT, _FINALIZERS = "NamespaceContentRemaining", "NamespaceFinalizersRemaining"
_REMAINING = re.compile(r"([a-z0-9-]+)\.([a-z0-9.-]*) has (\d+) resource instances")
_HOLDING = re.compile(r"(\S+) in \d+ resource instances")
_NAME = re.compile(r"[a-z0-9][a-z0-9.:-]*")  # an admin copies the command: nothing else comes from the cluster into it
_MOST_RESOURCES, _MOST_OBJECTS, _SHOWN = 3, 100, 2
_KIND_OF = {(resource.plural, resource.group): kind for kind, resource in RESOURCES.items()}

_BLOCKED = "The cluster can't delete the namespace yet: "
_PATCH = """--type=merge -p '{"metadata":{"finalizers":null}}'"""
_CONTROLLER = (
    "The controller that set it must remove it. If that controller no longer runs, ask a cluster admin to run: "
)

#: Finalizers of Kubernetes itself, and what they wait for.
_WAITS_FOR = {
    "kubernetes.io/pvc-protection": "It goes when no pod uses the volume claim any longer.",
    "foregroundDeletion": "It goes when everything that the object owns is deleted.",
    "service.kubernetes.io/load-balancer-cleanup": "It goes when the cloud provider has deleted the load balancer.",
    "batch.kubernetes.io/job-tracking": "It goes when the Job's controller has counted the pod.",
}
#: What to do where a condition of the deletion itself is true.
_FAILURES = {
    "NamespaceDeletionDiscoveryFailure": "An API service of the cluster does not answer. Ask a cluster admin to repair "
    "or remove it (kubectl get apiservices).",
    "NamespaceDeletionGroupVersionParsingFailure": "Ask a cluster admin to check the cluster's API services.",
    "NamespaceDeletionContentFailure": "Ask a cluster admin what rejects the deletion, for example a webhook.",
}


@dataclass(frozen=True)
class _Holder:
    """An object that cannot be deleted, with its finalizers."""

    kind: str
    resource: str
    name: str
    finalizers: tuple[str, ...]


def why(client: ClusterClient, live: Manifest) -> str:
    """Why this namespace is still there, in a sentence or two; empty while nothing holds it up.

    A finalizer is named with its object if the portal may list that kind.
    """
    conditions = _true_conditions(live)
    failures = [
        f"{message} {_FAILURES[type_]}".strip()
        for type_, message in conditions.items()
        if type_ in _FAILURES and message
    ]
    if failures:
        return _BLOCKED + failures[0]
    namespace = live["metadata"]["name"]
    if _FINALIZERS in conditions:
        return _BLOCKED + _objects(client, namespace, conditions)
    own = [str(each) for each in live["metadata"].get("finalizers") or []]
    if own and not (live.get("spec") or {}).get("finalizers"):
        what = f"The namespace itself has the finalizer {', '.join(own)}. {_CONTROLLER}"
        return f"{_BLOCKED}{what}kubectl patch namespace {namespace} {_PATCH}"
    return f"{_BLOCKED}{conditions[_CONTENT]}" if conditions.get(_CONTENT) else ""


def _true_conditions(live: Manifest) -> dict[str, str]:
    found: list[dict[str, Any]] = (live.get("status") or {}).get("conditions") or []
    return {str(each.get("type")): str(each.get("message", "")) for each in found if each.get("status") == "True"}


def _objects(client: ClusterClient, namespace: str, conditions: dict[str, str]) -> str:
    """The objects with finalizers, by name as far as the portal may read them."""
    remaining = _REMAINING.findall(conditions.get(_CONTENT, ""))
    names = [f"{plural}.{group}".rstrip(".") for plural, group, _ in remaining]
    holders = [each for one in remaining[:_MOST_RESOURCES] for each in _holders(client, namespace, *one[:2])]
    if holders:
        return _named(namespace, holders)
    finalizers = ", ".join(_HOLDING.findall(conditions[_FINALIZERS])) or conditions[_FINALIZERS]
    listed = ",".join(names) or "all"
    where = f"To see them: kubectl get {listed} -n {namespace}"
    return f"Objects ({listed}) have the finalizer {finalizers}. The controller that set it must remove it. {where}"


def _named(namespace: str, holders: list[_Holder]) -> str:
    first, more = holders[0], len(holders) - _SHOWN
    said = [f"{each.kind} {each.name} has the finalizer {', '.join(each.finalizers)}" for each in holders[:_SHOWN]]
    text = "; ".join(said) + (f"; and {more} more" if more > 0 else "")
    if hint := next((_WAITS_FOR[each] for each in first.finalizers if each in _WAITS_FOR), ""):
        return f"{text}. {hint}"
    if not _NAME.fullmatch(first.name):
        return f"{text}. The controller that set it must remove it."
    return f"{text}. {_CONTROLLER}kubectl patch {first.resource} {first.name} -n {namespace} {_PATCH}"


def _holders(client: ClusterClient, namespace: str, plural: str, group: str) -> Iterator[_Holder]:
    """The objects of a resource that their finalizers keep; none where the portal may not list them."""
    kind = _KIND_OF.get((plural, group))
    if kind is None:
        return
    with suppress(ReconcileError):  # a cluster that does not answer has been asked for the namespace already
        for live in islice(client.list_objects(kind, namespace, limit=_MOST_OBJECTS), _MOST_OBJECTS):
            metadata = live["metadata"]
            finalizers = metadata.get("finalizers")
            if metadata.get("deletionTimestamp") and isinstance(finalizers, list) and finalizers:
                resource = f"{plural}.{group}".rstrip(".")
                yield _Holder(kind, resource, str(metadata["name"]), tuple(str(each) for each in finalizers))
