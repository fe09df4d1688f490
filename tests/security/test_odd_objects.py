"""A cluster whose objects have lists where maps should be, texts of ten megabytes, and nothing where something must be.

Every answer of a whole provisioning, of a look at what is there and of a deletion is damaged at one place by a seeded
hand. Whatever comes of it: no step ends unexpectedly, nothing is too long to be kept, the others go on, and once the
cluster answers properly again the environment is in order.
"""

import copy
import json
import random
from typing import Any

import pytest
from django.utils import timezone

from environments import actions
from environments.kube import transport as cluster_transport
from environments.lib.phases import Phase
from environments.models import Cluster, Environment
from environments.routine import observe
from tests.arranging import settle
from tests.security.servers import always, http, serving

pytestmark = pytest.mark.django_db

LONG = "x" * 1_000_000
ODD: tuple[Any, ...] = (None, True, 7, -1, 1.5, 10**30, "", LONG, [], [1], ["x"], [[]], {}, {"a": 1}, {"a": {"b": []}})


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in an answer."""
    found = [path] if path else []
    if isinstance(value, dict):
        children = list(value.items())
    else:
        children = list(enumerate(value)) if isinstance(value, list) else []
    for key, child in children:
        found += places(child, (*path, key))
    return found


def damaged(value: Any, choose: random.Random) -> Any:
    """The answer with one place of it replaced, or taken out."""
    ways = places(value)
    if not ways:
        return choose.choice(ODD)
    value = copy.deepcopy(value)
    *parents, last = choose.choice(ways)
    holder = value
    for key in parents:
        holder = holder[key]
    if choose.random() < 0.2:
        del holder[last]
    else:
        holder[last] = choose.choice(ODD)
    return value


@pytest.fixture
def harm(monkeypatch):
    """Damages the answers of one cluster: `harm(seed)` begins, `harm(None)` ends it."""
    state: dict[str, random.Random | None] = {"choose": None}
    read = cluster_transport.read

    def _read(response) -> bytes:
        content = read(response)
        if state["choose"] is None or not content.startswith(b"{"):
            return content
        return json.dumps(damaged(json.loads(content), state["choose"])).encode()

    monkeypatch.setattr(cluster_transport, "read", _read)
    return lambda seed: state.update(choose=None if seed is None else random.Random(seed))


def in_a_hurry(environment: Environment) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now(), lease=None)
    return settle(environment, tries=4)


def check_words(environment: Environment) -> None:
    conditions, events = environment.conditions.all(), environment.events.all()
    assert conditions
    assert events
    for condition in conditions:
        assert condition.reason != "Unexpected", (condition.type, condition.message)
        assert len(condition.message) <= 500
    for event in events:
        assert len(str(event.data)) < 100_000
    assert len(str(environment.usage)) < 100_000


@pytest.mark.parametrize("seed", range(40))
def test_odd_objects_are_told_in_a_sentence_and_do_no_harm(ask, place, harm, caplog, seed):
    harm(seed)
    environment = in_a_hurry(ask())
    check_words(environment)
    observe.observe(place.pk)
    check_words(environment)
    harm(None)
    for _ in range(3):
        environment = in_a_hurry(environment)
    assert environment.phase == Phase.READY, list(environment.conditions.values_list("type", "status", "message"))
    harm(seed + 1000)
    observe.observe(place.pk)
    environment.refresh_from_db()
    check_words(environment)
    harm(None)
    Cluster.objects.update(observing_until=None)
    environment = in_a_hurry(environment)
    actions.delete_environment(environment, environment.owner, typed_name="checkout")
    harm(seed + 2000)
    environment = in_a_hurry(environment)
    check_words(environment)
    harm(None)
    for _ in range(3):
        environment = in_a_hurry(environment)
    assert environment.phase == Phase.DELETED, list(environment.conditions.values_list("type", "status", "message"))
    assert "Traceback" not in caplog.text


def test_one_clusters_nonsense_is_not_anothers_trouble(ask, place):
    """The same pass over two clusters: what one answers is noted on its own row alone."""
    environment = settle(ask())
    with serving(always(http(b'{"kind": "Nonsense"}', "Connection: close"))) as other:
        row = Cluster.objects.create(slug="odd", name="Odd", server=other.url, credential="token")
        Environment.objects.filter(pk=environment.pk).update(usage={})
        observe.observe(row.pk)
        observe.observe(place.pk)
    row.refresh_from_db()
    place.refresh_from_db()
    assert "The cluster's answer is not a list of" in row.check_error
    assert place.check_error == ""
    environment.refresh_from_db()
    assert environment.usage["pods"][1] == "30"
