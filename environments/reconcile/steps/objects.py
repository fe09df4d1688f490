"""The template's own objects. Created, kept as wanted, and removed when the template no longer has them.

The portal's account may touch workloads nowhere. Where a template has objects, the portal binds itself to
environment-admin in that one namespace before it makes them, and gives that up once the template no longer has any.
Not after every run: anyone who holds the portal's credential could make that binding at any time (it may `bind` the
role), so taking it away in between keeps no one out. But every look would have to wait until the cluster saw it come,
and a worker that dies would leave it behind. Standing, it is the same after every crash, and `kubectl get
rolebindings` shows it. Within it the cluster's own rule holds: a Role may give only what environment-admin has.

What is about to be made is written down before it is made (`applied`): so whatever dies in between, a later version
of the template knows what to remove.
"""

from dataclasses import replace

from environments.kube import api_warnings, manifests
from environments.kube.answers import NotFoundError
from environments.kube.api_warnings import ApiWarning
from environments.kube.client import FIELD_MANAGER, Manifest, Question
from environments.kube.differing import Difference
from environments.kube.manifests import DEFAULT_ACCOUNT
from environments.lib.errors import PermanentError
from environments.reconcile.facts import Facts
from environments.reconcile.steps.applying import concluded, digests, govern_one
from environments.reconcile.steps.base import Context, Outcome, Step

PODS_REJECTED = "PodsRejected"  # the reason of a condition that the page shows as a notice
_RETRY = 0.05  # seconds, then doubling: the cluster's authorizer needs a moment to see a new binding
_LOOK_AGAIN = 3600  # seconds; the drift pass may not read ConfigMaps
_PROOF = ("patch", "configmaps")  # what the portal may do by its own binding alone
#: Never removed with a version of the template: they hold people's work.
_KEPT = "PersistentVolumeClaim"


def ensure(context: Context) -> Outcome:
    """Apply what is wanted, then remove what was applied earlier and is wanted no longer.

    Raises PermanentError with everything that the cluster refused, in its words.
    """
    wanted = _wanted(context)
    known = tuple(dict.fromkeys([*context.applied, *map(manifests.key, wanted)]))
    if not known:
        return Outcome("This template has no objects of its own")
    enters = any(key != DEFAULT_ACCOUNT for key in known)
    if enters:
        govern_one(context, manifests.portal_binding(context.desired, context.cluster.whoami()), [])
    if set(known) != set(context.applied):
        return Outcome(
            "The portal is about to create the template's objects.", "Recorded", Facts(applied=known), wait=_RETRY
        )
    if enters and not context.cluster.may_i(Question(*_PROOF, namespace=context.desired.namespace)).allowed:
        return Outcome("Waiting for the cluster to give the portal access to the namespace.", "NotYet", wait=_RETRY)
    return _settle(context, wanted)


def _wanted(context: Context) -> list[Manifest]:
    account = manifests.default_account(context.desired)
    try:
        return [*([account] if account else []), *manifests.extra_objects(context.desired)]
    except ValueError as error:
        raise PermanentError(str(error)) from error


def _settle(context: Context, wanted: list[Manifest]) -> Outcome:
    applied = _Applied(context)
    try:
        refused = applied.all_of(wanted)
    except _NotYetError as error:
        return Outcome(str(error), "NotYet", wait=_RETRY)
    keep = [manifests.key(manifest) for manifest in wanted]
    gone = [key for key in context.applied if key not in keep]
    removed = [key for key in gone if _remove(context, key)]
    if refused and removed:  # what was in the way may be gone now
        return Outcome("; ".join(refused), "Refused", wait=1.0)
    if refused:
        raise PermanentError("; ".join(refused))
    if not any(key != DEFAULT_ACCOUNT for key in keep):
        _delete(context, "RoleBinding", manifests.PORTAL_BINDING)
    is_unseen = any(manifest["kind"] == "ConfigMap" for manifest in wanted)
    made = digests([*wanted, manifests.portal_binding(context.desired, context.cluster.whoami())] if keep else [])
    facts = Facts(applied=tuple(keep), altered=applied.altered, digests=made, notes=tuple(applied.notes))
    look_again = _LOOK_AGAIN if is_unseen or applied.rejected else None
    outcome = concluded(_words(keep, gone, applied.rejected), facts, look_again=look_again)
    return replace(outcome, reason=PODS_REJECTED) if applied.rejected and not outcome.failed else outcome


class _NotYetError(Exception):
    """The cluster is not as far yet: it refuses now what it takes in a moment."""


#: In refusals by an API server that has not seen our binding, or whose quota controller has not counted yet.
_SOON = ('" cannot ', "status unknown for quota")


_UNKNOWN = "This cluster does not have the kind {kind} ({apiVersion}). Choose another cluster, or ask a platform admin."


