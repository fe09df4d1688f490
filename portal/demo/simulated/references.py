"""What a pod refers to: its account and its classes must be there, and its classes say more of it.

Source: the admission plugins ServiceAccount, Priority and RuntimeClass.
"""

from portal.demo.simulated.kinds import BY_NAME, Object
from portal.demo.simulated.statuses import forbidden
from portal.demo.simulated.store import Store

_POD = BY_NAME["Pod"]
#: The field of a pod, the kind that it names, and what is said where there is none.
_REFERENCES = (
    (
        "serviceAccountName",
        "ServiceAccount",
        'error looking up service account {home}/{name}: serviceaccount "{name}" not found',
    ),
    ("priorityClassName", "PriorityClass", "no PriorityClass with name {name} was found"),
    ("runtimeClassName", "RuntimeClass", 'pod rejected: RuntimeClass "{name}" not found'),
)


def admit(store: Store, pod: Object) -> None:
    """Fill in what a pod's classes say. Raises StatusError 403 where one is missing."""
    found: dict[str, Object | None] = {}
    metadata, spec = pod["metadata"], pod["spec"]
    for field, kind, why in _REFERENCES:
        name = spec.get(field)
        if not name:
            continue
        home = metadata["namespace"] if BY_NAME[kind].namespaced else ""
        found[field] = store.get(BY_NAME[kind], name, home)
        if found[field] is None:
            raise forbidden(_POD, metadata.get("name", ""), why.format(name=name, home=home))
    if priority := found.get("priorityClassName"):
        spec["priority"] = priority["value"]
        spec["preemptionPolicy"] = priority.get("preemptionPolicy", "PreemptLowerPriority")
    overhead = ((found.get("runtimeClassName") or {}).get("overhead") or {}).get("podFixed")
    if spec.get("overhead") and spec["overhead"] != overhead:
        why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden(_POD, metadata.get("name", ""), why)
    if overhead:
        spec["overhead"] = overhead
