"""Limit ranges: what they may say, and what they refuse."""

from tests.contract.parity.points import Manifest, container, limits, made, pod, point, read, tried
from tests.contract.parity.quotas import claim


def _with(**item) -> Manifest:
    return limits({"type": "Container"} | item)


#: what it is, code, and the LimitRange
_LIMITS = (
    ("a minimum above the maximum", 422, _with(min={"cpu": "2"}, max={"cpu": "1"})),
    ("a default above the maximum", 422, _with(default={"cpu": "2"}, max={"cpu": "1"})),
    ("a default below the minimum", 422, _with(default={"cpu": "1"}, min={"cpu": "2"})),
    ("a request above the maximum", 422, _with(defaultRequest={"cpu": "2"}, max={"cpu": "1"})),
    ("a request above the default", 422, _with(defaultRequest={"cpu": "2"}, default={"cpu": "1"})),
    ("a request below the minimum", 422, _with(defaultRequest={"cpu": "1"}, min={"cpu": "2"})),
    ("a ratio below one", 422, _with(maxLimitRequestRatio={"cpu": "500m"})),
    ("a ratio", 201, _with(maxLimitRequestRatio={"cpu": "4"})),
    (
        "a ratio that the bounds exceed",
        422,
        _with(min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "4"}),
    ),
    ("a ratio within bounds", 201, _with(min={"cpu": "1"}, max={"cpu": "8"}, maxLimitRequestRatio={"cpu": "4"})),
    ("a negative amount", 201, _with(default={"cpu": "-1"})),
    ("a resource that there is none of", 422, _with(default={"gpu": "1"})),
    ("a device that is shared", 422, _with(default={"nvidia.com/gpu": "2"}, defaultRequest={"nvidia.com/gpu": "1"})),
    ("a pod's bounds", 201, limits({"type": "Pod", "max": {"cpu": "2"}})),
    ("a pod's default", 422, limits({"type": "Pod", "default": {"cpu": "2"}})),
    ("a pod's default request", 422, limits({"type": "Pod", "defaultRequest": {"cpu": "2"}})),
    ("a pod's storage", 422, limits({"type": "Pod", "max": {"storage": "2Gi"}})),
    ("a claim's bounds", 201, limits({"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}})),
    ("a claim without bounds", 422, limits({"type": "PersistentVolumeClaim"})),
    ("a claim's cpu", 422, limits({"type": "PersistentVolumeClaim", "max": {"cpu": "2"}})),
    ("a type that there is none of", 422, limits({"type": "Node", "max": {"cpu": "2"}})),
    ("a type of a vendor", 201, limits({"type": "example.com/thing", "max": {"cpu": "2"}})),
    ("no type", 422, limits({"max": {"cpu": "2"}})),
    ("a type twice", 422, limits({"type": "Pod", "max": {"cpu": "2"}}, {"type": "Pod", "max": {"cpu": "2"}})),
    ("no limits", 201, limits()),
)

_LIMITED = limits(
    {
        "type": "Container",
        "max": {"memory": "1Gi"},
        "min": {"memory": "32Mi"},
        "default": {"cpu": "200m", "memory": "64Mi"},
        "maxLimitRequestRatio": {"cpu": "2"},
    },
    {"type": "Pod", "max": {"memory": "2Gi"}},
    {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}, "min": {"storage": "1Gi"}},
)


def _memory(name: str, amount: str, **more) -> Manifest:
    return container(name, limits={"memory": amount}, **more)


#: what it is, code, and what meets _LIMITED
_BOUNDED = (
    ("a pod that says nothing", 201, pod()),
    ("a container that is too large", 403, pod(_memory("main", "1025Mi"))),
    ("a container that is too small", 403, pod(_memory("main", "31Mi"))),
    ("containers that are too large together", 403, pod(*(_memory(name, "800Mi") for name in "abc"))),
    (
        "a sidecar that is too large together",
        403,
        pod(
            _memory("a", "1Gi"), _memory("b", "1000Mi"), initContainers=[_memory("c", "100Mi", restartPolicy="Always")]
        ),
    ),
    (
        "an init container that is not too large together",
        201,
        pod(_memory("a", "1Gi"), _memory("b", "1000Mi"), initContainers=[_memory("c", "100Mi")]),
    ),
    ("a limit too far above its request", 403, pod(container(requests={"cpu": "100m"}, limits={"cpu": "300m"}))),
    ("a limit a little above its request", 201, pod(container(requests={"cpu": "100m"}, limits={"cpu": "200m"}))),
    (
        "a pod that is too large for all containers",
        403,
        pod(resources={"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}}),
    ),
    ("a claim that fits", 201, claim("a", "1Gi")),
    ("a claim that is too large", 403, claim("a", "3Gi")),
    ("a claim that is too small", 403, claim("a", "1Mi")),
)

_BOUNDED_FIELDS = "spec.containers[].resources metadata.annotations"

POINTS = (
    *(point(f"limits of {name}", code, tried(found), fields="spec") for name, code, found in _LIMITS),
    *(
        point(f"limits meet {name}", code, made(_LIMITED), read(_LIMITED), tried(found), fields=_BOUNDED_FIELDS)
        for name, code, found in _BOUNDED
    ),
)
