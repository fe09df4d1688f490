"""All changes of objects: create, apply, update, delete, each also as a dry run.

The order of the checks is the API server's: body, namespace, defaults, validity, limits, quota, and only then whether
the name is taken.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portal.demo.simulated import (
    advice,
    decoding,
    fence,
    garbage,
    limits,
    pod_security,
    quota,
    references,
    statuses,
    subresources,
)
from portal.demo.simulated import apply as server_side
from portal.demo.simulated.defaults import drop_nulls, initial_status, normalised
from portal.demo.simulated.denying import Denials
from portal.demo.simulated.kinds import BY_NAME, Kind, Object, copy
from portal.demo.simulated.mutating import Mutations
from portal.demo.simulated.patches import patched
from portal.demo.simulated.rbac import MASTERS, Attributes, User, prevent_escalation, require
from portal.demo.simulated.statuses import Cause, bad_request, conflict, forbidden, not_found
from portal.demo.simulated.store import Store
from portal.demo.simulated.validation import validate

_NAMESPACE, _SERVICE_ACCOUNT, _CONFIG_MAP = (BY_NAME[name] for name in ("Namespace", "ServiceAccount", "ConfigMap"))
_PROTECTED = frozenset({"default", "kube-system", "kube-public"})
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no vowels, no words by accident
#: Metadata that a writer cannot change.
_KEPT = ("name", "namespace", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True)
class Writing:
    """Who writes, under which field manager, and whether it is a dry run."""

    user: User
    manager: str = "unknown"
    dry_run: bool = False
    subresource: str = ""
    validation: str = decoding.WARN
    #: Fields that were sent more than once.
    twice: tuple[str, ...] = ()
    #: What there is to warn of, collected while it is written.
    warnings: list[str] = field(default_factory=list)


def controller() -> Writing:
    """How the controller manager writes; each write has its own, because warnings gather in it."""
    return Writing(User("system:kube-controller-manager", (MASTERS,)), "kube-controller-manager")


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """Changes the store. Callers hold the cluster's lock."""

    def __init__(self, store: Store, terminate: Callable[[str], None]) -> None:
        """`terminate` is called with the name of each namespace that starts terminating."""
        self._store, self._terminate = store, terminate
        self.mutations = Mutations()
        self.denials = Denials()

    def create(self, kind: Kind, namespace: str, body: Object, how: Writing) -> Object:
        """POST. Raises StatusError 400, 403, 404, 409 AlreadyExists, 422."""
        found = copy(body)
        metadata = _checked_metadata(kind, found, namespace)
        how.warnings.extend(decoding.read(kind, found, how.validation, how.twice))
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        normalised(kind, found)
        server_side.track_update(kind, None, found, how.manager, timestamp())
        return self._insert(kind, namespace, found, how)

    def apply(
        self, kind: Kind, namespace: str, name: str, body: Object, how: Writing, *, force: bool
    ) -> tuple[int, Object]:
        """PATCH with an apply patch: 201 and the new object, or 200 and what is there now."""
        wanted = copy(body)
        _check_applied(kind, wanted, namespace, name, how.manager)
        live = self._store.get(kind, name, namespace)
        if live is None and wanted["metadata"].get("uid"):
            raise conflict(
                kind, name, "uid mismatch: the provided object specified uid, and no existing object was found"
            )
        if live is None:
            require(self._store, how.user, Attributes("create", kind.group, kind.plural, "", namespace, name))
            found = server_side.apply(kind, None, wanted, how.manager, timestamp(), force=force)
            return 201, self._insert(kind, namespace, found, how)
        found = server_side.apply(kind, live, wanted, how.manager, timestamp(), force=force)
        return 200, self._replace(kind, live, found, how)

    def update(self, kind: Kind, namespace: str, name: str, body: Object, how: Writing) -> Object:
        """PUT. Raises StatusError 409 Conflict where the resourceVersion is not the newest."""
        live = self._live(kind, name, namespace)
        found = copy(body)
        _checked_metadata(kind, found, namespace, name)
        how.warnings.extend(decoding.read(kind, found, how.validation, how.twice))
        uid = found["metadata"].setdefault("uid", live["metadata"]["uid"])
        if uid != live["metadata"]["uid"]:
            raise _wrong_uid(kind, name, uid, live)
        return self._tracked(kind, live, found, how)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Any, content_type: str, how: Writing) -> Object:
        """PATCH with a merge patch, a strategic one or a JSON patch."""
        live = self._live(kind, name, namespace)
        found = patched(kind, live, patch, content_type)
        for key in ("name", "namespace"):
            if (said := found.get("metadata", {}).get(key)) != live["metadata"].get(key):
                raise bad_request(f"the {key} of the object ({said}) does not match the {key} on the URL")
        how.warnings.extend(decoding.read_patched(kind, name, found, how.validation))
        return self._tracked(kind, live, found, how)

    def resize(self, kind: Kind, namespace: str, name: str, wanted: Object, how: Writing) -> Object:
        """Other resources for a pod's containers. Raises StatusError 403 where a quota has no room, 422."""
        live = self._live(kind, name, namespace)
        normalised(kind, wanted)
        return self._tracked(kind, live, subresources.resized(kind, live, wanted), how)

    def scale(self, kind: Kind, namespace: str, name: str, scale: Object, how: Writing) -> Object:
        """Another size for a workload; the size then."""
        live = self._live(kind, name, namespace)
        return subresources.scale_of(self._tracked(kind, live, subresources.scaled(live, scale), how))

    def delete(self, kind: Kind, namespace: str, name: str, options: Object, how: Writing) -> Object:
        """DELETE: the object as it was last, or a Status. Raises StatusError 404, 409 where a precondition fails."""
        live = self._live(kind, name, namespace)
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted and wanted != live["metadata"]["uid"]:
            raise _wrong_uid(kind, name, wanted, live)
        version = (options.get("preconditions") or {}).get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(kind, name, f"the ResourceVersion in the precondition ({version}) does not match the record")
        if kind is _NAMESPACE and name in _PROTECTED:
            raise forbidden(kind, name, "this namespace may not be deleted")
        self._admit_writer(kind, None, live, how)
        policy = options.get("propagationPolicy", "Background")
        if kind is _NAMESPACE or live["metadata"].get("finalizers"):
            return self._mark(kind, live, how)
        if not how.dry_run:
            self._store.remove(kind, name, namespace)
            garbage.collect(self._store, live, orphan=policy == "Orphan")
            self._settle(namespace)
        if policy in garbage.FINALIZERS:
            return garbage.marked(live, policy, timestamp())
        if kind.returns_deleted:
            return live
        info = statuses.details(kind, name) | {"uid": live["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": info}

    def set_status(self, kind: Kind, namespace: str, name: str, status: Object) -> Object:
        """Replace an object's status, as a controller or a kubelet does."""
        live = self._live(kind, name, namespace)
        changed = self._store.put(kind, live | {"status": status})
        self._settle(namespace)
        return changed

    def _insert(self, kind: Kind, namespace: str, found: Object, how: Writing) -> Object:
        metadata = found["metadata"]
        self._admit_namespace(kind, namespace, metadata.get("name", ""))
        if kind.namespaced:
            metadata["namespace"] = namespace
        self.mutations.apply(kind, found)
        if kind.kind == "Pod":
            references.admit(self._store, found)
            limits.fill_in(self._store, found)
        prevent_escalation(self._store, how.user, kind, found)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        if kind.has_generation:
            metadata["generation"] = 1
        status = initial_status(kind, found)
        if status is not None:
            found["status"] = status
        validate(kind, found)
        self._admit_writer(kind, found, None, how)
        self._admit(kind, found, None, how)
        self._require_free(kind, metadata["name"], namespace)
        ordered = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata} | found
        if how.dry_run:
            return ordered
        stored = self._store.put(kind, ordered)
        if kind is _NAMESPACE:
            self._furnish(metadata["name"])
        self._settle(namespace)
        return stored

    def _tracked(self, kind: Kind, live: Object, found: Object, how: Writing) -> Object:
        if how.subresource == "status":
            found = copy(live) | {"status": found.get("status", {})}
        normalised(kind, found)
        if how.subresource != "status":
            server_side.track_update(kind, live, found, how.manager, timestamp())
        return self._replace(kind, live, found, how)

    def _replace(self, kind: Kind, live: Object, found: Object, how: Writing) -> Object:
        """Store `found` over `live`, unless nothing differs."""
        metadata, before = found["metadata"], live["metadata"]
        name, namespace = before["name"], before.get("namespace", "")
        if metadata.get("resourceVersion") not in (None, "", "0", before["resourceVersion"]):
            raise conflict(kind, name)
        self._keep(kind, live, found, how)
        if not how.subresource:
            self.mutations.apply(kind, found)
        self._admit_writer(kind, found, live, how)
        if found == live:
            return live
        prevent_escalation(self._store, how.user, kind, found)
        validate(kind, found, live, how.subresource)
        self._admit(kind, found, live, how)
        if kind.has_generation and found.get("spec") != live.get("spec"):
            metadata["generation"] = before.get("generation", 1) + 1
        if how.dry_run:
            return found
        stored = self._store.put(kind, found)
        if _is_finished(found):
            self._store.remove(kind, name, namespace)
            garbage.collect(self._store, stored)
        self._settle(namespace)
        return stored

    def _keep(self, kind: Kind, live: Object, found: Object, how: Writing) -> None:
        """Put back what a writer cannot change."""
        metadata, before = found["metadata"], live["metadata"]
        for key in _KEPT:
            metadata.pop(key, None)
            if key in before:
                metadata[key] = before[key]
        metadata["resourceVersion"] = before["resourceVersion"]
        metadata.setdefault("uid", before["uid"])
        if how.subresource != "status" and "status" in live:
            found["status"] = live["status"]
        if kind is _NAMESPACE:
            found["spec"] = live["spec"]

    def _mark(self, kind: Kind, live: Object, how: Writing) -> Object:
        """Mark an object for deletion; it is deleted once no finalizer blocks it."""
        if "deletionTimestamp" in live["metadata"]:
            return live
        found: Object = copy(live)
        found["metadata"]["deletionTimestamp"] = timestamp()
        if kind is _NAMESPACE:
            found["status"]["phase"] = "Terminating"
        if how.dry_run:
            return found
        stored = self._store.put(kind, found)
        if kind is _NAMESPACE:
            self._terminate(found["metadata"]["name"])
        return stored

    def _live(self, kind: Kind, name: str, namespace: str) -> Object:
        live = self._store.get(kind, name, namespace)
        if live is None:
            raise not_found(kind, name)
        return live

    def _admit_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        home = self._store.get(_NAMESPACE, namespace)
        if home is None:
            raise not_found(_NAMESPACE, namespace)
        if home["status"]["phase"] == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("metadata.namespace", f"namespace {namespace} is being terminated", "NamespaceTerminating")
            raise forbidden(kind, name, why, [cause])

    def _admit_writer(self, kind: Kind, found: Object | None, live: Object | None, how: Writing) -> None:
        metadata = (found or live or {})["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        write = fence.Write(kind, name, namespace, found, live, how.subresource, how.dry_run)
        fence.admit(self._store, how.user.name, write)
        if found is not None and not how.subresource:
            self.denials.admit(kind, found, self._store.get(_NAMESPACE, namespace) if namespace else None)

    def _admit(self, kind: Kind, found: Object, live: Object | None, how: Writing) -> None:
        """Ask what guards an object's content, new or changed from `live`."""
        how.warnings.extend(advice.about(kind, found))
        if live is not None and kind is _NAMESPACE:
            pods = self._store.objects(BY_NAME["Pod"], found["metadata"]["name"])
            how.warnings.extend(pod_security.warnings_about_pods(live, found, pods))
        if not kind.namespaced:
            return
        home = self._store.get(_NAMESPACE, found["metadata"]["namespace"])
        if live is None or (not how.subresource and found.get("spec") != live.get("spec")):
            pod_security.admit(kind, found, home)
            if said := pod_security.warning(kind, found, home):
                how.warnings.append(said)
        if live is None:
            limits.admit(self._store, kind, found)
        quota.admit(self._store, kind, found, live)

    def _require_free(self, kind: Kind, name: str, namespace: str) -> None:
        taken = self._store.get(kind, name, namespace)
        if taken is not None:
            raise statuses.already_exists(kind, name, being_deleted="deletionTimestamp" in taken["metadata"])

    def _furnish(self, namespace: str) -> None:
        """Create the objects that controllers put into every new namespace."""
        how = controller()
        account: Object = {"metadata": {"name": "default"}}
        root_ca: Object = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}
        self.create(_SERVICE_ACCOUNT, namespace, account, how)
        self.create(_CONFIG_MAP, namespace, root_ca, how)

    def _settle(self, namespace: str) -> None:
        if namespace:
            quota.refresh(self._store, namespace)


