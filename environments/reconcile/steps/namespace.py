"""The namespace. Created if it is missing, kept as wanted; one that is not ours is never touched."""

from environments.kube import manifests, terminating
from environments.kube.answers import AlreadyExistsError
from environments.kube.client import FIELD_MANAGER, Manifest
from environments.lib.errors import PermanentError, TemporaryError
from environments.reconcile.facts import Facts
from environments.reconcile.steps.applying import concluded, digests, govern_one
from environments.reconcile.steps.base import Context, Outcome, Step

_DELETING = "The cluster is deleting the namespace and everything in it."
_POLL = 0.5  # seconds until the next look at a namespace that is being deleted, then doubling


def ensure(context: Context) -> Outcome:
    """Create the namespace or, where it is ours, apply its labels. Raises PermanentError (NotOurs)."""
    wanted = manifests.namespace(context.desired)
    # The first try creates before it looks: server-side apply would adopt a namespace that someone else made.
    live = _live(context) if context.namespace_uid else None
    is_new = False
    if live is None:
        live, is_new = _create(context, wanted)
    if not _is_ours(context, live):
        raise PermanentError(
            f"The namespace {context.desired.namespace} exists already, and this environment did not create it. "
            "The portal did not change it. Request the environment again to get another name.",
            reason="NotOurs",
        )
    if live["metadata"].get("deletionTimestamp"):
        return Outcome(_deleted_outside(context, live), "Terminating", wait=5)
    live, found = govern_one(context, wanted, [], live)
    altered = {manifests.key(wanted): found}
    facts = Facts(namespace_uid=live["metadata"]["uid"], is_new=is_new, altered=altered, digests=digests([wanted]))
    return concluded(context.desired.namespace, facts)


def remove(context: Context) -> Outcome:
    """Delete the namespace if it is ours, and wait, in the cluster's own words, until it is gone."""
    live = _live(context)
    if live is None:
        return Outcome("The cluster deleted the namespace.")
    if not _is_ours(context, live):
        return Outcome("Another namespace has this name now. The portal did not change it.", "NotOurs")
    if not live["metadata"].get("deletionTimestamp"):
        context.cluster.delete("Namespace", context.desired.namespace, uid=live["metadata"]["uid"])
        return Outcome(_DELETING, "Terminating", wait=_POLL)
    return Outcome(terminating.why(context.cluster, live) or _DELETING, "Terminating", wait=_POLL)


def _live(context: Context) -> Manifest | None:
    return context.cluster.get("Namespace", context.desired.namespace)


def _create(context: Context, wanted: Manifest) -> tuple[Manifest, bool]:
    """The namespace with this name, ours or not, and whether it is new: made now, and for the first time."""
    try:
        return context.cluster.create(wanted), not context.namespace_uid
    except AlreadyExistsError as error:
        if (live := _live(context)) is not None:
            return live, False
        # Deleted a moment ago, or one of several API servers is behind: the next look tells.
        raise TemporaryError("The cluster contradicts itself about the namespace.", reason="Contradiction") from error


def _is_ours(context: Context, live: Manifest) -> bool:
    """Whether the portal made it: it bears our id, and is the one we know or one that we wrote to.

    A person may delete ours and create another with the same labels; what is in that one is unknown. One of ours
    whose uid is not on record yet was made by a run that died.
    """
    if not manifests.is_ours(live, context.desired.label_domain, context.desired.environment_id):
        return False
    metadata = live["metadata"]
    if context.namespace_uid in ("", metadata["uid"]):
        return True
    return any(each.get("manager") == FIELD_MANAGER for each in metadata.get("managedFields") or [])


def _deleted_outside(context: Context, live: Manifest) -> str:
    """That someone deleted the namespace on the cluster, what becomes of it, and what holds it up."""
    told = "Someone deleted this namespace on the cluster. The portal then creates it again, empty."
    return f"{told} {terminating.why(context.cluster, live)}".strip()


STEP = Step("Namespace", "Namespace", "Namespace removed", ensure, remove, removed_after=("RoleBinding",))
