"""What becomes of the objects that a deleted one owns: they go as well, unless they are to stay.

The garbage collector of a cluster does so a moment later.
Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from collections.abc import Iterator

from portal.demo.simulated.kinds import NAMESPACED, Kind, Object, copy
from portal.demo.simulated.store import Store

#: Ways to delete in which the API server lets the object stay for a moment, held by one of these.
FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def marked(found: Object, policy: str, now: str) -> Object:
    """A deleted object as it is shown while its finalizer holds it."""
    shown: Object = copy(found)
    shown["metadata"] |= {"deletionTimestamp": now, "deletionGracePeriodSeconds": 0, "finalizers": [FINALIZERS[policy]]}
    return shown


def collect(store: Store, owner: Object, *, orphan: bool = False) -> None:
    """Remove what a removed object owned, and what that owned; or only take the owner out of it."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"].get("namespace", "")
    for kind, found in list(_owned(store, uid, namespace)):
        metadata = found["metadata"]
        others = [each for each in metadata["ownerReferences"] if each["uid"] != uid]
        if orphan or others:
            kept = {key: value for key, value in metadata.items() if key != "ownerReferences"}
            store.put(kind, found | {"metadata": kept | ({"ownerReferences": others} if others else {})})
        elif not metadata.get("finalizers"):
            store.remove(kind, metadata["name"], namespace)
            collect(store, found)
        elif "deletionTimestamp" not in metadata:
            gone = {"deletionTimestamp": owner["metadata"].get("deletionTimestamp") or metadata["creationTimestamp"]}
            store.put(kind, found | {"metadata": metadata | gone})


def _owned(store: Store, uid: str, namespace: str) -> Iterator[tuple[Kind, Object]]:
    for kind in NAMESPACED if namespace else ():
        for found in store.objects(kind, namespace):
            if any(each.get("uid") == uid for each in found["metadata"].get("ownerReferences") or ()):
                yield kind, found