def _is_finished(found: Object) -> bool:
    metadata = found["metadata"]
    held = metadata.get("finalizers") or (found.get("spec") or {}).get("finalizers")
    return "deletionTimestamp" in metadata and not held


def _wrong_uid(kind: Kind, name: str, uid: str, live: Object) -> statuses.StatusError:
    """Namespaces check this themselves, the others leave it to the registry, which has other words."""
    actual = live["metadata"]["uid"]
    if kind is _NAMESPACE:
        return conflict(kind, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}")
    why = (
        f"the UID in the precondition ({uid}) does not match the UID in record ({actual}). "
        "The object might have been deleted and then recreated"
    )
    return conflict(Kind(kind.kind, kind.kind, kind.group), name, why)


def _checked_metadata(kind: Kind, found: Object, namespace: str, name: str = "") -> dict[str, Any]:
    """The object's metadata, after the checks that come before everything. Raises StatusError 400."""
    said = found.get("kind", kind.kind), found.get("apiVersion", kind.api_version)
    if said != (kind.kind, kind.api_version):
        raise bad_request(
            f'{said[0]} in version "{said[1]}" cannot be handled as a {kind.kind}: no kind "{said[0]}" is registered'
        )
    metadata: dict[str, Any] = found.setdefault("metadata", {})
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name and metadata.setdefault("name", name) != name:
        said_name = metadata["name"]
        raise bad_request(f"the name of the object ({said_name}) does not match the name on the URL ({name})")
    found |= {"apiVersion": kind.api_version, "kind": kind.kind}
    return metadata


def _check_applied(kind: Kind, wanted: Object, namespace: str, name: str, manager: str) -> None:
    if not manager:
        cause = Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
        raise statuses.invalid_options("meta.k8s.io", "PatchOptions", [cause])
    if (wanted.get("apiVersion"), wanted.get("kind")) != (kind.api_version, kind.kind):
        version = wanted.get("apiVersion", "")
        raise bad_request(f"invalid object type: /{version}, Kind={wanted.get('kind', '')}")
    metadata = _checked_metadata(kind, wanted, namespace, name)
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if kind.namespaced:
        metadata["namespace"] = namespace
    decoding.require_fitting(kind, wanted)
    wanted.pop("status", None)
    drop_nulls(wanted)
