"""The scopes of quotas: what they may say, and which pods are in them.

Source: validateResourceQuotaScopes in the API server's core validation, and podMatchesScopeFunc in its quota evaluator.
"""

from collections.abc import Callable, Iterator
from typing import Any

from portal.demo.simulated.checks import missing
from portal.demo.simulated.defaults import class_of
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.statuses import Cause, bad_value

_AMOUNTS = frozenset(
    {"cpu", "memory"} | {f"{part}.{name}" for part in ("requests", "limits") for name in ("cpu", "memory")}
)
_PODS = frozenset({"pods", "count/pods"})
#: What a quota of a scope can count; what is neither pods nor amounts is never in one.
_COUNTABLE = {
    "BestEffort": _PODS,
    "NotBestEffort": _PODS | _AMOUNTS,
    "Terminating": _PODS | _AMOUNTS,
    "NotTerminating": _PODS | _AMOUNTS,
    "PriorityClass": _PODS | _AMOUNTS,
    "CrossNamespacePodAffinity": _PODS | _AMOUNTS,
    "VolumeAttributesClass": frozenset({"requests.storage", "persistentvolumeclaims"}),
}
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_ONLY_EXISTS = frozenset({"BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"})


def causes(spec: Object) -> Iterator[Cause]:
    """What is wrong with the scopes of a quota's spec."""
    field = "spec.scopeSelector.matchExpressions"
    yield from _scopes("spec.scopes", spec.get("scopes") or (), spec.get("hard") or {})
    terms = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    names = [term.get("scopeName", "") for term in terms]
    for term in terms:
        yield from _term(field, term)
    yield from _fitting(field, [name for name in names if name in _COUNTABLE], spec.get("hard") or {})


def _scopes(field: str, names: Any, hard: Object) -> Iterator[Cause]:
    for name in names:
        if name not in _COUNTABLE:
            yield bad_value(field, name, "unsupported scope")
    yield from _fitting(field, [name for name in names if name in _COUNTABLE], hard)


def _fitting(field: str, names: list[str], hard: Object) -> Iterator[Cause]:
    for name in names:
        for key in hard:
            if key not in _COUNTABLE[name] and not key.startswith(("requests.hugepages-", "hugepages-")):
                yield bad_value(field, name, "unsupported scope applied to resource")
    for pair in _OPPOSITES:
        if set(pair) <= set(names):
            yield bad_value(field, names, "conflicting scopes")


def _term(field: str, term: Object) -> Iterator[Cause]:
    name, operator, values = (term.get(key) for key in ("scopeName", "operator", "values"))
    if name not in _COUNTABLE:
        yield bad_value(f"{field}.scopeName", name, "unsupported scope")
    if name in _ONLY_EXISTS and operator != "Exists":
        yield bad_value(f"{field}.operator", operator, "must be 'Exist' when scope is any of these")
        return
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield bad_value(f"{field}.operator", operator, "not a valid selector operator")
    elif operator in ("In", "NotIn") and not values:
        yield missing(f"{field}.values", "must be at least one value when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield bad_value(f"{field}.values", values, "must be no value when `operator` is 'Exist' or 'DoesNotExist'")


def are_met(spec: Object, is_pod: bool, found: Object) -> bool:
    """Whether an object is in the scopes of a quota's spec; only pods can be in one."""
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not terms or (is_pod and all(_matches(term, found) for term in terms))


def _matches(term: Object, pod: Object) -> bool:
    if term["scopeName"] != "PriorityClass":
        return _IS_IN.get(term["scopeName"], _never)(pod)
    name = pod["spec"].get("priorityClassName", "")
    match term["operator"]:
        case "In":
            return name in term["values"]
        case "NotIn":
            return name not in term["values"]
        case "Exists":
            return bool(name)
        case _:
            return not name


def _is_terminating(pod: Object) -> bool:
    return pod["spec"].get("activeDeadlineSeconds") is not None


def _reaches_other_namespaces(pod: Object) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    return any(
        term.get("namespaces") or term.get("namespaceSelector") is not None
        for kind in ("podAffinity", "podAntiAffinity")
        for term in _terms(affinity.get(kind) or {})
    )


def _terms(affinity: Object) -> Iterator[Object]:
    yield from affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    for weighed in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield weighed.get("podAffinityTerm") or {}


def _never(pod: Object) -> bool:
    return False


_IS_IN: dict[str, Callable[[Object], bool]] = {
    "BestEffort": lambda pod: class_of(pod) == "BestEffort",
    "NotBestEffort": lambda pod: class_of(pod) != "BestEffort",
    "Terminating": _is_terminating,
    "NotTerminating": lambda pod: not _is_terminating(pod),
    "CrossNamespacePodAffinity": _reaches_other_namespaces,
}
