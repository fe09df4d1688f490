"""How a namespace ends: its content is deleted first, and objects with a finalizer block it until that is removed.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/ and the namespace controller.
"""

import heapq
import threading
import time
from collections import Counter

from portal.demo.simulated.kinds import BY_NAME, NAMESPACED, Object, copy
from portal.demo.simulated.store import Store

_NAMESPACE = BY_NAME["Namespace"]
#: type, (status, reason, message) where all is well
_CONDITIONS = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


class NamespaceController:
    """A thread that ends namespaces a moment after their deletion was requested."""

    def __init__(self, store: Store, lock: threading.RLock, delay: float) -> None:
        self._store, self._lock, self._delay = store, lock, delay
        self._due: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._running = False
        self._thread = threading.Thread(target=self._run, name="namespace-controller", daemon=True)

    def start(self) -> None:
        """Start, with the namespaces that were terminating when the cluster stopped."""
        self._running = True
        for namespace in self._store.objects(_NAMESPACE):
            if namespace["status"]["phase"] == "Terminating":
                self.enqueue(namespace["metadata"]["name"])
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._running = False
            self._changed.notify()
        self._thread.join()

    def enqueue(self, name: str) -> None:
        """Check a namespace after the delay."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + self._delay, name))
            self._changed.notify()

    def _run(self) -> None:
        while (name := self._next()) is not None:
            with self._lock:
                is_gone = self._finalize(name)
            if not is_gone:
                self.enqueue(name)

    def _next(self) -> str | None:
        """Wait for the next name that is due; None at the end."""
        with self._changed:
            while self._running:
                if self._due and self._due[0][0] <= time.monotonic():
                    return heapq.heappop(self._due)[1]
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
        return None

    def _finalize(self, name: str) -> bool:
        """Delete what can be deleted; return True once the namespace itself no longer exists."""
        namespace = self._store.get(_NAMESPACE, name)
        if namespace is None:
            return True
        remaining, finalizers = self._remove_content(name)
        if remaining:
            self._report(namespace, remaining, finalizers)
            return False
        if not namespace["metadata"].get("finalizers"):
            self._store.remove(_NAMESPACE, name)
            return True
        if namespace["spec"].get("finalizers"):
            self._store.put(_NAMESPACE, namespace | {"spec": {}})
        return False

    def _remove_content(self, namespace: str) -> tuple[Counter[str], Counter[str]]:
        """Return the remaining objects by resource, and the finalizers that block them."""
        remaining: Counter[str] = Counter()
        finalizers: Counter[str] = Counter()
        for kind in NAMESPACED:
            for found in self._store.objects(kind, namespace):
                metadata = found["metadata"]
                if not metadata.get("finalizers"):
                    self._store.remove(kind, metadata["name"], namespace)
                    continue
                remaining[f"{kind.plural}.{kind.group}"] += 1
                finalizers.update(metadata["finalizers"])
                if "deletionTimestamp" not in metadata:
                    self._store.put(kind, found | {"metadata": metadata | {"deletionTimestamp": _now()}})
        return remaining, finalizers

    def _report(self, namespace: Object, remaining: Counter[str], finalizers: Counter[str]) -> None:
        content = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remaining.items()))
        holding = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
        conditions = [_condition(type_, "False", *said) for type_, said in _CONDITIONS.items()]
        conditions[3:] = [
            _condition(
                "NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {content}"
            ),
            _condition(
                "NamespaceFinalizersRemaining",
                "True",
                "SomeFinalizersRemain",
                f"Some content in the namespace has finalizers remaining: {holding}",
            ),
        ]
        before = {each["type"]: each for each in namespace["status"].get("conditions", [])}
        for condition in conditions:
            same = before.get(condition["type"])
            if same and same["status"] == condition["status"]:
                condition["lastTransitionTime"] = same["lastTransitionTime"]
        if list(before.values()) != conditions:
            changed = copy(namespace)
            changed["status"]["conditions"] = conditions
            self._store.put(_NAMESPACE, changed)


def _condition(type_: str, status: str, reason: str, message: str) -> Object:
    return {"type": type_, "status": status, "lastTransitionTime": _now(), "reason": reason, "message": message}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
