"""A short run of the fault suite in this process: simulated cluster, real SCIM server, workers that die at any call.

What `make faults` does with processes, real services and minutes, this does in seconds, with every run of `make test`.
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from urllib3 import PoolManager

from environments import directory as directories
from environments.directory import transport
from environments.kube import transport as cluster_transport
from environments.kube.client import ClusterClient
from environments.models import Cluster, Directory, Environment, Event, User
from environments.reconcile import engine as reconcile
from environments.reconcile.engine import reconcile as reconcile_now
from environments.reconcile.steps import binding
from environments.routine import notices
from portal.demo.controlplane import Endpoint
from portal.demo.simulated import SimulatedCluster
from tests.faults import checks, schedule
from tests.faults.asks import NAMES, TEMPLATES, People
from tests.faults.places import DirectorySeen, Foreign
from tests.faults.proxy import KINDS, FaultProxy
from tests.live.scim_servers import Scim2Server

pytestmark = pytest.mark.django_db

TURNS, ROUNDS = 40, 40
_LIES = ("empty", "page")


class DiedError(BaseException):
    """A worker that was killed: nothing catches it, nothing is tidied up."""


class Doom:
    """Kills a run at one of its calls, before it or after it."""

    def __init__(self) -> None:
        self.calls_left = 0

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def doomed(*args: Any, **more: Any) -> Any:
            self._count()
            return call(*args, **more)

        return doomed

    def after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def doomed(*args: Any, **more: Any) -> Any:
            result = call(*args, **more)
            self._count()
            return result

        return doomed

    def _count(self) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise DiedError


@pytest.fixture
def simulated() -> Iterator[SimulatedCluster]:
    """A cluster of its own: what others leave behind would count."""
    with SimulatedCluster(termination_delay=0.05) as cluster:
        yield cluster


@pytest.fixture
def scim() -> Iterator[Scim2Server]:
    server = Scim2Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def doom(monkeypatch) -> Doom:
    found = Doom()
    monkeypatch.setattr(PoolManager, "urlopen", found.before(PoolManager.urlopen))
    monkeypatch.setattr(cluster_transport, "read", found.after(cluster_transport.read))
    monkeypatch.setattr(transport, "send", found.before(found.after(transport.send)))
    monkeypatch.setattr(reconcile, "LAST_DELAY", 0.1)
    monkeypatch.setattr(binding, "YOUNG", timedelta(0))
    return found


@pytest.fixture
def proxies(simulated, scim) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    with FaultProxy(simulated.url) as cluster, FaultProxy(scim.url) as directory:
        yield cluster, directory
        directories.forget()


@pytest.fixture
def foreign(simulated, scim, proxies) -> Foreign:
    cluster, directory = proxies
    seen = DirectorySeen(scim)
    seen.add_people()
    for name in NAMES:
        User.objects.create(username=name, email=f"{name}@example.com")
    Cluster.objects.create(slug="c", name="C", server=cluster.url, credential=simulated.portal_token)
    secret = scim.connection().secret
    Directory.objects.create(name="D", kind=Directory.Kind.SCIM, url=directory.url, secret=secret, is_default=True)
    return Foreign(ClusterClient(Endpoint(simulated.url, simulated.admin_token)), seen)


@pytest.mark.parametrize("seed", [1])
def test_whatever_dies_and_whatever_answers_wrongly_the_end_is_as_asked(seed, seeded_templates, doom, proxies, foreign):
    chance, people = random.Random(seed), People(seed, foreign.plant)
    for number, taken in enumerate(["", "", "namespace", "group", ""]):
        people.request(taken)
        assert len(people.ledger.environments) == number + 1
    for _ in range(TURNS):
        if chance.random() < 0.2:
            people.anything()
        _disturb(chance, proxies)
        _work(chance, doom, sorted(people.ledger.environments))
    for proxy in proxies:
        proxy.clear()
    doom.calls_left = 0
    _recover(people)
    for pk in Event.objects.filter(notice_owed=True).values_list("pk", flat=True):
        notices.deliver(pk)
    assert checks.violations(people.ledger, foreign.admin, foreign.directory, foreign) == []
    assert sum(sum(proxy.hits.values()) for proxy in proxies) > 10
    _require_that_checks_find(people, foreign)


def _require_that_checks_find(people: People, foreign: Foreign) -> None:
    """What would be a violation is called one: a check that finds nothing proves nothing."""
    ready = Environment.objects.filter(phase="Ready").first()
    theirs = Environment.objects.get(pk=next(one.pk for one in people.ledger.environments.values() if one.refused_by))
    foreign.admin.delete("ResourceQuota", "environment-quota", ready.namespace)
    foreign.admin.delete("ConfigMap", "theirs", theirs.namespace)
    foreign.directory.add_group("nobodys", f"{ready.pk}/nobodys")
    people.ledger.environments[str(ready.pk)].extensions += 1
    ready.members.filter(email=ready.owner.email).update(wanted=False)
    found = "; ".join(checks.violations(people.ledger, foreign.admin, foreign.directory, foreign))
    for words in (
        "Ready without ('ResourceQuota', 'environment-quota')",
        f"somebody else's ConfigMap {theirs.namespace}/theirs was changed",
        "group nobodys belongs to no environment",
        "extensions is",
        "events Extended",
        "members are",
        f"{ready.owner.email} still has access",
    ):
        assert words in found


def test_the_schedule_follows_from_the_seed_and_has_every_kind():
    one, again, other = (schedule.plan(seed, 600) for seed in (1, 1, 2))
    assert one == again != other
    kinds = {fault.kind for fault in one}
    assert {*schedule._PLAIN, "worker killed at a call", "directory answers empty", "cluster answers half"} <= kinds
    killed = {(fault.more["spot"], fault.more["when"]) for fault in one if fault.kind == "worker killed at a call"}
    assert killed == {(spot, when) for spot in schedule.SPOTS for when in ("before", "after")}


def _disturb(chance: random.Random, proxies: tuple[FaultProxy, FaultProxy]) -> None:
    """Spoil some of the next answers."""
    if chance.random() < 0.5:
        which = chance.randrange(2)
        kind = chance.choice([kind for kind in KINDS if which == 1 or kind not in _LIES])
        proxies[which].add(kind, 60, times=chance.randrange(1, 3), share=0.7, delay=0.01)


def _work(chance: random.Random, doom: Doom, keys: list[str]) -> None:
    """A worker takes what is due; it may be killed, and somebody else's time with the lease runs out."""
    Environment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    key = chance.choice(keys)
    Environment.objects.filter(pk=key).exclude(next_reconcile_at=None).update(next_reconcile_at=timezone.now())
    doom.calls_left = chance.randrange(1, 60) if chance.random() < 0.5 else 0
    try:
        reconcile_now(key)
    except DiedError:
        pass
    finally:
        doom.calls_left = 0  # a run of few calls outlives it; people's own requests are not a worker


def _recover(people: People) -> None:
    """What is owed is done, without further faults, until nothing is left but later looks."""
    rows = Environment.objects.filter(pk__in=people.ledger.environments)
    for _ in range(ROUNDS):
        rows.update(lease_until=timezone.now() - timedelta(seconds=1))
        rows.exclude(next_reconcile_at=None).update(next_reconcile_at=timezone.now())
        for row in rows.all():
            reconcile_now(row.pk)
        is_settled = all(checks.settled(people.ledger.environments[str(row.pk)], row) for row in rows.all())
        if is_settled and not rows.filter(phase="Deleted").exclude(next_reconcile_at=None).exists():
            return
        time.sleep(0.03)


@pytest.fixture
def seeded_templates(db) -> None:
    from environments.catalog.files import read
    from environments.management.commands.import_templates import SEEDS
    from tests.templates import publish

    for slug in TEMPLATES:
        publish(read(SEEDS / f"{slug}.yaml"))
