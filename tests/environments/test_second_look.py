"""An answer may be valid and wrong: an empty list, a 404 beside a 409. The portal looks again before it concludes."""

import json
import re

import pytest
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Status
from environments.models import Cluster, Environment, Event
from environments.reconcile import engine as reconcile
from environments.routine import observe
from environments.routine.observe import second_look
from tests.arranging import drop_policy, settle
from tests.faults.proxy import Answer, FaultProxy, Rule

pytestmark = pytest.mark.django_db

JSON = [("Content-Type", "application/json")]
KINDS = {
    "namespaces": ("v1", "Namespace"),
    "limitranges": ("v1", "LimitRange"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "resourcequotas": ("v1", "ResourceQuota"),
}


class Liar(FaultProxy):
    """Answers the requests that match a pattern with what is not true; `asked` counts them."""

    pattern, answer, asked = "", Answer(200, JSON, b"{}"), 0

    def take(self, line):
        if not self.pattern or not re.search(self.pattern, line):
            return None
        self.asked += 1
        return Rule("lie", 0)

    def trouble(self, kind):
        return self.answer if kind == "lie" else super().trouble(kind)

    def empty_list(self, plural):
        version, kind = KINDS[plural]
        body = {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": []}
        self.pattern, self.answer = rf"^GET .*/{plural}\?.*labelSelector", Answer(200, JSON, json.dumps(body).encode())


@pytest.fixture
def liar(simulated, place):
    with Liar(simulated.url) as proxy:
        place.server = proxy.url
        place.save()
        yield proxy


@pytest.mark.parametrize("plural", KINDS)
def test_an_empty_list_is_no_drift(ask, place, liar, plural):
    environments = [settle(ask(f"n{number}")) for number in range(3)]
    liar.empty_list(plural)
    assert observe.observe(place.pk) == []
    assert liar.asked == 1
    assert not Event.objects.filter(kind=Activity.CHANGED_BY_HAND).exists()
    assert {each.phase for each in Environment.objects.filter(pk__in=[one.pk for one in environments])} == {Phase.READY}


def test_it_is_no_drift_of_those_either_for_whom_there_was_no_look_left(ask, place, liar, monkeypatch):
    for number in range(3):
        settle(ask(f"n{number}"))
    monkeypatch.setattr(second_look, "MOST_LOOKS", 1)
    liar.empty_list("networkpolicies")
    assert observe.observe(place.pk) == []


def test_where_there_is_no_look_left_the_first_counts(ask, place, admin, monkeypatch):
    environments = [settle(ask(f"n{number}")) for number in range(3)]
    for environment in environments:
        drop_policy(admin, environment)
    monkeypatch.setattr(second_look, "MOST_LOOKS", 1)
    assert sorted(observe.observe(place.pk)) == sorted(str(each.pk) for each in environments)


def test_without_an_answer_to_the_second_look_nothing_is_said(ask, place, admin, simulated):
    environment = settle(ask())
    drop_policy(admin, environment)
    simulated.faults.add(method="GET", path_regex=f"/namespaces/{environment.namespace}/networkpolicies", status=503)
    assert observe.observe(place.pk) == []
    assert observe.observe(place.pk) == [str(environment.pk)]


def test_what_is_in_order_costs_no_second_look(ask, place, simulated):
    for number in range(3):
        settle(ask(f"n{number}"))
    counted = simulated.faults.add(method="GET", delay=0.0001, times=10_000)
    assert observe.observe(place.pk) == []
    assert counted.seen == 5


def test_a_404_beside_a_409_is_looked_at_again(ask, liar):
    environment = settle(ask())
    body = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}
    liar.pattern = rf"^GET .*/namespaces/{environment.namespace}$"
    liar.answer = Answer(404, JSON, json.dumps(body).encode())
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    reconcile.reconcile(environment.pk)
    namespace = environment.conditions.get(type="Namespace")
    assert (namespace.status, namespace.reason) == (Status.WAITING, "Contradiction")
    environment.refresh_from_db()
    assert environment.phase == Phase.DEGRADED
    liar.pattern = ""
    assert settle(environment).phase == Phase.READY
    assert not environment.events.filter(kind=Activity.FAILED).exists()
    assert Cluster.objects.get().lost_at is None
