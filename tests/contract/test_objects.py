"""Making, repairing and changing the objects of an environment, as the portal's least-privileged account."""

import pytest

from environments.kube.answers import AlreadyExistsError
from environments.kube.differing import differences
from environments.kube.manifests import all_manifests
from environments.lib.errors import PermanentError, TemporaryError
from tests.contract.arrange import APPLY, config_map, desired, namespace, quota, role_binding


def _apply_all(portal, wanted):
    return [portal.apply(manifest) for manifest in all_manifests(wanted)]


def _live(client, manifest):
    metadata = manifest["metadata"]
    return client.get(manifest["kind"], metadata["name"], metadata.get("namespace", ""))


def _version(found) -> str:
    return found["metadata"]["resourceVersion"]


def test_the_namespace_and_its_objects_are_made_as_their_manifests_say(portal, admin, new_name):
    manifests = all_manifests(desired(new_name))
    for manifest in manifests:
        portal.apply(manifest)
    kinds = ["Namespace", *["ResourceQuota"] * 2, "LimitRange", *["NetworkPolicy"] * 2, "RoleBinding"]
    assert [manifest["kind"] for manifest in manifests] == kinds
    for manifest in manifests:
        assert differences(manifest, _live(admin, manifest), "example.org") == []


def test_the_server_adds_what_identifies_an_object(portal, new_name):
    made = portal.apply(namespace(new_name))
    metadata = made["metadata"]
    assert metadata["uid"]
    assert metadata["resourceVersion"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["labels"] == {"kubernetes.io/metadata.name": new_name}
    assert made["status"] == {"phase": "Active"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}


def test_applying_the_same_again_changes_nothing(portal, admin, new_name):
    manifests = all_manifests(desired(new_name))
    assert len(manifests) == 7
    for manifest in manifests:
        portal.apply(manifest)
        # A controller may write the status between the two, so what matters is that the second writes nothing.
        before = _live(admin, manifest)
        again = portal.apply(manifest)
        if before["metadata"]["resourceVersion"] != again["metadata"]["resourceVersion"]:
            before = portal.apply(manifest)
            again = portal.apply(manifest)
        assert _version(again) == _version(before)
        assert again["metadata"]["managedFields"] == before["metadata"]["managedFields"]


def test_quantities_come_back_in_their_canonical_form(portal, home):
    made = portal.apply(quota(home, {"requests.cpu": "1000m", "limits.memory": "1.5Gi", "pods": "2000"}))
    assert made["spec"]["hard"] == {"requests.cpu": "1", "limits.memory": "1536Mi", "pods": "2k"}


def test_applying_repairs_a_hand_edit(portal, admin, home):
    wanted = quota(home, {"pods": "3"})
    portal.apply(wanted)
    admin.apply(quota(home, {"pods": "99"}))
    assert admin.get("ResourceQuota", "quota", home)["spec"]["hard"] == {"pods": "99"}
    assert portal.apply(wanted)["spec"]["hard"] == {"pods": "3"}


def test_applying_leaves_what_somebody_else_added(portal, admin, home):
    portal.apply(namespace(home, labels={"example.org/ours": "yes"}))
    admin.apply(namespace(home, labels={"example.org/theirs": "yes"}))
    labels = portal.apply(namespace(home, labels={"example.org/ours": "still"}))["metadata"]["labels"]
    assert labels["example.org/theirs"] == "yes"
    assert labels["example.org/ours"] == "still"


def test_a_field_that_is_no_longer_in_the_manifest_is_removed(portal, home):
    portal.apply(quota(home, {"pods": "3", "services": "2"}))
    assert portal.apply(quota(home, {"pods": "3"}))["spec"]["hard"] == {"pods": "3"}


def test_a_label_that_is_no_longer_in_the_manifest_is_removed(portal, home):
    portal.apply(namespace(home, labels={"example.org/one": "1", "example.org/two": "2"}))
    after = portal.apply(namespace(home, labels={"example.org/one": "1"}))
    assert after["metadata"]["labels"] == {"example.org/one": "1", "kubernetes.io/metadata.name": home}


def test_a_field_that_somebody_else_applies_too_is_not_removed(portal, admin, home):
    portal.apply(quota(home, {"pods": "3", "services": "2"}))
    admin.apply(quota(home, {"services": "2"}))
    assert portal.apply(quota(home, {"pods": "3"}))["spec"]["hard"] == {"pods": "3", "services": "2"}


def test_without_force_a_field_of_another_manager_is_a_conflict(portal, admin, raw, home):
    portal.apply(quota(home, {"pods": "3", "services": "2"}))
    path = f"/api/v1/namespaces/{home}/resourcequotas/quota?fieldManager=somebody"
    status, answer = raw("PATCH", path, quota(home, {"pods": "9", "services": "9", "secrets": "1"}), APPLY)
    assert (status, answer["reason"]) == (409, "Conflict")
    assert answer["message"] == (
        'Apply failed with 2 conflicts: conflicts with "allotment":\n- .spec.hard.pods\n- .spec.hard.services'
    )
    causes = [(cause["reason"], cause["field"]) for cause in answer["details"]["causes"]]
    assert causes == [("FieldManagerConflict", ".spec.hard.pods"), ("FieldManagerConflict", ".spec.hard.services")]
    assert admin.get("ResourceQuota", "quota", home)["spec"]["hard"] == {"pods": "3", "services": "2"}


def test_a_merge_patch_takes_the_field_from_who_applied_it(portal, raw, home):
    portal.apply(quota(home, {"pods": "3", "services": "2"}))
    path = f"/api/v1/namespaces/{home}/resourcequotas/quota?fieldManager=edit"
    status, answer = raw("PATCH", path, {"spec": {"hard": {"pods": "9"}}}, "application/merge-patch+json")
    owners = {
        entry["manager"]: entry["fieldsV1"]["f:spec"]["f:hard"]
        for entry in answer["metadata"]["managedFields"]
        if entry.get("subresource") != "status"
    }
    assert status == 200
    assert owners == {"allotment": {"f:services": {}}, "edit": {"f:pods": {}}}


def test_a_list_of_subjects_is_replaced_as_a_whole(portal, home):
    portal.apply(role_binding(home, "environment-viewer", ("Group", "one"), ("User", "theo@example.com")))
    after = portal.apply(role_binding(home, "environment-viewer", ("Group", "two")))
    assert [subject["name"] for subject in after["subjects"]] == ["two"]


def test_containers_are_merged_by_name(admin, raw_admin, home):
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": home},
        "spec": {
            "selector": {"matchLabels": {"app": "api"}},
            "template": {
                "metadata": {"labels": {"app": "api"}},
                "spec": {"containers": [{"name": "api", "image": "api:1"}]},
            },
        },
    }
    admin.apply(deployment)
    sidecar = {"containers": [{"name": "proxy", "image": "proxy:1"}]}
    addition = {key: deployment[key] for key in ("apiVersion", "kind", "metadata")} | {
        "spec": {"template": {"spec": sidecar}}
    }
    path = f"/apis/apps/v1/namespaces/{home}/deployments/api?fieldManager=mesh"
    status, answer = raw_admin("PATCH", path, addition, APPLY)
    assert status == 200
    names = [container["name"] for container in answer["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["api", "proxy"]


def test_a_quota_is_changed_in_place(portal, home):
    before = portal.apply(quota(home, {"pods": "3"}))
    after = portal.apply(quota(home, {"pods": "5"}))
    assert after["spec"]["hard"] == {"pods": "5"}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert _version(after) != _version(before)


def test_a_changed_policy_has_the_next_generation(portal, home):
    policy = next(each for each in all_manifests(desired(home)) if each["kind"] == "NetworkPolicy")
    assert portal.apply(policy)["metadata"]["generation"] == 1
    assert portal.apply(policy)["metadata"]["generation"] == 1
    policy["spec"]["policyTypes"] = ["Ingress"]
    assert portal.apply(policy)["metadata"]["generation"] == 2


def test_a_namespace_that_exists_is_not_created_again(portal, home):
    with pytest.raises(AlreadyExistsError, match=f'namespaces "{home}" already exists'):
        portal.create(namespace(home))


def test_a_foreign_namespace_stays_as_it_was_when_creating_it_is_refused(portal, admin, new_name):
    admin.create(namespace(new_name, labels={"example.org/team": "theirs"}))
    before = admin.get("Namespace", new_name)
    with pytest.raises(AlreadyExistsError):
        portal.create(namespace(new_name, labels={"example.org/team": "ours"}))
    assert admin.get("Namespace", new_name) == before


def test_what_is_not_there_is_none(portal, home):
    assert portal.get("Namespace", "nobody-has-this-name") is None
    assert portal.get("RoleBinding", "none", home) is None
    assert portal.delete("RoleBinding", "none", home) is False


def test_an_object_cannot_be_made_in_a_namespace_that_is_not_there(portal):
    with pytest.raises(TemporaryError) as error:
        portal.apply(quota("nobody-has-this-name", {"pods": "1"}))
    assert error.value.reason == "NamespaceGone"


def test_a_dry_run_answers_but_changes_nothing(portal, new_name):
    answer = portal.apply(namespace(new_name, labels={"example.org/a": "b"}), dry_run=True)
    assert answer["metadata"]["labels"]["example.org/a"] == "b"
    assert portal.get("Namespace", new_name) is None
    assert portal.create(namespace(new_name), dry_run=True)["metadata"]["name"] == new_name
    assert portal.get("Namespace", new_name) is None


def test_a_dry_run_of_a_change_shows_it_and_leaves_the_object(portal, admin, home):
    portal.apply(quota(home, {"pods": "3"}))
    answer = portal.apply(quota(home, {"pods": "9"}), dry_run=True)
    assert answer["spec"]["hard"] == {"pods": "9"}
    assert admin.get("ResourceQuota", "quota", home)["spec"]["hard"] == {"pods": "3"}


def test_a_dry_run_shows_what_a_hand_edit_changed(portal, admin, home):
    wanted = quota(home, {"pods": "3"})
    portal.apply(wanted)
    admin.apply(quota(home, {"pods": "9"}))
    live, repaired = admin.get("ResourceQuota", "quota", home), portal.apply(wanted, dry_run=True)
    assert (live["spec"], repaired["spec"]) == ({"hard": {"pods": "9"}}, {"hard": {"pods": "3"}})


def test_a_dry_run_is_refused_like_the_real_thing(portal, home):
    with pytest.raises(PermanentError, match="must be greater than or equal to 0"):
        portal.apply(quota(home, {"pods": "-1"}), dry_run=True)


def test_an_update_of_what_somebody_changed_meanwhile_is_a_conflict(portal, raw_admin, home):
    seen = portal.apply(namespace(home, labels={"example.org/a": "1"}))
    portal.apply(namespace(home, labels={"example.org/a": "2"}))
    status, answer = raw_admin("PUT", f"/api/v1/namespaces/{home}", seen)
    assert (status, answer["reason"]) == (409, "Conflict")
    assert answer["message"].startswith(f'Operation cannot be fulfilled on namespaces "{home}": the object has been')


def test_an_apply_of_what_somebody_changed_meanwhile_is_to_be_tried_again(portal, home):
    seen = portal.apply(namespace(home, labels={"example.org/a": "1"}))
    portal.apply(namespace(home, labels={"example.org/a": "2"}))
    stale = namespace(home, resourceVersion=_version(seen))
    with pytest.raises(TemporaryError) as caught:
        portal.apply(stale)
    assert caught.value.reason == "Conflict"


def test_an_update_takes_away_what_it_leaves_out(raw_admin, admin, home):
    made = admin.create(config_map(home, "settings", labels={"a": "1"}) | {"data": {"one": "1", "two": "2"}})
    made["data"] = {"one": "1"}
    del made["metadata"]["labels"]
    status, answer = raw_admin("PUT", f"/api/v1/namespaces/{home}/configmaps/settings", made)
    assert (status, answer["data"]) == (200, {"one": "1"})
    assert "labels" not in answer["metadata"]
    assert answer["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


def test_the_role_of_a_binding_cannot_be_changed(portal, home):
    portal.apply(role_binding(home, "environment-viewer", ("Group", "one"), name="binding"))
    with pytest.raises(PermanentError, match="cannot change roleRef") as caught:
        portal.apply(role_binding(home, "environment-admin", ("Group", "one"), name="binding"))
    assert caught.value.reason == "Invalid"


def test_a_generated_name_begins_as_asked(raw_admin, home):
    manifest = config_map(home, "x")
    manifest["metadata"] = {"generateName": "settings-"}
    status, answer = raw_admin("POST", f"/api/v1/namespaces/{home}/configmaps", manifest)
    name = answer["metadata"]["name"]
    assert status == 201
    assert name.startswith("settings-")
    assert len(name) == len("settings-") + 5
