"""LimitRanges: defaults for containers without limits, and rejection of values that are too high or too low.

Source: https://kubernetes.io/docs/concepts/policy/limit-range/ and the API server's limitranger admission.
"""

from collections.abc import Iterator

from portal.demo.simulated import quantity, resources
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
        for word, part in (("container", "containers"), ("init container", "initContainers")):
            for container in pod["spec"].get(part) or ():
                for section, key in (("requests", "defaultRequest"), ("limits", "default")):
                    notes += _fill(word, container, section, item.get(key, {}))
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[_ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(word: str, container: Object, section: str, defaults: dict[str, str]) -> list[str]:
    amounts = container["resources"].get(section, {})
    missing = {name: amount for name, amount in sorted(defaults.items()) if name not in amounts}
    if not missing:
        return []
    container["resources"][section] = amounts | missing
    return [f"{', '.join(missing)} {section.removesuffix('s')} for {word} {container['name']}"]


def admit(store: Store, kind: Kind, found: Object) -> None:
    """Raise StatusError 403 where a new pod or volume claim is outside a LimitRange of its namespace."""
    problems: list[str] = []
    for type_, size in _sizes(kind, found):
        for item in _items(store, found, type_):
            problems += _outside(item, type_, size)
    if problems:
        listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise forbidden(kind, found["metadata"]["name"], listed)


def _sizes(kind: Kind, found: Object) -> Iterator[tuple[str, Object]]:
    """What is measured of an object: by which type of limits, and its requests and limits."""
    if kind.kind == "Pod":
        for container in containers(found):
            yield "Container", container["resources"]
        yield "Pod", resources.of_pod(found)
    elif kind.kind == "PersistentVolumeClaim":
        yield "PersistentVolumeClaim", found["spec"]["resources"]


def _outside(item: Object, what: str, found: Object) -> Iterator[str]:
    requests, limits = found.get("requests", {}), found.get("limits", {})
    for name, least in sorted(item.get("min", {}).items()):
        if name not in requests:
            yield f"minimum {name} usage per {what} is {least}. No request is specified"
        elif quantity.amount(requests[name]) < quantity.amount(least):
            yield f"minimum {name} usage per {what} is {least}, but request is {requests[name]}"
    word, amounts = ("request", requests) if what == "PersistentVolumeClaim" else ("limit", limits)
    for name, most in sorted(item.get("max", {}).items()):
        if name not in amounts:
            yield f"maximum {name} usage per {what} is {most}. No {word} is specified"
        elif quantity.amount(amounts[name]) > quantity.amount(most):
            yield f"maximum {name} usage per {what} is {most}, but {word} is {amounts[name]}"
    for name, ratio in sorted(item.get("maxLimitRequestRatio", {}).items()):
        request, limit = (quantity.amount(part.get(name, "0")) for part in (requests, limits))
        if not request or not limit:
            yield f"{_of_ratio(name, what, ratio)} no request is specified or request is 0"
        elif limit / request > quantity.amount(ratio):
            yield f"{_of_ratio(name, what, ratio)} provided ratio is {limit / request:f}"


def _of_ratio(name: str, what: str, ratio: str) -> str:
    return f"{name} max limit to request ratio per {what} is {ratio}, but"


def _items(store: Store, found: Object, type_: str) -> Iterator[Object]:
    for limit_range in store.objects(_LIMIT_RANGE, found["metadata"]["namespace"]):
        yield from (item for item in limit_range["spec"]["limits"] or () if item.get("type") == type_)
