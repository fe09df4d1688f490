"""Applies what governs a namespace, and makes sure that the cluster has it exactly so.

The answer to an apply is the object as the cluster keeps it. Where that is not what was asked for, others added fields,
which are removed, or the cluster changes what it is given: a mutating admission policy, a webhook. Against that
no repetition helps, so it is recorded and shown. But if it loosens a limit, the step is not done.
"""

from collections.abc import Iterable

from environments.kube import differing, manifests
from environments.kube.answers import NotFoundError
from environments.kube.client import Manifest
from environments.kube.differing import Difference
from environments.lib.errors import PermanentError, TemporaryError
from environments.reconcile.facts import Facts
from environments.reconcile.steps.base import Context, Outcome


def govern(context: Context, wanted: Iterable[Manifest], there: dict[str, Manifest] | None = None) -> Facts:
    """Apply each manifest and remove what others added; what the cluster still has otherwise is in the facts.

    `there`: if all are of one kind, that kind's objects by name, as they were just read. What is as wanted is not
    applied again; what is applied is in there afterwards.
    """
    there = {} if there is None else there
    notes: list[str] = []
    altered: dict[str, tuple[Difference, ...]] = {}
    objects = list(wanted)
    for manifest in objects:
        name, key = manifest["metadata"]["name"], manifests.key(manifest)
        there[name], altered[key] = govern_one(context, manifest, notes, there.get(name))
    return Facts(altered=altered, digests=digests(objects), notes=tuple(notes))


def digests(wanted: Iterable[Manifest]) -> dict[str, str]:
    """What was applied, in a few letters each: so that the pass over the cluster can tell a new wish from a change."""
    return {manifests.key(manifest): manifests.digest(manifest) for manifest in wanted}


def govern_one(
    context: Context, manifest: Manifest, notes: list[str], there: Manifest | None = None
) -> tuple[Manifest, tuple[Difference, ...]]:
    """The object as the cluster keeps it, and what it has otherwise than wanted. Repairs add to `notes`.

    `there`: the object as it was just read; if it is as wanted, an apply would only cost a call.
    """
    domain = context.desired.label_domain
    if there is not None and not context.insists and differing.is_as_applied(manifest, there, domain):
        return there, ()
    live = apply(context, manifest, notes)
    found = differing.differences(manifest, live, domain)
    if patch := differing.removal(manifest, found):
        live = _overwrite(context, patch, found)
        found = differing.differences(manifest, live, domain)
    return live, tuple(found)


def concluded(message: str, facts: Facts, *, look_again: float | None = None) -> Outcome:
    """The outcome of a step that applied something: failed if the cluster loosens what was applied."""
    loose = [str(each) for found in facts.altered.values() for each in found if differing.loosens(each)]
    if not loose:
        return Outcome(message, facts=facts, look_again=look_again)
    why = (
        "The cluster changes what the portal applied, so the limits of this environment do not hold. A platform admin "
        "must exempt the portal's objects from the cluster's mutating admission policies and webhooks. "
        f"Changed: {'; '.join(loose)}"
    )
    return Outcome(why, "ChangedByCluster", facts=facts, failed=True)


def apply(context: Context, manifest: Manifest, notes: list[str]) -> Manifest:
    """Apply a manifest. A RoleBinding whose role was replaced is deleted and created again, with a note.

    The API server lets nobody change the role of a binding, and until then its members have the wrong role.
    """
    try:
        return context.cluster.apply(manifest)
    except PermanentError as error:
        if manifest["kind"] != "RoleBinding" or error.reason != "Invalid":
            raise
        was = _drop_other_role(context, manifest)
        if not was:
            raise
    name = manifest["metadata"]["name"]
    notes.append(f"The role binding {name} had another role ({was}). The portal deleted it and created it again.")
    return context.cluster.apply(manifest)


def _drop_other_role(context: Context, manifest: Manifest) -> str:
    """Delete the binding if it has another role than wanted; that role, empty where it has the right one."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    live = context.cluster.get("RoleBinding", name, namespace)
    role = (live or {}).get("roleRef") or {}
    if live is None or role == manifest["roleRef"]:
        return ""
    context.cluster.delete("RoleBinding", name, namespace, uid=live["metadata"]["uid"])
    return f"{role.get('kind', '')} {role.get('name', '')}"[:200]


def _overwrite(context: Context, patch: Manifest, found: list[Difference]) -> Manifest:
    try:
        return context.cluster.overwrite(patch)
    except NotFoundError as error:
        raise TemporaryError("Someone deleted the object while the portal repaired it.", reason="Conflict") from error
    except PermanentError as error:
        if error.reason != "Invalid":
            raise
        added = ", ".join(each.field for each in found if each.wanted is None)
        raise PermanentError(
            f"Someone added fields to the {patch['kind']} {patch['metadata']['name']} that the portal cannot remove "
            f"({added}). A cluster admin must delete it; the portal then creates it again. "
            f"The cluster says: {error.message}",
            reason="Unremovable",
        ) from error
