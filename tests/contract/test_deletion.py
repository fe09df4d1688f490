"""The end of a namespace: asked for, refused, stuck, and done."""

import pytest

from environments.lib.errors import PermanentError, TemporaryError
from tests.contract.arrange import config_map, eventually, namespace, quota


def test_a_deleted_namespace_is_gone_in_the_end_with_all_that_was_in_it(portal, admin, home):
    portal.apply(quota(home, {"pods": "3"}))
    assert portal.delete("Namespace", home) is True
    assert portal.get("Namespace", home)["status"]["phase"] == "Terminating"
    eventually(lambda: portal.get("Namespace", home) is None, "the namespace is gone")
    assert list(admin.list_objects("ResourceQuota", home)) == []
    assert portal.delete("Namespace", home) is False


def test_a_namespace_is_only_deleted_if_it_is_the_one_that_was_meant(portal, home):
    with pytest.raises(TemporaryError, match="Precondition failed") as caught:
        portal.delete("Namespace", home, uid="00000000-0000-0000-0000-000000000000")
    assert caught.value.reason == "Conflict"
    found = portal.get("Namespace", home)
    assert found["status"]["phase"] == "Active"
    assert portal.delete("Namespace", home, uid=found["metadata"]["uid"]) is True


def test_deleting_again_while_it_ends_is_fine(portal, home):
    uid = portal.get("Namespace", home)["metadata"]["uid"]
    assert portal.delete("Namespace", home, uid=uid) is True
    first = portal.get("Namespace", home)["metadata"]["deletionTimestamp"]
    assert portal.delete("Namespace", home, uid=uid) is True
    assert portal.get("Namespace", home)["metadata"]["deletionTimestamp"] == first


def test_nothing_new_is_made_in_a_namespace_that_ends(portal, admin, home):
    admin.create(config_map(home, "held", finalizers=["example.org/hold"]))
    portal.delete("Namespace", home)
    with pytest.raises(TemporaryError) as caught:
        portal.apply(quota(home, {"pods": "1"}))
    assert caught.value.reason == "NamespaceTerminating"


def test_the_name_of_a_namespace_that_ends_is_still_taken(portal, admin, home, raw):
    admin.create(config_map(home, "held", finalizers=["example.org/hold"]))
    portal.delete("Namespace", home)
    status, answer = raw("POST", "/api/v1/namespaces", namespace(home))
    assert (status, answer["reason"]) == (409, "AlreadyExists")
    assert answer["message"] == f'object is being deleted: namespaces "{home}" already exists'


def test_a_namespace_that_is_stuck_says_what_holds_it(portal, admin, home):
    admin.create(config_map(home, "held", finalizers=["example.org/hold"]))
    portal.delete("Namespace", home)

    def conditions():
        found = portal.get("Namespace", home)["status"].get("conditions", [])
        return {each["type"]: each for each in found}

    stuck = eventually(conditions, "the namespace has conditions")
    finalizers, content = stuck["NamespaceFinalizersRemaining"], stuck["NamespaceContentRemaining"]
    assert (finalizers["status"], finalizers["reason"]) == ("True", "SomeFinalizersRemain")
    assert finalizers["message"] == (
        "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"
    )
    assert content["message"] == "Some resources are remaining: configmaps. has 1 resource instances"
    assert stuck["NamespaceDeletionContentFailure"]["status"] == "False"


def test_an_object_with_a_finalizer_goes_when_the_finalizer_does(admin, raw_admin, home):
    path = f"/api/v1/namespaces/{home}/configmaps/held"
    admin.create(config_map(home, "held", finalizers=["example.org/hold"]))
    assert admin.delete("ConfigMap", "held", home) is True
    assert admin.get("ConfigMap", "held", home)["metadata"]["deletionTimestamp"]
    raw_admin("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert admin.get("ConfigMap", "held", home) is None


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_clusters_own_namespaces_cannot_be_deleted(portal, name):
    with pytest.raises(PermanentError, match="this namespace may not be deleted"):
        portal.delete("Namespace", name)
    assert portal.get("Namespace", name)["status"]["phase"] == "Active"
