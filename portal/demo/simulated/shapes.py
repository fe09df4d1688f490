"""What simulated workloads look like: pods, services, claims and events as manifests. Pure.

Names and messages are those of the real controllers, scheduler and kubelet, so that pages show what people know.
"""

import random
import secrets
from dataclasses import dataclass

from portal.demo.simulated import quantity
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.quantity import Quantity

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of pod names


@dataclass(frozen=True)
class App:
    """One thing that a team runs, with its share of the quota for each replica."""

    name: str
    image: str
    share: int  # of the quota: one part in so many
    port: int = 0
    is_stateful: bool = False


APPS = (
    App("api", "registry.example.com/shop/api:1.14.2", 12, port=8080),
    App("web", "registry.example.com/shop/web:3.2.0", 16, port=80),
    App("worker", "registry.example.com/shop/worker:1.14.2", 10),
    App("postgres", "postgres:17.2", 8, port=5432, is_stateful=True),
    App("redis", "redis:7.4", 24, port=6379, is_stateful=True),
    App("scheduler", "registry.example.com/shop/scheduler:0.9.1", 20),
)
_NAMES = frozenset(app.name for app in APPS)


def pod_name(app: App, generation: int, index: int, rng: random.Random) -> str:
    """`api-7d9f8c6b5-x2k4q` as from a Deployment, `postgres-0` as from a StatefulSet."""
    if app.is_stateful:
        return f"{app.name}-{index}"
    template = random.Random(f"{app.name}{generation}")  # noqa: S311
    return f"{app.name}-{_letters(template, 10)}-{_letters(rng, 5)}"


#: What the level “restricted” of Pod Security wants of a container.
_SECURE: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(app: App, name: str, hard: dict[str, str]) -> Object:
    """A pod that asks for its share of the quota `hard`, and of everything that the quota covers."""
    container: Object = {"name": app.name, "image": app.image, "resources": _resources(app, hard)}
    container["securityContext"] = _SECURE
    if app.port:
        container["ports"] = [{"containerPort": app.port}]
    labels = {"app": app.name, "app.kubernetes.io/name": app.name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container]},
    }


def service(app: App) -> Object:
    """The Service in front of an app."""
    ports = [{"port": app.port, "targetPort": app.port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app.name, "labels": {"app": app.name}},
        "spec": {"selector": {"app": app.name}, "ports": ports},
    }


def config_map(app: App) -> Object:
    """An app's settings."""
    metadata = {"name": f"{app.name}-config", "labels": {"app": app.name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"LOG_LEVEL": "info"}}


def claim(app: App) -> Object:
    """The volume of a stateful app."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"data-{app.name}-0", "labels": {"app": app.name}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def is_simulated(found: Object) -> bool:
    """Whether a pod is one of a simulated team's, and not of a person who works in the namespace."""
    labels = found["metadata"].get("labels") or {}
    name = labels.get("app.kubernetes.io/name")
    is_app = name == labels.get("app") and name in _NAMES
    return is_app and not found["metadata"].get("ownerReferences")


def running(found: Object, now: str) -> Object:
    """The status of a pod that works."""
    state = {"running": {"startedAt": now}}
    return {"phase": "Running", "startTime": now, **_conditions("True"), **_containers(found, state, 0, ready=True)}


def crashing(found: Object, now: str, restarts: int, *, out_of_memory: bool = False) -> Object:
    """The status of a pod whose container ends again and again."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    how = {"exitCode": 137, "reason": "OOMKilled"} if out_of_memory else {"exitCode": 1, "reason": "Error"}
    containers = _containers(found, {"waiting": waiting}, restarts, ready=False, last={"terminated": how})
    return {"phase": "Running", "startTime": now, **_conditions("False"), **containers}


def unpullable(found: Object, now: str) -> Object:
    """The status of a pod whose image is not to be had."""
    image = found["spec"]["containers"][0]["image"]
    waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
    containers = _containers(found, {"waiting": waiting}, 0, ready=False)
    return {"phase": "Pending", "startTime": now, **_conditions("False"), **containers}


def unschedulable() -> Object:
    """The status of a pod for which no node has room."""
    message = "0/3 nodes are available: 3 Insufficient memory."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def event(about: Object, reason: str, message: str, component: str, now: str, *, warning: bool = False) -> Object:
    """What a component says about an object."""
    metadata = about["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}"},
        "involvedObject": {
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            **({"apiVersion": about["apiVersion"]} if "apiVersion" in about else {}),
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": component},
    }


def replica_set(app: App, namespace: str) -> Object:
    """What events about pods that were not created are about."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet" if app.is_stateful else "ReplicaSet",
        "metadata": {"name": app.name, "namespace": namespace},
    }


def _resources(app: App, hard: dict[str, str]) -> Object:
    cpu = _share(hard, ("requests.cpu", "cpu", "limits.cpu"), app.share, smallest="10m", largest="500m")
    memory = _share(hard, ("requests.memory", "memory", "limits.memory"), app.share, smallest="16Mi", largest="1Gi")
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def _share(hard: dict[str, str], names: tuple[str, ...], parts: int, *, smallest: str, largest: str) -> str:
    """A part of the tightest of some quota amounts, in round steps."""
    low, high = quantity.parse(smallest), quantity.parse(largest)
    amounts = [quantity.parse(hard[name]).value for name in names if name in hard]
    wanted = min([*(amount / parts for amount in amounts), high.value])
    steps = max(1, int(wanted / low.value))
    return str(Quantity(low.value * steps, low.binary))


def _containers(found: Object, state: Object, restarts: int, *, ready: bool, last: Object | None = None) -> Object:
    how = {"ready": ready, "restartCount": restarts, "state": state} | ({"lastState": last} if last else {})
    statuses = [{"name": each["name"], "image": each["image"], **how} for each in found["spec"]["containers"]]
    return {"containerStatuses": statuses}


def _conditions(ready: str) -> Object:
    return {"conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}]}


def _letters(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(_ALPHABET) for _ in range(count))
