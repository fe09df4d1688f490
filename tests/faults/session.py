"""The middle of a run: everything is up, Django is set up."""

import contextlib
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connections

from environments.catalog.templates import new_draft, publish, save_draft
from environments.models import Cluster, Directory, Environment, Event, TemplateVersion, User
from portal.demo.ports import free_port
from tests.faults import checks, clusters, schedule, worker
from tests.faults.asks import NAMES, People, insist
from tests.faults.inject import Injector
from tests.faults.places import DirectorySeen, Foreign
from tests.faults.proxy import FaultProxy
from tests.faults.run import LEASE, RECOVERY, WORKERS, Result
from tests.faults.supervisor import Workers
from tests.live.scim_servers import Canaille, Scim2Server
from tests.services import PostgreSQL, Redis

_TAKEN = ("namespace", "group")


class Session:
    """One run, from prepared services to its result."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        folder: Path,
        database: PostgreSQL,
        broker: Redis,
        arguments: dict[str, Any],
    ) -> None:
        logging.disable(logging.WARNING)
        worker.hurry()
        self._stack, self._folder, self._arguments = stack, folder, arguments
        self._database, self._broker = database, broker
        self._seed, self._seconds = arguments["seed"], arguments["minutes"] * 60
        self._cluster = clusters.cluster(folder / "plane", simulated=arguments["simulated"])
        stack.callback(self._cluster.close)
        self._server = self._start_directory()
        self._directory = DirectorySeen(self._server)
        self._proxies = {
            "cluster": FaultProxy(self._cluster.url, self._cluster.ca_pem, self._seed),
            "directory": FaultProxy(self._server.url, seed=self._seed),
        }
        for proxy in self._proxies.values():
            stack.enter_context(proxy)
        self._foreign = Foreign(self._cluster.admin(), self._directory)
        # Canaille keeps no externalId: there a group of our name counts as ours.
        takeable = _TAKEN if arguments["directory"] == "scim2-server" else _TAKEN[:1]
        self._taken = list(takeable)
        self._people = People(self._seed, self._foreign.plant)
        self._over = threading.Event()
        self._notes: list[str] = []

    def run(self) -> Result:
        self._prepare()
        workers = Workers(self._folder, dict(os.environ), WORKERS)
        self._stack.callback(workers.close)
        workers.start()
        injector = self._injector(workers)
        self._live_through(injector)
        recovery = self._recover()
        workers.retire()
        found = checks.violations(
            self._people.ledger, self._cluster.admin(), self._directory, self._foreign, self._folder / "mail"
        )
        return self._result(injector, workers, recovery, found)

    def _start_directory(self) -> Canaille | Scim2Server:
        if self._arguments["directory"] == "scim2-server":
            server = Scim2Server()
            server.start()
            self._stack.callback(server.stop)
            return server
        from portal.demo.idp import IdentityProvider

        (self._folder / "idp").mkdir()
        provider = IdentityProvider(self._folder / "idp", free_port(), "http://localhost:8000")
        provider.start()
        self._stack.callback(provider.stop)
        provider.wait_ready(60)
        return Canaille(provider)

    def _prepare(self) -> None:
        call_command("migrate", verbosity=0)
        with Path("/dev/null").open("w") as nowhere:
            call_command("import_templates", without_check=True, verbosity=0, stdout=nowhere)
        self._directory.add_people()
        for name in NAMES:
            User.objects.create(username=name, email=f"{name}@example.com")
        Cluster.objects.create(
            slug="c", name="C", server=self._proxies["cluster"].url, credential=self._cluster.portal_token
        )
        connection = self._server.connection()
        Directory.objects.create(
            name="D",
            kind=Directory.Kind.SCIM,
            url=self._proxies["directory"].url,
            token_url=connection.token_url,
            client_id=connection.client_id,
            secret=connection.secret,
            is_default=True,
        )
        self._foreign.plant_common()

    def _injector(self, workers: Workers) -> Injector:
        process = self._server.idp._process if isinstance(self._server, Canaille) else self._server._process
        return Injector(
            folder=self._folder / "control",
            broker=self._broker,
            database=self._database,
            cluster=self._cluster,
            workers=workers,
            directory=process,  # type: ignore[arg-type]
            proxies=self._proxies,
            lease=LEASE,
            seed=self._seed,
        )

    def _live_through(self, injector: Injector) -> None:
        """People and faults, at the same time."""
        people = threading.Thread(target=self._ask, name="people", daemon=True)
        start = time.monotonic()
        people.start()
        for fault in schedule.plan(self._seed, self._seconds, workers=WORKERS):
            time.sleep(max(0.0, start + fault.at - time.monotonic()))
            self._say(str(fault))
            injector.start(fault)
        time.sleep(max(0.0, start + self._seconds - time.monotonic()))
        self._over.set()
        people.join(90)
        injector.end()
        if people.is_alive():
            self._notes.append("somebody still waits for an answer")

    def _ask(self) -> None:
        """New environments over the first two thirds, and changes all the while."""
        count, start = self._arguments["environments"], time.monotonic()
        made = 0
        while not self._over.wait(0.15):
            due = count * (time.monotonic() - start) / (self._seconds * 0.66)
            try:
                if made < min(count, due):
                    made += 1
                    self._request(made, count)
                else:
                    self._people.anything()
                if made == count // 2 and not TemplateVersion.objects.filter(number=2).exists():
                    self._publish()
            except (OperationalError, InterfaceError):
                connections.close_all()
        connections.close_all()

    def _request(self, made: int, count: int) -> None:
        taken = self._taken.pop() if self._taken and made > count // 3 else ""
        self._people.request(taken)

    def _publish(self) -> None:
        """Newer versions, for people to move to."""
        for slug in ("namespace", "gpu-namespace"):
            old = TemplateVersion.objects.get(template__slug=slug, number=1)
            draft = new_draft(old, None)
            spec = draft.parsed().model_copy(update={"quota": draft.parsed().quota | {"configmaps": "9"}})
            save_draft(draft, spec, "Fewer ConfigMaps.", None)
            draft.refresh_from_db()
            publish(draft, None)

    def _recover(self) -> list[float]:
        """Seconds until each environment is where it belongs and stays there; the deadline for those that never are."""
        start, last = time.monotonic(), {}
        self._say("faults are over")
        while (passed := time.monotonic() - start) < RECOVERY:
            unsettled = [pk for pk, row in insist(self._rows).items() if not self._is_settled(pk, row)]
            last |= dict.fromkeys(unsettled, passed)
            quiet = passed - max(last.values(), default=0.0)
            if not unsettled and quiet > LEASE + 5 and not Event.objects.filter(notice_owed=True).exists():
                break
            time.sleep(0.25)
        return [last.get(pk, 0.0) for pk in self._people.ledger.environments]

    def _rows(self) -> dict[str, Environment]:
        return {str(row.pk): row for row in Environment.objects.all()}

    def _is_settled(self, pk: str, row: Environment) -> bool:
        accepted = self._people.ledger.environments.get(pk)
        return accepted is not None and checks.settled(accepted, row)

    def _result(self, injector: Injector, workers: Workers, recovery: list[float], found: list[str]) -> Result:
        ledger = self._people.ledger
        orders = "worker killed at a call"
        faults = dict(sorted((injector.done | {orders: injector.deaths}).items()))
        spoilt = {
            f"{name} {kind}": count for name, proxy in self._proxies.items() for kind, count in proxy.hits.items()
        }
        notes = [*self._notes, *injector.failed, f"{workers.restarts} processes started again"]
        return Result(
            seed=self._seed,
            seconds=0.0,
            environments=len(ledger.environments),
            cluster=self._cluster.kind,
            directory=self._arguments["directory"],
            asks=dict(sorted(ledger.asks.items())),
            faults=faults,
            answers_spoilt=dict(sorted(spoilt.items())),
            violations=found,
            recovery=[round(seconds, 2) for seconds in recovery],
            slowest_ask=round(max(ledger.seconds, default=0.0), 2),
            notes=notes + sorted(set(ledger.refused)),
        )

    def _say(self, text: str) -> None:
        if self._arguments["verbose"]:
            sys.stderr.write(text + "\n")
