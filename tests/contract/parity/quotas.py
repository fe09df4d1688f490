"""Quotas: what they may say, what they count, and what they refuse."""

from tests.contract.parity.points import (
    Manifest,
    Point,
    an,
    container,
    made,
    merged,
    pod,
    point,
    quota,
    read,
    strategic,
    tried,
)

#: keys of a quota, and the code that each gets
_KEYS = {
    "pods": 201,
    "requests.cpu": 201,
    "limits.cpu": 201,
    "count/widgets.example.com": 201,
    "nvidia.com/gpu": 201,
    "requests.nvidia.com/gpu": 201,
    "hugepages-2Mi": 201,
    "requests.pods": 422,
    "limits.pods": 422,
    "gpu": 422,
    "CPU": 422,
    "storage": 422,
    "limits.storage": 422,
    "limits.hugepages-2Mi": 422,
    "Example.com/gpu": 422,
    "count/": 422,
    "/gpu": 422,
    "a/b/c": 422,
    "requests.example.com/-gpu": 422,
    "services.clusterips": 422,
}
_SELECTED = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}


def _scoped(**term) -> Manifest:
    return quota({"pods": "1"}, scopeSelector={"matchExpressions": [term]})


#: what it is, code, and the quota
_TRIED = (
    ("a negative amount", 422, quota({"pods": "-1"})),
    ("half a pod", 422, quota({"pods": "1.5"})),
    ("half a cpu", 201, quota({"requests.cpu": "1.5"})),
    ("nothing", 201, quota({})),
    ("best effort", 201, quota({"pods": "1"}, scopes=["BestEffort"])),
    ("best effort with cpu", 422, quota({"requests.cpu": "1"}, scopes=["BestEffort"])),
    ("best effort and not", 422, quota({"pods": "1"}, scopes=["BestEffort", "NotBestEffort"])),
    ("terminating and not", 422, quota({"pods": "1"}, scopes=["Terminating", "NotTerminating"])),
    ("terminating with services", 422, quota({"services": "1"}, scopes=["Terminating"])),
    ("a scope that there is none of", 422, quota({"pods": "1"}, scopes=["Sometimes"])),
    ("a scope twice", 201, quota({"pods": "1"}, scopes=["BestEffort", "BestEffort"])),
    ("a priority class", 201, quota({"pods": "1"}, scopeSelector=_SELECTED)),
    ("a priority class of services", 422, quota({"services": "1"}, scopeSelector=_SELECTED)),
    ("a term without values", 422, _scoped(scopeName="PriorityClass", operator="In")),
    ("a term with values too many", 422, _scoped(scopeName="PriorityClass", operator="Exists", values=["a"])),
    ("a term with another operator", 422, _scoped(scopeName="PriorityClass", operator="Like", values=["a"])),
    ("a term of another scope", 422, _scoped(scopeName="Sometimes", operator="Exists")),
    ("a term of best effort with In", 422, _scoped(scopeName="BestEffort", operator="In", values=["a"])),
)

_SMALL, _LARGE = {"cpu": "100m", "memory": "64Mi"}, {"cpu": "1", "memory": "1Gi"}
_SIDECAR = container("side", {"cpu": "50m"}, restartPolicy="Always")
_HARD = {"requests.cpu": "10", "limits.cpu": "10", "requests.memory": "10Gi", "limits.memory": "10Gi", "pods": "9"}
_SERVICE = {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}


