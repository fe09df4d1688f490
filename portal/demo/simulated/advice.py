"""What the API server takes and warns of, as tables: the kind, the place, and what is said of it.

Source: the GetWarningsFor… functions of the API server's groups.
"""

from collections.abc import Callable, Iterable, Iterator

from portal.demo.simulated.checks import Place, places
from portal.demo.simulated.kinds import Kind, Object

#: Resources that are going out of use; said with every request.
DEPRECATED = {("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}

_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "seccomp.security.alpha.kubernetes.io/pod": 'non-functional in v1.27+; use the "seccompProfile" field instead',
}
_OLD_LABELS = {
    "beta.kubernetes.io/arch": ("v1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("v1.14", "kubernetes.io/os"),
    "beta.kubernetes.io/instance-type": ("v1.17", "node.kubernetes.io/instance-type"),
    "failure-domain.beta.kubernetes.io/region": ("v1.17", "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": ("v1.17", "topology.kubernetes.io/zone"),
}
_INGRESS_CLASS = "kubernetes.io/ingress.class"

type Words = Iterable[str]


def _annotations(place: Place) -> Words:
    return [f"{place.field}[{key}]: {why}" for key, why in _OLD_ANNOTATIONS.items() if key in (place.value or {})]


def _node_labels(place: Place) -> Words:
    return [
        f'{place.field}[{key}]: deprecated since {since}; use "{new}" instead'
        for key, (since, new) in _OLD_LABELS.items()
        if key in (place.value or {})
    ]


def _hidden_variables(place: Place) -> Iterator[str]:
    seen: set[str] = set()
    for index, each in enumerate(place.value or ()):
        name = each.get("name", "")
        if name in seen:
            yield (
                f'{place.field}[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen.add(name)


def _ingress_class(place: Place) -> Iterator[str]:
    if _INGRESS_CLASS in (place.value or {}):
        yield f"annotation \"{_INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"


type Rows = tuple[tuple[str, Callable[[Place], Words]], ...]


def _pod(spec: str, metadata: str) -> Rows:
    return (
        (f"{metadata}.annotations", _annotations),
        (f"{spec}.nodeSelector", _node_labels),
        (f"{spec}.initContainers[].env", _hidden_variables),
        (f"{spec}.containers[].env", _hidden_variables),
    )


_TEMPLATE = _pod("spec.template.spec", "spec.template.metadata")
_ROWS: dict[str, Rows] = {
    "Pod": _pod("spec", "metadata"),
    **dict.fromkeys(("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"), _TEMPLATE),
    "CronJob": _pod("spec.jobTemplate.spec.template.spec", "spec.jobTemplate.spec.template.metadata"),
    "Ingress": (("metadata.annotations", _ingress_class),),
}


def about(kind: Kind, found: Object) -> Iterator[str]:
    """What there is to warn of in an object that is taken."""
    for path, said in _ROWS.get(kind.kind, ()):
        for place in places(found, path):
            yield from said(place)
