"""A namespace that does not end: the finalizer, its object and what to do, on both paths and on both clusters."""

import pytest

from environments.directory.local import LocalClient
from environments.kube import manifests
from environments.reconcile.steps import namespace as step
from environments.reconcile.steps.base import Context, Naming
from tests.contract.arrange import config_map, desired, eventually, wait_until_furnished

HOLD = "example.com/hold"
NULL = """--type=merge -p '{"metadata":{"finalizers":null}}'"""
OUTSIDE = "Someone deleted this namespace on the cluster. The portal then creates it again, empty."
ASK = "The controller that set it must remove it. If that controller no longer runs, ask a cluster admin to run:"


@pytest.fixture
def context(portal, admin, home, raw_admin):
    """A namespace of ours; whatever has a finalizer in the end is freed again."""
    wanted = desired(home)
    portal.apply(manifests.namespace(wanted))
    wait_until_furnished(admin, home)
    uid = admin.get("Namespace", home)["metadata"]["uid"]
    yield Context(desired=wanted, cluster=portal, directory=LocalClient(0), naming=Naming(), namespace_uid=uid)
    free = {"metadata": {"finalizers": None}}
    for path in ("", "/configmaps/held", "/services/held"):
        raw_admin("PATCH", f"/api/v1/namespaces/{home}{path}", free, "application/merge-patch+json")


def service(home: str) -> dict:
    metadata = {"name": "held", "namespace": home, "finalizers": [HOLD]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


def told(call, context: Context, word: str) -> str:
    """The step's message once it names what is looked for."""

    def look() -> str:
        outcome = call(context)
        assert (outcome.reason, outcome.wait is not None) == ("Terminating", True)
        return outcome.message if word in outcome.message else ""

    return eventually(look, f"the message names {word}")


def test_a_finalizer_on_an_object_is_named_with_the_object_and_the_command(context, admin, home):
    admin.create(service(home))
    step.remove(context)
    assert told(step.remove, context, HOLD) == (
        f"The cluster can't delete the namespace yet: Service held has the finalizer {HOLD}. {ASK} "
        f"kubectl patch services held -n {home} {NULL}"
    )


def test_an_object_that_the_portal_may_not_list_is_named_by_its_resource(context, admin, home):
    admin.create(config_map(home, "held", finalizers=[HOLD]))
    step.remove(context)
    assert told(step.remove, context, HOLD) == (
        f"The cluster can't delete the namespace yet: Objects (configmaps) have the finalizer {HOLD}. "
        f"The controller that set it must remove it. To see them: kubectl get configmaps -n {home}"
    )


def test_a_finalizer_on_the_namespace_itself_is_named(context, raw_admin, home):
    body = {"metadata": {"finalizers": [HOLD]}}
    raw_admin("PATCH", f"/api/v1/namespaces/{home}", body, "application/merge-patch+json")
    step.remove(context)
    assert told(step.remove, context, HOLD) == (
        f"The cluster can't delete the namespace yet: The namespace itself has the finalizer {HOLD}. {ASK} "
        f"kubectl patch namespace {home} {NULL}"
    )


def test_a_namespace_that_somebody_deleted_says_so_and_what_holds_it(context, admin, home):
    admin.create(service(home))
    admin.delete("Namespace", home)
    message = told(step.ensure, context, HOLD)
    assert message.startswith(f"{OUTSIDE} The cluster can't delete the namespace yet: Service held has the finalizer")
    assert len(message) <= 500  # as much as a condition keeps


def test_a_namespace_that_nothing_holds_is_only_said_to_be_deleted(context, admin, home):
    assert step.remove(context).message == "The cluster is deleting the namespace and everything in it."
    eventually(lambda: admin.get("Namespace", home) is None, "the namespace is gone")
    assert step.remove(context).message == "The cluster deleted the namespace."