def claim(name: str, size: str, **spec) -> Manifest:
    """A claim of a volume."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    return an("PersistentVolumeClaim", name, spec=spec)


def _gpu(count: str) -> Manifest:
    return container("main", None, {"nvidia.com/gpu": count})


#: what it is, the quota's amounts, the objects that are counted, and more of the quota's spec
_COUNTED: tuple[tuple[str, Manifest, tuple[Manifest, ...], Manifest], ...] = (
    ("two containers", _HARD, (pod(container("a", _SMALL, _LARGE), container("b", _SMALL)),), {}),
    (
        "an init container that asks for more",
        _HARD,
        (pod(container(requests=_SMALL), initContainers=[container("init", _LARGE)]),),
        {},
    ),
    (
        "an init container that asks for less",
        _HARD,
        (pod(container(requests=_LARGE), initContainers=[container("init", _SMALL)]),),
        {},
    ),
    ("a sidecar", _HARD, (pod(container(requests=_SMALL), initContainers=[_SIDECAR]),), {}),
    (
        "a sidecar before an init container",
        _HARD,
        (pod(container(requests=_SMALL), initContainers=[_SIDECAR, container("init", _LARGE)]),),
        {},
    ),
    (
        "a sidecar behind an init container",
        _HARD,
        (pod(container(requests=_SMALL), initContainers=[container("init", _LARGE), _SIDECAR]),),
        {},
    ),
    (
        "two sidecars around an init container",
        _HARD,
        (
            pod(
                container(requests=_SMALL),
                initContainers=[_SIDECAR, container("init", {"cpu": "120m"}), {**_SIDECAR, "name": "late"}],
            ),
        ),
        {},
    ),
    (
        "resources of the pod",
        _HARD,
        (pod(container(requests=_SMALL), resources={"requests": _LARGE, "limits": _LARGE}),),
        {},
    ),
    ("limits of the pod alone", _HARD, (pod(resources={"limits": _LARGE}),), {}),
    (
        "cpu of the pod, memory of its containers",
        _HARD,
        (pod(container(requests=_SMALL), resources={"requests": {"cpu": "2"}}),),
        {},
    ),
    (
        "resources of the pod beside a sidecar",
        _HARD,
        (pod(container(requests=_SMALL), initContainers=[_SIDECAR], resources={"requests": {"cpu": "2"}}),),
        {},
    ),
    ("devices", {"requests.nvidia.com/gpu": "4"}, (pod(_gpu("2")),), {}),
    (
        "huge pages",
        {"requests.hugepages-2Mi": "1Gi", "hugepages-2Mi": "1Gi"},
        (pod(container(requests=_SMALL, limits={"hugepages-2Mi": "4Mi", **_SMALL})),),
        {},
    ),
    (
        "ephemeral storage",
        {"requests.ephemeral-storage": "9Gi", "ephemeral-storage": "9Gi", "limits.ephemeral-storage": "9Gi"},
        (pod(container(limits={"ephemeral-storage": "1Gi"})),),
        {},
    ),
    (
        "best effort pods",
        {"pods": "5"},
        (pod(), pod(container(requests=_SMALL), name="other")),
        {"scopes": ["BestEffort"]},
    ),
    (
        "pods that are not best effort",
        {"pods": "5", "requests.cpu": "5"},
        (pod(), pod(container(requests=_SMALL), name="other")),
        {"scopes": ["NotBestEffort"]},
    ),
    (
        "pods with a deadline",
        {"pods": "5"},
        (pod(), pod(name="other", activeDeadlineSeconds=60)),
        {"scopes": ["Terminating"]},
    ),
    (
        "pods without a deadline",
        {"pods": "5"},
        (pod(), pod(name="other", activeDeadlineSeconds=60)),
        {"scopes": ["NotTerminating"]},
    ),
    ("pods with affinity to other namespaces", {"pods": "5"}, (pod(),), {"scopes": ["CrossNamespacePodAffinity"]}),
    (
        "a service with ports on nodes",
        {"services.nodeports": "9", "services": "9", "services.loadbalancers": "9"},
        (an("Service", "s", spec={**_SERVICE, "type": "NodePort"}),),
        {},
    ),
    (
        "a load balancer",
        {"services.nodeports": "9", "services": "9", "services.loadbalancers": "9"},
        (an("Service", "s", spec={**_SERVICE, "type": "LoadBalancer"}),),
        {},
    ),
    (
        "a load balancer without ports on nodes",
        {"services.nodeports": "9", "services.loadbalancers": "9"},
        (an("Service", "s", spec={**_SERVICE, "type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}),),
        {},
    ),
    (
        "claims",
        {"requests.storage": "9Gi", "persistentvolumeclaims": "9", "count/persistentvolumeclaims": "9"},
        (claim("a", "1Gi"), claim("b", "512Mi")),
        {},
    ),
    (
        "claims of a class",
        {
            "gold.storageclass.storage.k8s.io/requests.storage": "9Gi",
            "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "9",
        },
        (claim("a", "1Gi", storageClassName="gold"), claim("b", "1Gi")),
        {},
    ),
    (
        "keys that nobody counts",
        {
            "pods": "1",
            "nvidia.com/gpu": "1",
            "limits.nvidia.com/gpu": "1",
            "count/widgets.example.com": "1",
            "count/events": "1",
            "pods/x": "1",
            "count/deployments": "1",
        },
        (),
        {},
    ),
    (
        "what runs several of a pod",
        {"count/deployments.apps": "9", "count/daemonsets.apps": "9", "count/cronjobs.batch": "9"},
        (
            an(
                "CronJob",
                "c",
                "batch/v1",
                spec={
                    "schedule": "@daily",
                    "suspend": True,
                    "jobTemplate": {"spec": {"template": {"spec": pod()["spec"] | {"restartPolicy": "Never"}}}},
                },
            ),
        ),
        {},
    ),
    (
        "claims of devices",
        {"count/resourceclaims.resource.k8s.io": "9", "gpu.deviceclass.resource.k8s.io/devices": "9"},
        (
            an(
                "ResourceClaim",
                "r",
                "resource.k8s.io/v1",
                spec={
                    "devices": {
                        "requests": [
                            {
                                "name": "g",
                                "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2},
                            }
                        ]
                    }
                },
            ),
        ),
        {},
    ),
    (
        "roles, accounts and addresses",
        {
            "count/roles.rbac.authorization.k8s.io": "9",
            "count/leases.coordination.k8s.io": "9",
            "replicationcontrollers": "9",
        },
        (
            an("Role", "r", "rbac.authorization.k8s.io/v1", rules=[]),
            an("Lease", "l", "coordination.k8s.io/v1", spec={}),
        ),
        {},
    ),
)


def _counted(name: str, hard: Manifest, objects: tuple[Manifest, ...], more: Manifest) -> Point:
    found = quota(hard, **more)
    wanted = read(found, until="status.used")
    return point(
        f"a quota counts {name}", 200, *map(made, objects), made(found), wanted, fields="status.used status.hard"
    )


_TIGHT = {"requests.cpu": "500m", "limits.memory": "1Gi", "pods": "2", "services.nodeports": "1"}

#: what it is, code, and the pod or service that meets a quota of _TIGHT
_MET = (
    ("a pod that fits", 201, pod(container(requests=_SMALL, limits=_SMALL))),
    ("a pod that says nothing", 403, pod()),
    (
        "a pod whose sidecar says nothing",
        403,
        pod(container(requests=_SMALL, limits=_SMALL), initContainers=[container("side", restartPolicy="Always")]),
    ),
    (
        "a pod whose sidecar is too much",
        403,
        pod(
            container(limits={"cpu": "460m", "memory": "1Mi"}),
            initContainers=[container("side", limits={"cpu": "50m", "memory": "1Mi"}, restartPolicy="Always")],
        ),
    ),
    (
        "a pod whose init container is too much",
        403,
        pod(container(limits=_SMALL), initContainers=[container("init", limits=_LARGE)]),
    ),
    ("a pod that says it for all containers", 201, pod(resources={"requests": _SMALL, "limits": _SMALL})),
    ("a pod that says too much for all containers", 403, pod(resources={"requests": _LARGE, "limits": _LARGE})),
    ("a pod that says half of it for all containers", 201, pod(resources={"requests": {"cpu": "100m"}})),
    ("a service with too many ports on nodes", 403, an("Service", "s", spec={**_SERVICE, "type": "NodePort"})),
    ("a service without ports on nodes", 201, an("Service", "s", spec=_SERVICE)),
)


_RESIZED = {"spec": {"containers": [container(requests=_SMALL | {"cpu": "450m"}, limits=_SMALL | {"cpu": "450m"})]}}
_TOO_MUCH = {"spec": {"containers": [container(requests=_SMALL | {"cpu": "600m"}, limits=_SMALL | {"cpu": "600m"})]}}
_FITS = pod(container(requests=_SMALL, limits=_SMALL))
_ENFORCED = (made(quota(_TIGHT)), read(quota(_TIGHT), until="status.used"))

POINTS = (
    *(point(f"a quota of {key}", code, tried(quota({key: "5"}))) for key, code in _KEYS.items()),
    *(point(f"a quota of {name}", code, tried(found), fields="spec") for name, code, found in _TRIED),
    *(_counted(*row) for row in _COUNTED),
    *(point(f"a quota meets {name}", code, *_ENFORCED, tried(found)) for name, code, found in _MET),
    point(
        "a pod resized", 200, made(_FITS), strategic(_FITS, _RESIZED, "resize"), fields="spec.containers[].resources"
    ),
    point("a pod resized above a quota", 403, *_ENFORCED, made(_FITS), strategic(_FITS, _TOO_MUCH, "resize")),
    point("a pod resized the usual way", 422, made(_FITS), strategic(_FITS, _RESIZED)),
    point(
        "a pod resized, its image changed",
        200,
        made(_FITS),
        strategic(
            _FITS,
            {
                "spec": {
                    "containers": [
                        {"name": "main", "image": "other:1", "resources": _FITS["spec"]["containers"][0]["resources"]}
                    ]
                }
            },
            "resize",
        ),
        fields="spec.containers[].image",
    ),
    point(
        "a pod resized to another class",
        422,
        made(_FITS),
        strategic(
            _FITS, {"spec": {"containers": [container(requests=_SMALL | {"cpu": "50m"}, limits=_SMALL)]}}, "resize"
        ),
    ),
    point("a pod resized that is not there", 404, strategic(_FITS, _RESIZED, "resize")),
    point(
        "what a pod's size reads",
        200,
        made(_FITS),
        read(_FITS, "resize"),
        fields="kind metadata.name spec.containers[].resources",
    ),
    point(
        "a quota made smaller than its usage",
        200,
        made(_FITS),
        made(quota(_TIGHT)),
        read(quota(_TIGHT), until="status.used"),
        merged(quota({}), {"spec": {"hard": {"pods": "0"}}}),
        fields="spec.hard",
    ),
    point(
        "a service that takes a port of nodes too many",
        403,
        *_ENFORCED,
        made(an("Service", "s", spec=_SERVICE)),
        merged(an("Service", "s"), {"spec": {"type": "NodePort"}}),
    ),
    point(
        "a quota of another namespace",
        404,
        tried(an("ResourceQuota", "q", home="nowhere-to-be-found", spec={"hard": {"pods": "1"}})),
    ),
)
