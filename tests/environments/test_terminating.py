"""Why a namespace does not end, from what the API server says of it."""

import pytest

from environments.kube import terminating
from environments.lib.errors import TemporaryError

REMAINING = "Some resources are remaining: persistentvolumeclaims. has 3 resource instances, widgets.example.com has 1 "
HOLDING = "Some content in the namespace has finalizers remaining: kubernetes.io/pvc-protection in 3 resource instances"


class Client:
    """Answers lists from a dictionary, or not at all."""

    def __init__(self, **lists):
        self.lists = lists

    def list_objects(self, kind, namespace, **_):
        if self.lists.get(kind) is None:
            raise TemporaryError("The cluster did not answer in time.", reason="Timeout")
        yield from self.lists[kind]


def namespace(finalizers=(), spec=(), **conditions):
    listed = [{"type": kind, "status": "True", "message": message} for kind, message in conditions.items()]
    metadata = {"name": "shop", "finalizers": list(finalizers)}
    return {"metadata": metadata, "spec": {"finalizers": list(spec)}, "status": {"conditions": listed}}


def claim(name, *finalizers, deleted=True):
    stamp = {"deletionTimestamp": "2026-11-29T10:00:00Z"} if deleted else {}
    return {"metadata": {"name": name, "finalizers": list(finalizers)} | stamp}


STUCK = namespace(NamespaceContentRemaining=REMAINING + "resource instances", NamespaceFinalizersRemaining=HOLDING)


def test_the_first_objects_are_named_and_the_rest_counted():
    claims = [claim(f"data-{n}", "kubernetes.io/pvc-protection") for n in range(3)]
    found = terminating.why(
        Client(PersistentVolumeClaim=[*claims, claim("free"), claim("young", "x", deleted=False)]), STUCK
    )
    assert found == (
        "The cluster can't delete the namespace yet: PersistentVolumeClaim data-0 has the finalizer "
        "kubernetes.io/pvc-protection; PersistentVolumeClaim data-1 has the finalizer kubernetes.io/pvc-protection; "
        "and 1 more. It goes when no pod uses the volume claim any longer."
    )


def test_without_an_answer_the_resources_and_finalizers_are_named():
    found = terminating.why(Client(), STUCK)
    assert (
        "Objects (persistentvolumeclaims,widgets.example.com) have the finalizer kubernetes.io/pvc-protection" in found
    )
    assert found.endswith("kubectl get persistentvolumeclaims,widgets.example.com -n shop")


def test_a_name_that_is_none_gets_into_no_command():
    odd = Client(PersistentVolumeClaim=[claim("a; rm -rf /", "a/b")])
    assert "kubectl" not in terminating.why(odd, STUCK)
    assert "kubectl patch" in terminating.why(Client(PersistentVolumeClaim=[claim("a", "a/b")]), STUCK)


@pytest.mark.parametrize(
    ("condition", "to_do"),
    [
        ("NamespaceDeletionDiscoveryFailure", "An API service of the cluster does not answer."),
        ("NamespaceDeletionContentFailure", "for example a webhook"),
    ],
)
def test_a_deletion_that_fails_says_whom_to_ask(condition, to_do):
    found = terminating.why(Client(), namespace(**{condition: "Discovery failed: metrics.k8s.io/v1beta1 is down."}))
    assert "metrics.k8s.io/v1beta1 is down." in found
    assert to_do in found


def test_content_that_merely_takes_its_time_is_said_in_the_clusters_words():
    found = terminating.why(Client(), namespace(NamespaceContentRemaining=REMAINING))
    assert found == f"The cluster can't delete the namespace yet: {REMAINING}"


@pytest.mark.parametrize("live", [namespace(), namespace(["a/b"], ["kubernetes"]), {"metadata": {"name": "shop"}}])
def test_while_nothing_holds_it_up_nothing_is_said(live):
    assert terminating.why(Client(), live) == ""