class _Applied:
    """Applies the template's objects, and collects what the cluster has otherwise and what was repaired."""

    def __init__(self, context: Context) -> None:
        self.altered: dict[str, tuple[Difference, ...]] = {}
        self.notes: list[str] = []
        self.rejected: list[str] = []  # workloads whose pods Pod Security rejects
        self._context = context

    def all_of(self, wanted: list[Manifest]) -> list[str]:
        """Apply each, whatever becomes of the others; what was refused, a sentence each."""
        refused = []
        for manifest in wanted:
            before = len(api_warnings.heard())
            try:
                live, self.altered[manifests.key(manifest)] = self._one(manifest)
                if _rejects_pods(self._context, live, api_warnings.heard()[before:]):
                    self.rejected.append(f"{manifest['kind']} {manifest['metadata']['name']}")
            except NotFoundError:  # not the namespace: that is another error
                refused.append(_UNKNOWN.format(**manifest))
            except PermanentError as error:
                if error.reason == "Forbidden" and any(words in error.message for words in _SOON):
                    raise _NotYetError(error.message) from error
                refused.append(f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}")
        return refused

    def _one(self, manifest: Manifest) -> tuple[Manifest, tuple[Difference, ...]]:
        """Apply an object, unless its name is taken by something that a member made."""
        context = self._context
        is_default = manifests.key(manifest) == DEFAULT_ACCOUNT  # Kubernetes makes it: there, and nobody's
        is_known = is_default and context.is_new
        live = None if is_known else _live(context, manifest["kind"], manifest["metadata"]["name"])
        is_new = live is None or is_default
        if live is not None and not is_new and not _is_ours(context, live) and not _was_applied(live):
            raise PermanentError(
                "An object of this name exists, and the template did not create it. Rename or delete it."
            )
        try:
            return govern_one(context, manifest, self.notes, live if is_default else None)
        except PermanentError as error:
            if is_new or error.reason != "Invalid":
                raise
            # Server-side apply leaves list items of others. Ours beside them may be invalid: two ports of one name.
            context.cluster.overwrite(manifest)
            return govern_one(context, manifest, self.notes)


def _rejects_pods(context: Context, live: Manifest, warnings: list[ApiWarning]) -> bool:
    """Whether Pod Security rejects a workload's pods: the API server takes the workload, and warns or says so later.

    It warns for the namespace's warn level, which may be stricter than the one that is enforced.
    """
    enforced = context.desired.spec.pod_security.enforce
    conditions = (live.get("status") or {}).get("conditions") or []
    failed = (each for each in conditions if each.get("type") == "ReplicaFailure" and each.get("status") == "True")
    return any(warning.level == enforced for warning in warnings) or any(
        "violates PodSecurity" in str(each.get("message")) for each in failed
    )


def _was_applied(live: Manifest) -> bool:
    """Whether the portal made it, even without its labels."""
    managers = live["metadata"].get("managedFields") or []
    return any(each.get("manager") == FIELD_MANAGER and each.get("operation") == "Apply" for each in managers)


def _remove(context: Context, key: str) -> bool:
    """Take back what was applied earlier; whether there was anything to delete."""
    kind, _, name = key.partition("/")
    if key == DEFAULT_ACCOUNT:
        context.cluster.apply(manifests.released_account(context.desired))
        return False
    return kind != _KEPT and _delete(context, kind, name)


def _delete(context: Context, kind: str, name: str) -> bool:
    live = _live(context, kind, name)
    if live is None or not _is_ours(context, live):
        return False
    return context.cluster.delete(kind, name, context.desired.namespace, uid=live["metadata"]["uid"])


def _live(context: Context, kind: str, name: str) -> Manifest | None:
    return context.cluster.get(kind, name, context.desired.namespace)


def _is_ours(context: Context, live: Manifest) -> bool:
    return manifests.is_ours(live, context.desired.label_domain, context.desired.environment_id)


def _words(keep: list[str], gone: list[str], rejected: list[str]) -> str:
    objects = len([key for key in keep if key != DEFAULT_ACCOUNT])
    parts = [f"{objects} applied" if rejected else f"{objects} in place"] if objects else []
    parts += [f"Pod Security rejects the pods of {', '.join(rejected)}"] if rejected else []
    parts += ["pods get no service account token by default"] if DEFAULT_ACCOUNT in keep else []
    claims = [key.partition("/")[2] for key in gone if key.startswith(_KEPT)]
    parts += [f"kept with their data: {', '.join(claims)}"] if claims else []
    return "; ".join(parts) or "This template has no objects of its own"


STEP = Step("Objects", "Template objects", "", ensure, needs=("Quota", "Limits", "NetworkPolicy"))
