"""LimitRanges: defaults for containers without limits, and rejection of values that are too high or too low.

Source: https://kubernetes.io/docs/concepts/policy/limit-range/ and the API server's limitranger admission.
"""

from collections.abc import Iterator

from portal.demo.simulated import quantity
from portal.demo.simulated.defaults import containers
from portal.demo.simulated.kinds import BY_NAME, Kind, Object
from portal.demo.simulated.statuses import forbidden
from portal.demo.simulated.store import Store

_LIMIT_RANGE = BY_NAME["LimitRange"]
_ANNOTATION = "kubernetes.io/limit-ranger"


def fill_in(store: Store, pod: Object) -> None:
    """Give a new pod's containers the requests and limits that its namespace's LimitRanges say."""
    notes: list[str] = []
    for item in _items(store, pod, "Container"):
        for container in containers(pod):
            for section, key in (("requests", "defaultRequest"), ("limits", "default")):
                notes += _fill(container, section, item.get(key, {}))
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[_ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(container: Object, section: str, defaults: dict[str, str]) -> list[str]:
    amounts = container["resources"].get(section, {})
    missing = {name: amount for name, amount in sorted(defaults.items()) if name not in amounts}
    if not missing:
        return []
    container["resources"][section] = amounts | missing
    return [f"{', '.join(missing)} {section.removesuffix('s')} for container {container['name']}"]


def admit(store: Store, kind: Kind, found: Object) -> None:
    """Raise StatusError 403 where a new pod or volume claim is outside a LimitRange of its namespace."""
    problems: list[str] = []
    if kind.kind == "Pod":
        for item in _items(store, found, "Container"):
            for container in containers(found):
                problems += _outside(item, "Container", container["resources"])
    elif kind.kind == "PersistentVolumeClaim":
        for item in _items(store, found, "PersistentVolumeClaim"):
            problems += _outside(item, "PersistentVolumeClaim", found["spec"]["resources"])
    if problems:
        listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise forbidden(kind, found["metadata"]["name"], listed)


def _outside(item: Object, what: str, resources: Object) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name, least in sorted(item.get("min", {}).items()):
        if name not in requests:
            yield f"minimum {name} usage per {what} is {least}. No request is specified"
        elif quantity.parse(requests[name]).value < quantity.parse(least).value:
            yield f"minimum {name} usage per {what} is {least}, but request is {requests[name]}"
    word, amounts = ("limit", limits) if what == "Container" else ("request", requests)
    for name, most in sorted(item.get("max", {}).items()):
        if name not in amounts:
            yield f"maximum {name} usage per {what} is {most}. No {word} is specified"
        elif quantity.parse(amounts[name]).value > quantity.parse(most).value:
            yield f"maximum {name} usage per {what} is {most}, but {word} is {amounts[name]}"


def _items(store: Store, found: Object, type_: str) -> Iterator[Object]:
    for limit_range in store.objects(_LIMIT_RANGE, found["metadata"]["namespace"]):
        yield from (item for item in limit_range["spec"]["limits"] if item.get("type") == type_)
