"""The calls that the portal makes for a new environment, written down once, and a bare client that makes the same ones.

The portal's own way to the cluster leads through a small proxy once, so no line of the portal is changed. Only names
differ in what is replayed. The bare client reads its answers and does nothing with them: it records and proves nothing.
"""

import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection

from environments import actions
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, TemplateVersion, User
from environments.reconcile import engine
from tests.bench import load_cluster
from tests.bench.load_cluster import Place
from tests.faults.proxy import FaultProxy

_TRIES = 50


@dataclass(frozen=True)
class Call:
    """One call, with the names of the environment that it was made for."""

    method: str
    path: str
    content_type: str
    body: str


@dataclass(frozen=True)
class Recording:
    """All calls for one environment, in the order in which they reached the cluster."""

    namespace: str
    key: str
    calls: tuple[Call, ...]

    def renamed(self, namespace: str, key: str) -> Iterator[Call]:
        """The same calls for another environment."""
        for call in self.calls:
            path, body = (
                text.replace(self.namespace, namespace).replace(self.key, key) for text in (call.path, call.body)
            )
            yield Call(call.method, path, call.content_type, body)


class _Recorder(FaultProxy):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.calls: list[Call] = []

    def passed(self, method: str, path: str, content_type: str, body: bytes) -> None:
        self.calls.append(Call(method, path, content_type, body.decode()))


def record(place: Place, version: TemplateVersion, parameters: dict[str, str], owner: User) -> Recording:
    """Have the portal make an environment in this process, and return its calls. Leaves no row behind."""
    with _Recorder(place.server, place.certificate_authority) as proxy:
        row = Cluster.objects.create(slug="recorded", name="Recorded", server=proxy.url, credential=place.portal_token)
        first = _make(row, version, parameters, owner)  # the first one asks what the cluster is, too
        proxy.calls.clear()
        second = _make(row, version, parameters, owner)
        found = Recording(second.namespace, str(second.pk), tuple(proxy.calls))
    for environment in (first, second):
        environment.delete()
    row.delete()
    return found


def _make(row: Cluster, version: TemplateVersion, parameters: dict[str, str], owner: User) -> Environment:
    draft = actions.Draft(version=version, name="recorded", cluster=row, parameters=parameters, size="")
    environment = actions.request_environment(owner, draft)
    for _ in range(_TRIES):
        delay = engine.reconcile(environment.pk)
        environment.refresh_from_db()
        if environment.phase == Phase.READY:
            return environment
        time.sleep(min(delay or 0.1, 1.0))
    raise TimeoutError(f"{environment.namespace} did not become Ready")


def replay(place: Place, recording: Recording, count: int, connections: int) -> float:
    """Seconds in which the bare client makes the calls for that many environments, each one's in their order."""
    start = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        list(
            pool.map(
                lambda number: _replay_one(place, recording, f"bare-{number}-{uuid.uuid4().hex[:6]}"), range(count)
            )
        )
    return time.monotonic() - start


def one_after_another(place: Place, recording: Recording, runs: int) -> list[float]:
    """Seconds of each of some environments, made on one connection."""
    times = []
    for number in range(runs + 1):
        start = time.monotonic()
        _replay_one(place, recording, f"alone-{number}-{uuid.uuid4().hex[:6]}")
        times.append(time.monotonic() - start)
    return times[1:]  # the first one opens the connection


_local = threading.local()


def _replay_one(place: Place, recording: Recording, namespace: str) -> None:
    connection: HTTPConnection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = load_cluster.connect(place)
    for call in recording.renamed(namespace, str(uuid.uuid4())):
        headers = {"Authorization": f"Bearer {place.portal_token}", "Accept": "application/json"}
        headers |= {"Content-Type": call.content_type} if call.body else {}
        connection.request(call.method, call.path, call.body or None, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{call.method} {call.path}: {answer.status} {said[:300]!r}")


def figures(
    place: Place, recording: Recording, count: int, connections: int, ours_a_minute: float
) -> dict[str, object]:
    """What the bare client reaches with the same calls, and ours beside it."""
    took = replay(place, recording, count, connections)
    a_minute = round(count / took * 60)
    alone = one_after_another(place, recording, 20)
    return {
        "connections": connections,
        "calls an environment": len(recording.calls),
        "environments a minute": a_minute,
        "ours of its rate": round(ours_a_minute / a_minute, 2),
        "one environment, one connection, median ms": round(statistics.median(alone) * 1000, 1),
    }
