"""One change by hand in every tenth namespace: found by one pass, and only those are worked on."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from environments.kube import network_policies
from environments.kube.client import ClusterClient
from environments.lib.phases import Phase
from environments.models import Cluster, Environment
from environments.reconcile.engine import reconcile
from environments.routine import observe


def measure(row: Cluster, admin: ClusterClient) -> dict[str, Any]:
    """Time and API calls of a pass over what is in order, and of finding and repairing one in ten, in one process."""
    namespaces = list(Environment.objects.filter(cluster=row, phase=Phase.READY).values_list("namespace", flat=True))
    with _counted() as calls:
        start = time.monotonic()
        assert observe.observe(row.pk) == [], "something differs that nobody changed"
        quiet = {"s": round(time.monotonic() - start, 2), "API calls": calls.total()}
    for namespace in namespaces[::10]:
        admin.delete("NetworkPolicy", network_policies.DENY_ALL, namespace)
    with _counted() as calls:
        start = time.monotonic()
        drifted = observe.observe(row.pk)
        found, looking = time.monotonic() - start, calls.total()
        for environment_id in drifted:
            reconcile(environment_id)
        repaired = time.monotonic() - start
    missing = [name for name in namespaces[::10] if admin.get("NetworkPolicy", network_policies.DENY_ALL, name) is None]
    return {
        "environments": len(namespaces),
        "changed by hand": len(namespaces[::10]),
        "found": len(drifted),
        "not repaired": len(missing),
        "a pass with nothing changed": quiet,
        "found after s": round(found, 2),
        "repaired after s": round(repaired, 2),
        "API calls of the pass": looking,
        "API calls a repair": round((calls.total() - looking) / max(1, len(drifted)), 1),
    }


@contextmanager
def _counted() -> Iterator[Counter[str]]:
    """Counts the calls to the cluster of this process, by method."""
    calls: Counter[str] = Counter()
    original = ClusterClient._call

    def counting(self: ClusterClient, method: str, path: str, **options: Any) -> Any:
        calls[method] += 1
        return original(self, method, path, **options)

    ClusterClient._call = counting  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        ClusterClient._call = original  # type: ignore[method-assign]
