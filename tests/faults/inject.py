"""How each fault is brought about, and how it ends."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis
from django.db import connection
from django.db.models import F
from django.utils import timezone

from environments.lib.errors import ReconcileError
from environments.lib.phases import Phase
from environments.models import Environment
from environments.tasks import enqueue
from tests.faults.asks import insist
from tests.faults.clusters import RealCluster, SimulatedPlace
from tests.faults.proxy import FaultProxy
from tests.faults.schedule import Fault
from tests.faults.supervisor import Workers
from tests.services import PostgreSQL, Process, Redis


class Injector:
    """Carries a schedule out, each fault in a thread of its own. `done` counts what was brought about."""

    def __init__(
        self,
        *,
        folder: Path,
        broker: Redis,
        database: PostgreSQL,
        cluster: RealCluster | SimulatedPlace,
        workers: Workers,
        directory: Process | None,
        proxies: dict[str, FaultProxy],
        lease: float,
        seed: int,
    ) -> None:
        self._folder, self._broker, self._database, self._cluster = folder, broker, database, cluster
        self._workers, self._directory, self._proxies, self._lease = workers, directory, proxies, lease
        self._random, self._orders = random.Random(f"faults {seed}"), 0
        self._one_at_a_time = {name: threading.Lock() for name in ("broker", "database", "cluster", "directory")}
        self._threads: list[threading.Thread] = []
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []

    def start(self, fault: Fault) -> None:
        """Bring one about, without waiting for its end."""
        thread = threading.Thread(target=self._carry_out, args=(fault,), name=fault.kind, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Nothing goes wrong any more."""
        for thread in self._threads:
            thread.join(90)
        for proxy in self._proxies.values():
            proxy.clear()
        for file in (*self._folder.glob("*.clock"), *self._folder.glob("*.order")):
            file.unlink()

    @property
    def deaths(self) -> int:
        """How many of the orders to die at a call were carried out."""
        return len(list(self._folder.glob("*.done")))

    def _carry_out(self, fault: Fault) -> None:
        name = "_answers" if " answers " in fault.kind else "_" + fault.kind.lower().replace(" ", "_")
        try:
            getattr(self, name)(fault)
            self.done[fault.kind] += 1
        except Exception as error:
            self.failed.append(f"{fault.kind}: {type(error).__name__}: {error}")
        finally:
            connection.close()

    def _answers(self, fault: Fault) -> None:
        place = fault.kind.partition(" ")[0]
        self._proxies[place].add(fault.more["flaw"], fault.seconds, share=fault.more["share"], delay=2.0)
        time.sleep(fault.seconds)

    def _worker_killed_at_a_call(self, fault: Fault) -> None:
        self._orders += 1
        draft = self._folder / f"{self._orders:04}.draft"
        draft.write_text(json.dumps(fault.more))
        draft.rename(draft.with_suffix(".order"))

    def _worker_killed_at_random(self, fault: Fault) -> None:
        worker = self._workers.workers[fault.more["worker"]]
        if fault.more["whole"] or not worker.children:
            worker.send(signal.SIGKILL)
        else:
            os.kill(self._random.choice(worker.children), signal.SIGKILL)

    def _worker_frozen_beyond_its_lease(self, fault: Fault) -> None:
        worker = self._workers.workers[fault.more["worker"]]
        worker.send(signal.SIGSTOP)
        time.sleep(self._lease + 2)
        worker.send(signal.SIGCONT)

    def _clock_moved(self, fault: Fault) -> None:
        file = self._folder / f"worker{fault.more['worker']}.clock"
        file.write_text(str(fault.more["hours"] * 3600))
        time.sleep(fault.seconds * 2)
        file.write_text("0")

    def _clock_moved_and_stored_times_with_it(self, fault: Fault) -> None:
        """As if the whole portal's clock had been ahead for a while, and was put right just now."""
        ahead = timedelta(hours=fault.more["hours"])

        def move() -> None:
            Environment.objects.exclude(next_reconcile_at=None).update(next_reconcile_at=F("next_reconcile_at") + ahead)
            Environment.objects.exclude(lease_until=None).update(lease_until=F("lease_until") + ahead)

        insist(move)

    def _broker_killed(self, fault: Fault) -> None:
        with self._one_at_a_time["broker"]:
            self._broker.process.stop(signal.SIGKILL)
            time.sleep(fault.seconds)
            self._broker.start()

    def _broker_flushed(self, fault: Fault) -> None:
        with self._one_at_a_time["broker"]:
            redis.Redis(port=self._broker.port).flushall()

    def _broker_frozen(self, fault: Fault) -> None:
        self._frozen(self._broker.process.pid, "broker", fault.seconds + 2)

    def _directory_frozen(self, fault: Fault) -> None:
        if self._directory:
            self._frozen(self._directory.pid, "directory", fault.seconds + 2)

    def _frozen(self, pid: int, name: str, seconds: float) -> None:
        with self._one_at_a_time[name]:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def _database_restarted(self, fault: Fault) -> None:
        with self._one_at_a_time["database"]:
            self._database.stop(self._random.choice(("fast", "immediate")))
            time.sleep(fault.seconds / 3)
            self._database.start()

    def _api_server_killed(self, fault: Fault) -> None:
        with self._one_at_a_time["cluster"]:
            self._cluster.kill()
            time.sleep(fault.seconds / 3)
            self._cluster.start()

    def _api_server_frozen(self, fault: Fault) -> None:
        with self._one_at_a_time["cluster"]:
            self._cluster.freeze()
            time.sleep(fault.seconds + 2)
            self._cluster.thaw()

    def _beat_killed(self, fault: Fault) -> None:
        self._workers.beat.send(signal.SIGKILL)

    def _deploy(self, fault: Fault) -> None:
        self._workers.deploy()

    def _lease_taken_from_a_worker(self, fault: Fault) -> None:
        """Two workers on one environment: the second one finds that the first one's time is over."""
        held = Environment.objects.filter(lease_until__gt=timezone.now())
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pk = insist(lambda: held.order_by("?").values_list("pk", flat=True).first())
            if pk:
                Environment.objects.filter(pk=pk).update(
                    lease_until=timezone.now() - timedelta(seconds=1), generation=F("generation") + 1
                )
                enqueue(pk)
                return
            time.sleep(0.01)

    def _tasks_delivered_twice_and_out_of_order(self, fault: Fault) -> None:
        ids = insist(lambda: list(Environment.objects.order_by("?").values_list("pk", flat=True)[:10])) * 3
        self._random.shuffle(ids)
        for pk in ids:
            enqueue(pk, delay=self._random.choice((0, 0, 0.2, 1)))

    def _namespace_deleted_by_hand(self, fault: Fault) -> None:
        self._by_hand(lambda row: self._cluster.admin().delete("Namespace", row.namespace))

    def _binding_deleted_by_hand(self, fault: Fault) -> None:
        def delete(row: Environment) -> None:
            for name in ("environment-admin", "environment-developer"):
                self._cluster.admin().delete("RoleBinding", name, row.namespace)

        self._by_hand(delete)

    def _quota_changed_by_hand(self, fault: Fault) -> None:
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "999"}}}

        def change(row: Environment) -> None:
            metadata = {"name": "environment-quota", "namespace": row.namespace}
            self._cluster.admin().overwrite(body | {"metadata": metadata})

        self._by_hand(change)

    def _by_hand(self, act: Callable[[Any], Any]) -> None:
        ready = Environment.objects.filter(phase=Phase.READY, wanted=True)
        row = insist(lambda: ready.order_by("?").first())
        for _ in range(10):
            try:
                if row:
                    act(row)
                return
            except ReconcileError:
                time.sleep(0.5)
