"""Simulated workloads: pods, services, volumes and events come and go, so that usage changes.

They use the API like any other client, so quotas and limits apply to them.
"""

import json
import random
import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from portal.demo.simulated import shapes
from portal.demo.simulated.api import Request
from portal.demo.simulated.cluster import SimulatedCluster
from portal.demo.simulated.kinds import BY_NAME, Object
from portal.demo.simulated.shapes import App
from portal.demo.simulated.writing import timestamp

SELECTOR = "app.kubernetes.io/managed-by=allotment"
_MOST_NAMESPACES = 50  # that move in one tick
_MOST_EVENTS = 40  # kept in a namespace; a real cluster keeps them for an hour
_MOST_REPLICAS = 4


class Workloads:
    """A seeded thread that simulates teams in the namespaces of a label selector."""

    def __init__(
        self, cluster: SimulatedCluster, *, selector: str = SELECTOR, interval: float = 3.0, seed: int = 0
    ) -> None:
        self._cluster, self._selector, self._interval, self._seed = cluster, selector, interval, seed
        self._rng = random.Random(seed)  # noqa: S311
        self._wanted: dict[tuple[str, str], int] = {}  # replicas, by namespace and app
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-workloads", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; running pods stay."""
        self._stopping.set()
        self._thread.join()

    def tick(self) -> None:
        """Advance the namespaces by one step; if there are many, only some."""
        _, listed = self._ask("GET", "Namespace", query={"labelSelector": self._selector})
        names = [each["metadata"]["name"] for each in listed["items"] if each["status"]["phase"] == "Active"]
        for name in self._rng.sample(names, min(len(names), _MOST_NAMESPACES)):
            self._live(name)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            self.tick()

    def _live(self, namespace: str) -> None:
        quotas = self._list("ResourceQuota", namespace)
        if not quotas:
            return  # not set up yet
        hard = quotas[0]["spec"].get("hard", {})
        pods = self._list("Pod", namespace)
        own = [pod for pod in pods if shapes.is_simulated(pod)]
        for app in self._apps(namespace):
            self._furnish(namespace, app)
            its = [pod for pod in own if pod["metadata"]["labels"]["app"] == app.name]
            for pod in its:
                self._advance(namespace, pod)
            self._scale(namespace, app, its, hard, may_grow=len(own) == len(pods))
        self._forget_events(namespace)

    def _apps(self, namespace: str) -> list[App]:
        """The apps of this team: always the same two to four, scaled to a small or a large namespace."""
        rng = random.Random(f"{self._seed}{namespace}")  # noqa: S311
        chosen = rng.sample(shapes.APPS, rng.randint(2, 4))
        crowding = rng.uniform(1, 3)
        return [replace(app, share=max(3, round(app.share / crowding))) for app in chosen]

    def _furnish(self, namespace: str, app: App) -> None:
        """Create an app's other objects. A quota may reject them, so it tries only now and then."""
        if self._rng.random() > 0.3:
            return
        wanted = [shapes.config_map(app)]
        wanted += [shapes.service(app)] if app.port else []
        wanted += [shapes.claim(app)] if app.is_stateful else []
        for manifest in wanted:
            self._create(namespace, manifest)

    def _scale(self, namespace: str, app: App, pods: list[Object], hard: dict[str, str], *, may_grow: bool) -> None:
        """Add or remove at most one pod, towards a target that changes slowly.

        Where a person runs pods of their own, no more are added: the quota's rest is theirs.
        """
        key = (namespace, app.name)
        most = 1 if app.is_stateful else _MOST_REPLICAS
        wanted = self._wanted.get(key, len(pods) or self._rng.randint(1, most))
        if self._rng.random() < 0.15:
            wanted = min(most, max(1, wanted + self._rng.choice((-1, 1))))
        self._wanted[key] = wanted
        if len(pods) > wanted or (pods and self._rng.random() < 0.03):
            self._remove(namespace, self._rng.choice(pods))
        elif len(pods) < wanted and may_grow:
            self._add(namespace, app, len(pods), hard)

    def _add(self, namespace: str, app: App, index: int, hard: dict[str, str]) -> None:
        manifest = shapes.pod(app, shapes.pod_name(app, self._seed, index, self._rng), hard)
        status, answer = self._create(namespace, manifest)
        owner = shapes.replica_set(app, namespace)
        if status == 201:
            self._say(
                owner, "SuccessfulCreate", f"Created pod: {manifest['metadata']['name']}", "replicaset-controller"
            )
        elif status == 403:
            self._wanted[namespace, app.name] = index  # do not knock at the same door every few seconds
            self._say(
                owner, "FailedCreate", f"Error creating: {answer['message']}", "replicaset-controller", warning=True
            )

    def _remove(self, namespace: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._ask("DELETE", "Pod", namespace, name)
        self._say(pod, "Killing", f"Stopping container {pod['metadata']['labels']['app']}", "kubelet")

    def _advance(self, namespace: str, pod: Object) -> None:
        """Advance a pod: most start, some crash or find no node, and most of those recover."""
        status, chance = pod.get("status", {}), self._rng.random()
        if status.get("phase") == "Pending":
            if chance < 0.08:
                message = "0/3 nodes are available: 3 Insufficient memory."
                self._become(namespace, pod, shapes.unschedulable())
                self._say(pod, "FailedScheduling", message, "default-scheduler", warning=True)
            elif chance < 0.11:
                self._fail_to_pull(namespace, pod)
            elif chance < 0.8:
                self._start(namespace, pod)
            return
        container = status["containerStatuses"][0]
        if "waiting" in container["state"]:
            self._recover(namespace, pod, container["restartCount"], chance)
        elif chance < 0.02:
            self._crash(namespace, pod, container["restartCount"] + 1)

    def _start(self, namespace: str, pod: Object) -> None:
        where = f"{namespace}/{pod['metadata']['name']}"
        self._become(namespace, pod, shapes.running(pod, timestamp()))
        self._say(
            pod, "Scheduled", f"Successfully assigned {where} to node-{self._rng.randint(1, 3)}", "default-scheduler"
        )
        self._say(pod, "Started", f"Started container {pod['spec']['containers'][0]['name']}", "kubelet")

    def _fail_to_pull(self, namespace: str, pod: Object) -> None:
        image = pod["spec"]["containers"][0]["image"]
        self._become(namespace, pod, shapes.unpullable(pod, timestamp()))
        self._say(pod, "Failed", f'Failed to pull image "{image}": not found', "kubelet", warning=True)

    def _recover(self, namespace: str, pod: Object, restarts: int, chance: float) -> None:
        if chance < 0.25:
            self._start(namespace, pod)
        elif chance < 0.5:
            self._crash(namespace, pod, restarts + 1)

    def _crash(self, namespace: str, pod: Object, restarts: int) -> None:
        container = pod["spec"]["containers"][0]["name"]
        is_hungry = random.Random(pod["metadata"]["name"]).random() < 0.4  # noqa: S311
        self._become(namespace, pod, shapes.crashing(pod, timestamp(), restarts, out_of_memory=is_hungry))
        message = f"Back-off restarting failed container {container} in pod {pod['metadata']['name']}"
        self._say(pod, "BackOff", message, "kubelet", warning=True)

    def _become(self, namespace: str, pod: Object, status: Object) -> None:
        name, kind = pod["metadata"]["name"], "application/merge-patch+json"
        self._ask("PATCH", "Pod", namespace, f"{name}/status", body={"status": status}, content_type=kind)

    def _say(self, about: Object, reason: str, message: str, component: str, *, warning: bool = False) -> None:
        event = shapes.event(about, reason, message, component, timestamp(), warning=warning)
        self._create(about["metadata"]["namespace"], event)

    def _forget_events(self, namespace: str) -> None:
        events = sorted(self._list("Event", namespace), key=lambda each: int(each["metadata"]["resourceVersion"]))
        for event in events[:-_MOST_EVENTS]:
            self._ask("DELETE", "Event", namespace, event["metadata"]["name"])

    def _list(self, kind: str, namespace: str) -> list[Object]:
        _, listed = self._ask("GET", kind, namespace)
        # List items come without their kind, which events about them need.
        return [{"apiVersion": BY_NAME[kind].api_version, "kind": kind, **item} for item in listed.get("items", [])]

    def _create(self, namespace: str, manifest: Object) -> tuple[int, Object]:
        return self._ask("POST", manifest["kind"], namespace, body=manifest, content_type="application/json")

    def _ask(
        self,
        method: str,
        kind: str,
        namespace: str = "",
        name: str = "",
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> tuple[int, Object]:
        served = BY_NAME[kind]
        parts = [f"/apis/{served.api_version}" if served.group else "/api/v1"]
        parts += [f"namespaces/{namespace}"] if namespace else []
        path = "/".join([*parts, served.plural, *([name] if name else [])])
        content = json.dumps(body).encode() if body else b""
        token = f"Bearer {self._cluster.admin_token}"
        response = self._cluster.handle(Request(method, path, query or {}, token, content_type, content))
        answer: Object = json.loads(response.body)
        return response.status, answer
