"""A namespace that somebody else took the place of is neither read, changed nor deleted."""

import pytest
from django.utils import timezone

from environments import actions
from environments.kube.client import ClusterClient
from environments.lib.phases import Phase
from environments.models import Environment
from environments.routine import observe
from tests.arranging import Account, settle

pytestmark = pytest.mark.django_db

LABEL = "allotment.internal/environment"


@pytest.fixture
def keyboard(simulated):
    """An administrator with kubectl: not the portal, and not under its name."""
    return ClusterClient(Account(simulated.url, simulated.admin_token), field_manager="kubectl-create")


def look_again(environment: Environment) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    return settle(environment)


def replace(keyboard, environment: Environment) -> dict:
    """Delete our namespace and make another with the same name and labels."""
    live = keyboard.get("Namespace", environment.namespace)
    keyboard.delete("Namespace", environment.namespace)
    while keyboard.get("Namespace", environment.namespace):
        pass
    metadata = {key: live["metadata"][key] for key in ("name", "labels", "annotations")}
    return keyboard.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def test_one_that_was_made_again_by_somebody_else_is_not_ours_whatever_its_labels_say(ask, keyboard):
    environment = settle(ask())
    other = replace(keyboard, environment)
    assert other["metadata"]["uid"] != environment.namespace_uid
    before = other["metadata"]["resourceVersion"]
    environment = look_again(environment)
    assert environment.phase == Phase.FAILED
    condition = environment.conditions.get(type="Namespace")
    assert (condition.reason, "this environment did not create it" in condition.message) == ("NotOurs", True)
    live = keyboard.get("Namespace", environment.namespace)
    assert live["metadata"]["resourceVersion"] == before
    assert list(keyboard.list_objects("RoleBinding", environment.namespace)) == []


def test_and_it_outlives_the_environment(ask, keyboard):
    environment = settle(ask())
    other = replace(keyboard, environment)
    actions.delete_environment(environment, environment.owner, typed_name="checkout")
    assert settle(environment).phase == Phase.DELETED
    assert keyboard.get("Namespace", environment.namespace)["metadata"]["uid"] == other["metadata"]["uid"]


def test_one_that_a_run_made_and_died_before_it_could_say_so_is_ours(ask, keyboard):
    environment = settle(ask())
    Environment.objects.filter(pk=environment.pk).update(namespace_uid="of-the-one-before")
    environment = look_again(environment)
    assert environment.phase == Phase.READY
    assert environment.namespace_uid == keyboard.get("Namespace", environment.namespace)["metadata"]["uid"]


@pytest.mark.parametrize("value", [None, "6f1c0a52-0000-0000-0000-000000000001"], ids=["taken off", "another's"])
def test_one_whose_label_was_moved_is_told_and_left_alone(ask, keyboard, value):
    environment = settle(ask())
    patch = {"kind": "Namespace", "metadata": {"name": environment.namespace, "labels": {LABEL: value}}}
    keyboard.overwrite(patch | {"apiVersion": "v1"})
    environment = look_again(environment)
    assert environment.phase == Phase.FAILED
    assert environment.conditions.get(type="Namespace").reason == "NotOurs"


def test_objects_with_our_label_in_another_namespace_say_nothing_of_ours(ask, keyboard, place):
    """Somebody labels a quota of theirs with our id: our figures and our drift are not what it says."""
    environment = settle(ask())
    keyboard.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})
    live = keyboard.get("ResourceQuota", "environment-quota", environment.namespace)
    metadata = {"name": "environment-quota", "namespace": "elsewhere", "labels": live["metadata"]["labels"]}
    try:
        keyboard.create(
            {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "7777"}}}
        )
        assert observe.observe(place.pk) == []
        environment.refresh_from_db()
        assert environment.usage["pods"][1] == "30"
        keyboard.delete("ResourceQuota", "environment-quota", environment.namespace)
        assert observe.observe(place.pk) == [str(environment.pk)], "theirs does not stand in for ours"
    finally:
        keyboard.delete("Namespace", "elsewhere")
