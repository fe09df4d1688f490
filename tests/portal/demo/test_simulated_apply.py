"""Fields and their owners, beyond what the portal's own manifests exercise."""

import pytest

from portal.demo.simulated.apply import apply, merge_patch, track_update
from portal.demo.simulated.kinds import BY_NAME
from portal.demo.simulated.quantity import canonical
from portal.demo.simulated.statuses import StatusError

MAP, DEPLOYMENT, POLICY = BY_NAME["ConfigMap"], BY_NAME["Deployment"], BY_NAME["NetworkPolicy"]


def _config_map(data=None, **metadata):
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "n"} | metadata}
    return found | ({"data": data} if data is not None else {})


def _apply(live, wanted, manager="one", *, force=False, kind=MAP):
    return apply(kind, live, wanted, manager, "2026-01-01T00:00:00Z", force=force)


def _owners(found):
    return {(each["manager"], each["operation"]): each["fieldsV1"] for each in found["metadata"]["managedFields"]}


def test_two_managers_share_a_field_they_agree_on():
    found = _apply(_apply(None, _config_map({"a": "1"})), _config_map({"a": "1"}), "two")
    assert _owners(found) == {("one", "Apply"): {"f:data": {"f:a": {}}}, ("two", "Apply"): {"f:data": {"f:a": {}}}}


def test_a_shared_field_goes_when_the_last_owner_drops_it():
    both = _apply(_apply(None, _config_map({"a": "1", "b": "2"})), _config_map({"a": "1"}), "two")
    one_left = _apply(both, _config_map({"b": "2"}))
    assert one_left["data"] == {"a": "1", "b": "2"}
    assert _apply(one_left, _config_map(), "two")["data"] == {"b": "2"}


def test_force_takes_a_field_and_without_it_nothing_changes():
    live = _apply(None, _config_map({"a": "1"}))
    with pytest.raises(StatusError, match=r'Apply failed with 1 conflict: conflict with "one": \.data\.a'):
        _apply(live, _config_map({"a": "2"}), "two")
    assert live["data"] == {"a": "1"}
    forced = _apply(live, _config_map({"a": "2"}), "two", force=True)
    assert (forced["data"], _owners(forced)) == ({"a": "2"}, {("two", "Apply"): {"f:data": {"f:a": {}}}})


def test_a_conflict_with_an_update_names_the_version_it_used():
    live = _config_map({"a": "1"})
    track_update(MAP, None, live, "kubectl-edit", "2026-01-01T00:00:00Z")
    with pytest.raises(StatusError, match=r'conflict with "kubectl-edit" using v1: \.data\.a'):
        _apply(live, _config_map({"a": "2"}))


def test_a_map_whose_last_field_is_dropped_goes_too():
    assert "data" not in _apply(_apply(None, _config_map({"a": "1"})), _config_map())


def test_finalizers_are_a_set():
    live = _apply(None, _config_map(finalizers=["x/one"]))
    both = _apply(live, _config_map(finalizers=["x/two"]), "two")
    assert both["metadata"]["finalizers"] == ["x/one", "x/two"]
    assert _apply(both, _config_map())["metadata"]["finalizers"] == ["x/two"]


def _deployment(*containers):
    spec = {"template": {"spec": {"containers": list(containers)}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}, "spec": spec}


#: The API server's own part of a container.
FILLED_IN = {
    "resources": {},
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


def _containers(found):
    return found["spec"]["template"]["spec"]["containers"]


def test_a_container_that_is_no_longer_applied_goes_as_a_whole():
    api, proxy = {"name": "api", "image": "api:1", "command": ["run"]}, {"name": "proxy", "image": "proxy:1"}
    live = _apply(None, _deployment(api, proxy), kind=DEPLOYMENT)
    assert [each["name"] for each in _containers(_apply(live, _deployment(proxy), kind=DEPLOYMENT))] == ["proxy"]


def test_a_containers_field_that_is_no_longer_applied_goes_alone():
    live = _apply(None, _deployment({"name": "api", "image": "api:1", "command": ["run"]}), kind=DEPLOYMENT)
    after = _apply(live, _deployment({"name": "api", "image": "api:2"}), kind=DEPLOYMENT)
    assert _containers(after)[0] == {"name": "api", "image": "api:2"} | FILLED_IN


def test_environment_variables_are_merged_by_name():
    one = {"name": "api", "env": [{"name": "A", "value": "1"}]}
    two = {"name": "api", "env": [{"name": "B", "value": "2"}]}
    live = _apply(None, _deployment(one), kind=DEPLOYMENT)
    after = _apply(live, _deployment(two), "two", kind=DEPLOYMENT)
    assert _containers(after)[0]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


def test_a_pod_selector_is_owned_and_replaced_as_a_whole():
    def policy(labels):
        spec = {"podSelector": {"matchLabels": labels} if labels else {}, "policyTypes": ["Ingress"]}
        return {"apiVersion": POLICY.api_version, "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}

    live = _apply(None, policy({"a": "1"}), kind=POLICY)
    after = _apply(live, policy({}), kind=POLICY)
    assert after["spec"]["podSelector"] == {}
    assert _owners(after)[("one", "Apply")]["f:spec"] == {"f:podSelector": {}, "f:policyTypes": {}}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": ["c", "d"]}, {"a": ["c", "d"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "c"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_that_of_rfc_7386(target, patch, result):
    assert merge_patch(target, patch) == result


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("1.5", "1500m"), ("1500m", "1500m"), ("2000", "2k"), ("1e3", "1k"),
        ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0.5Gi", "512Mi"), ("1024", "1024"), ("1000M", "1G"), ("0", "0"),
        ("0Gi", "0"), ("100m", "100m"), (".5", "500m"), ("1.", "1"), ("0.0000000001", "1m"), ("-1", "-1"),
        ("5u", "1m"), ("10E", "10E"), ("8Ei", "9223372036854775807"), ("Gi", "0"), (".", "0"),
    ],
)  # fmt: skip
def test_a_quantity_is_answered_in_its_canonical_form(written, answered):
    assert canonical(written) == answered


@pytest.mark.parametrize("written", ["", "many", "1 Gi", "1GiB", "1e", "1,5", "--1"])
def test_what_is_no_quantity_is_refused(written):
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        canonical(written)
