"""What turns a Deployment into running pods: its controllers, and nodes on which every pod runs after a moment.

Images are never pulled and nothing is executed. StatefulSets get their pods too; Jobs and CronJobs do not.
Source: https://kubernetes.io/docs/concepts/architecture/controller/
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from portal.demo.simulated import rollouts, shapes
from portal.demo.simulated.ages import moment
from portal.demo.simulated.cluster import SimulatedCluster
from portal.demo.simulated.kinds import BY_NAME, Kind, Object, copy
from portal.demo.simulated.patches import MERGE
from portal.demo.simulated.statuses import StatusError
from portal.demo.simulated.writing import controller, timestamp

_DEPLOYMENT, _SET, _STATEFUL, _POD, _EVENT = (
    BY_NAME[name] for name in ("Deployment", "ReplicaSet", "StatefulSet", "Pod", "Event")
)
_PAUSE = 0.25  # seconds between two looks while pods start
_IDLE = 1.0
_FIRST, _LONGEST = 2.0, 60.0  # seconds before a pod that was refused is tried again
_NODE = "node-1"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class Controllers:
    """A thread that brings what is there closer to what is wanted, after every change."""

    def __init__(self, cluster: SimulatedCluster, *, starting: float = 1.0) -> None:
        """A pod runs `starting` seconds after its creation (whole seconds: that is how exact its time is)."""
        self._cluster, self._starting = cluster, starting
        self._store, self._writer = cluster.store, cluster.writer
        self._refused: dict[str, tuple[float, float]] = {}  # by uid: until when, and how long the next time
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-controllers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def tick(self) -> bool:
        """Do one step for everything; return whether something is under way."""
        with self._cluster.lock:
            before = self._store.resource_version
            self._forget_refusals()
            for deployment in self._store.objects(_DEPLOYMENT):
                self._try(self._roll, deployment)
            for owner in (*self._store.objects(_SET), *self._store.objects(_STATEFUL)):
                self._try(self._fill, owner)
            waiting = [self._start(pod) for pod in self._store.objects(_POD)]
            return self._store.resource_version != before or any(waiting)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._store.resource_version
            if self.tick():
                self._stopping.wait(_PAUSE)
            else:
                self._store.wait(seen, _IDLE)

    def _try(self, work: Callable[[Object], None], about: Object) -> None:
        """What cannot be done now, in a namespace that ends for example, is tried again after the next change."""
        try:
            work(about)
        except StatusError:
            return

    def _forget_refusals(self) -> None:
        """Of owners that are gone."""
        present = {found["metadata"]["uid"] for kind in (_SET, _STATEFUL) for found in self._store.objects(kind)}
        self._refused = {uid: when for uid, when in self._refused.items() if uid in present}

    def _roll(self, deployment: Object) -> None:
        """One step of a Deployment's rollout."""
        if "deletionTimestamp" in deployment["metadata"]:
            return
        sets = [each for each in self._within(_SET, deployment) if rollouts.is_owned(each, deployment)]
        name = rollouts.template_hash(deployment["spec"]["template"])
        new = next((each for each in sets if each["spec"]["template"]["metadata"]["labels"].get(_HASH) == name), None)
        old = [each for each in sets if each is not new]
        if not deployment["spec"].get("paused"):
            new = newest = self._newest(deployment, new, old)
            wanted = rollouts.sizes(deployment, newest, old)
            for each in (newest, *old):
                self._resize(deployment, each, wanted.get(each["metadata"]["name"], each["spec"].get("replicas", 0)))
        self._set_status(_DEPLOYMENT, deployment, rollouts.status(deployment, new, old, timestamp()))

    def _newest(self, deployment: Object, new: Object | None, old: list[Object]) -> Object:
        """The replica set of the present template, created or with the highest revision of all."""
        highest = max((rollouts.revision_of(each) for each in old), default=0)
        if new is None:
            wanted = rollouts.replica_set(deployment, highest + 1)
            new = self._writer.create(_SET, deployment["metadata"]["namespace"], wanted, controller())
        elif rollouts.revision_of(new) <= highest:
            new = self._annotate(_SET, new, highest + 1)
        if rollouts.revision_of(deployment) != rollouts.revision_of(new):
            self._annotate(_DEPLOYMENT, deployment, rollouts.revision_of(new))
        return new

    def _annotate(self, kind: Kind, found: Object, revision: int) -> Object:
        return self._patch(kind, found, {"metadata": {"annotations": {rollouts.REVISION: str(revision)}}})

    def _resize(self, deployment: Object, found: Object, size: int) -> None:
        before = found["spec"].get("replicas", 0)
        if size == before:
            return
        self._patch(_SET, found, {"spec": {"replicas": size}})
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {found['metadata']['name']} from {before} to {size}"
        self._say(deployment, "ScalingReplicaSet", message, "deployment-controller")

    def _fill(self, owner: Object) -> None:
        """Create and delete pods until there are as many as wanted."""
        if "deletionTimestamp" in owner["metadata"]:
            return
        pods = [each for each in self._within(_POD, owner) if rollouts.is_owned(each, owner)]
        wanted = owner["spec"].get("replicas", 1)
        for pod in self._surplus(owner, pods, wanted):
            pods.remove(pod)
            self._delete(pod)
            self._say(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", _component(owner))
        while len(pods) < wanted and self._may_try(owner):
            made = self._create_pod(owner, pods)
            if made is None:
                break
            pods.append(made)
        kind = BY_NAME[owner["kind"]]
        self._set_status(kind, owner, _kept_conditions(owner, rollouts.set_status(owner, pods)))

    def _surplus(self, owner: Object, pods: list[Object], wanted: int) -> list[Object]:
        """Pods too many: those that do not run first; of a stateful set the last, and one of an old template."""
        if owner["kind"] == "StatefulSet":
            ordered = sorted(pods, key=lambda pod: _ordinal(pod))
            present = rollouts.template_hash(owner["spec"]["template"])
            stale = [pod for pod in ordered if _version(pod) != present]
            is_steady = all(rollouts.is_ready(pod) for pod in pods)
            return ordered[wanted:] or (stale[-1:] if is_steady else [])
        return sorted(pods, key=rollouts.is_ready)[: max(0, len(pods) - wanted)]

    def _create_pod(self, owner: Object, pods: list[Object]) -> Object | None:
        """A pod of the owner's template; None if it was refused, which an event says."""
        try:
            pod = self._writer.create(_POD, owner["metadata"]["namespace"], _pod(owner, pods), controller())
        except StatusError as error:
            self._refuse(owner, error)
            return None
        self._refused.pop(owner["metadata"]["uid"], None)
        self._say(owner, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", _component(owner))
        return pod

    def _may_try(self, owner: Object) -> bool:
        return self._refused.get(owner["metadata"]["uid"], (0.0, 0.0))[0] <= time.monotonic()

    def _refuse(self, owner: Object, error: StatusError) -> None:
        uid = owner["metadata"]["uid"]
        pause = self._refused.get(uid, (0.0, _FIRST))[1]
        self._refused[uid] = time.monotonic() + pause, min(_LONGEST, pause * 2)
        self._say(owner, "FailedCreate", f"Error creating: {error.message}", _component(owner), warning=True)

    def _start(self, pod: Object) -> bool:
        """Let a pod run if it is time; return whether it still waits. Simulated teams start theirs themselves."""
        if (pod.get("status") or {}).get("phase") != "Pending" or shapes.is_simulated(pod):
            return False
        if (datetime.now(UTC) - moment(pod["metadata"]["creationTimestamp"])).total_seconds() < self._starting:
            return True
        metadata = pod["metadata"]
        self._store.put(_POD, pod | {"spec": pod["spec"] | {"nodeName": _NODE}})
        self._set_status(_POD, pod, pod["status"] | shapes.running(pod, timestamp()))
        where = f"{metadata['namespace']}/{metadata['name']}"
        self._say(pod, "Scheduled", f"Successfully assigned {where} to {_NODE}", "default-scheduler")
        for container in pod["spec"]["containers"]:
            self._say(pod, "Started", f"Container started: {container['name']}", "kubelet")
        return False

    def _within(self, kind: Kind, owner: Object) -> list[Object]:
        return self._store.objects(kind, owner["metadata"]["namespace"])

    def _patch(self, kind: Kind, found: Object, patch: Object) -> Object:
        metadata = found["metadata"]
        return self._writer.patch(kind, metadata["namespace"], metadata["name"], patch, MERGE, controller())

    def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self._writer.delete(_POD, metadata["namespace"], metadata["name"], {}, controller())

    def _set_status(self, kind: Kind, found: Object, status: Object) -> None:
        metadata = found["metadata"]
        live: Object | None = self._store.get(kind, metadata["name"], metadata["namespace"])
        if live is not None and live.get("status") != status:
            self._writer.set_status(kind, metadata["namespace"], metadata["name"], status)

    def _say(self, about: Object, reason: str, message: str, component: str, *, warning: bool = False) -> None:
        event = shapes.event(about, reason, message, component, timestamp(), warning=warning)
        self._try(lambda found: self._tell(about, found), event)

    def _tell(self, about: Object, event: Object) -> None:
        self._writer.create(_EVENT, about["metadata"]["namespace"], event, controller())


_HASH = rollouts.HASH_LABEL
_REVISION_LABEL = "controller-revision-hash"


def _component(owner: Object) -> str:
    return f"{owner['kind'].lower()}-controller"


def _pod(owner: Object, pods: list[Object]) -> Object:
    """The next pod of an owner."""
    template: Object = copy(owner["spec"]["template"])
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    labels = dict(metadata.get("labels") or {})
    if owner["kind"] == "StatefulSet":
        name = f"{owner['metadata']['name']}-{next(_free(pods))}"
        labels |= {_REVISION_LABEL: rollouts.template_hash(template), "statefulset.kubernetes.io/pod-name": name}
    else:
        name = f"{owner['metadata']['name']}-{''.join(secrets.choice(_SUFFIX) for _ in range(5))}"
    named = {"name": name, "labels": labels, "ownerReferences": [rollouts.owner_reference(owner)]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | named, "spec": template["spec"]}


def _free(pods: list[Object]) -> Iterator[int]:
    taken = {_ordinal(pod) for pod in pods}
    return (number for number in range(len(pods) + 1) if number not in taken)


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _version(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_REVISION_LABEL, ""))


def _kept_conditions(owner: Object, status: Object) -> Object:
    conditions = (owner.get("status") or {}).get("conditions")
    return status | ({"conditions": conditions} if conditions else {})
