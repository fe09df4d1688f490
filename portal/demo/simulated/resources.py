"""What a pod needs as a whole: its containers, sidecars and init containers added up, or what it says for all of them.

Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers,
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers and
component-helpers' resource.PodRequests and PodLimits.
"""

from portal.demo.simulated import quantity
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.quantity import Quantity

type Amounts = dict[str, Quantity]

#: What a pod can say for all of its containers.
_SHARED = ("cpu", "memory")


def of_pod(pod: Object) -> dict[str, dict[str, str]]:
    """A pod's requests and limits, overhead included."""
    found = {section: _total(pod["spec"], section) for section in ("requests", "limits")}
    return {section: {name: str(amount) for name, amount in totals.items()} for section, totals in found.items()}


def are_said_for_all(pod: Object) -> bool:
    """Whether a pod says its resources for all containers."""
    said = pod["spec"].get("resources") or {}
    return bool(said.get("requests") or said.get("limits"))


def _total(spec: Object, section: str) -> Amounts:
    """Sidecars run beside everything that comes after them; init containers run one after another, before the rest."""
    sidecars: Amounts = {}
    most: Amounts = {}
    for each in spec.get("initContainers") or ():
        own = _said(each, section)
        if each.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, own)
            most = _greater(most, sidecars)
        else:
            most = _greater(most, _sum(sidecars, own))
    running = sidecars
    for each in spec.get("containers") or ():
        running = _sum(running, _said(each, section))
    total = _greater(running, most)
    total |= {
        name: amount
        for name, amount in _said(spec, section).items()
        if name in _SHARED or name.startswith("hugepages-")
    }
    overhead = {name: quantity.parse(amount) for name, amount in (spec.get("overhead") or {}).items()}
    if section == "limits":  # where nothing is limited, overhead limits nothing
        overhead = {name: amount for name, amount in overhead.items() if name in total}
    return _sum(total, overhead)


def _said(part: Object, section: str) -> Amounts:
    amounts = (part.get("resources") or {}).get(section) or {}
    return {name: quantity.parse(amount) for name, amount in amounts.items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one | {name: one.get(name, Quantity()) + amount for name, amount in other.items()}


def _greater(one: Amounts, other: Amounts) -> Amounts:
    return one | {
        name: max(one.get(name, Quantity()), amount, key=lambda each: each.value) for name, amount in other.items()
    }
