"""Quotas and limits: figures that move, and what is refused."""

import pytest

from environments.lib.errors import PermanentError
from tests.contract.arrange import (
    config_map,
    eventually,
    limit_range,
    pod,
    quota,
    start,
    used,
    wait_until_enforced,
    wait_until_furnished,
)

HARD = {"requests.cpu": "1", "limits.memory": "1Gi", "pods": "2"}


@pytest.fixture
def governed(portal, admin, home) -> str:
    """A namespace with a quota that is enforced."""
    wait_until_furnished(admin, home)
    portal.apply(quota(home, HARD))
    wait_until_enforced(admin, home)
    return home


def test_a_new_quota_is_unused(admin, governed):
    status = admin.get("ResourceQuota", "quota", governed)["status"]
    assert status == {"hard": HARD, "used": {"requests.cpu": "0", "limits.memory": "0", "pods": "0"}}


def test_usage_moves_with_a_pod(portal, admin, governed):
    start(admin, pod(governed, "api", {"cpu": "250m"}, memory="256Mi"))
    eventually(lambda: used(admin, governed, "pods") == "1", "the pod is counted")
    status = admin.get("ResourceQuota", "quota", governed)["status"]
    assert status["used"] == {"requests.cpu": "250m", "limits.memory": "256Mi", "pods": "1"}
    admin.delete("Pod", "api", governed)
    eventually(lambda: used(admin, governed, "pods") == "0", "the pod is no longer counted")
    assert used(admin, governed, "requests.cpu") == "0"


def test_a_quota_that_is_made_smaller_than_its_usage_stays_exceeded(portal, admin, governed):
    start(admin, pod(governed, "api", {"cpu": "500m"}, memory="256Mi"))
    portal.apply(quota(governed, HARD | {"requests.cpu": "100m"}))
    found = wait_until_enforced(admin, governed)
    assert found["status"]["used"]["requests.cpu"] == "500m"
    assert found["status"]["hard"]["requests.cpu"] == "100m"


def test_what_exceeds_the_quota_is_refused_with_the_figures(admin, governed):
    start(admin, pod(governed, "one", {"cpu": "600m"}, memory="128Mi"))
    with pytest.raises(PermanentError) as caught:
        admin.create(pod(governed, "two", {"cpu": "500m"}, memory="1Gi"))
    assert caught.value.message == (
        'The cluster rejected the request (403): pods "two" is forbidden: exceeded quota: quota, '
        "requested: limits.memory=1Gi,requests.cpu=500m, used: limits.memory=128Mi,requests.cpu=600m, "
        "limited: limits.memory=1Gi,requests.cpu=1"
    )
    assert caught.value.reason == "Forbidden"


def test_objects_are_counted_too(portal, admin, home):
    wait_until_furnished(admin, home)
    portal.apply(quota(home, {"configmaps": "2", "count/services": "1"}))
    wait_until_enforced(admin, home)
    # The quota's controller counts by a cache of its own, which may see kube-root-ca.crt later than we do.
    eventually(lambda: used(admin, home, "configmaps") == "1", "kube-root-ca.crt is counted")
    start(admin, config_map(home, "mine"))
    with pytest.raises(PermanentError, match="exceeded quota: quota, requested: configmaps=1, used: configmaps=2"):
        admin.create(config_map(home, "one-too-many"))


def test_storage_is_counted_by_what_claims_ask_for(portal, admin, home):
    portal.apply(quota(home, {"requests.storage": "5Gi", "persistentvolumeclaims": "3"}))
    wait_until_enforced(admin, home)
    start(admin, _claim(home, "small", "2Gi"))
    eventually(lambda: used(admin, home, "requests.storage") == "2Gi", "the claim is counted")
    with pytest.raises(PermanentError, match=r"requested: requests\.storage=4Gi, used: requests\.storage=2Gi"):
        admin.create(_claim(home, "large", "4Gi"))


def _claim(home, name, storage):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    metadata = {"name": name, "namespace": home}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def test_a_pod_without_resources_is_refused_where_nobody_says_any_for_it(admin, governed):
    with pytest.raises(PermanentError) as caught:
        admin.create(pod(governed, "plain"))
    assert caught.value.message == (
        'The cluster rejected the request (403): pods "plain" is forbidden: '
        "failed quota: quota: must specify limits.memory for: main; requests.cpu for: main"
    )


def test_a_pod_without_resources_starts_thanks_to_the_limit_range(portal, admin, governed):
    portal.apply(limit_range(governed, default={"memory": "128Mi", "cpu": "200m"}, defaultRequest={"cpu": "0.1"}))
    made = eventually(lambda: _try(admin, pod(governed, "plain")), "the limit range is known")
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "200m", "memory": "128Mi"},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"].startswith("LimitRanger plugin set: cpu")
    eventually(lambda: used(admin, governed, "requests.cpu") == "100m", "the defaults are counted")


def test_a_limit_range_fills_in_its_own_gaps(portal, home):
    made = portal.apply(limit_range(home, max={"memory": "1Gi"}, default={"cpu": "0.2"}))
    assert made["spec"]["limits"] == [
        {
            "type": "Container",
            "max": {"memory": "1Gi"},
            "default": {"cpu": "200m", "memory": "1Gi"},
            "defaultRequest": {"cpu": "200m", "memory": "1Gi"},
        }
    ]


def test_a_container_above_the_maximum_is_refused(portal, admin, governed):
    portal.apply(limit_range(governed, max={"memory": "256Mi"}, default={"cpu": "100m"}))
    message = "maximum memory usage per Container is 256Mi, but limit is 512Mi"
    eventually(
        lambda: message in _refusal(admin, pod(governed, "big", {"cpu": "10m"}, memory="512Mi")),
        "the limit range is known",
    )


def test_a_request_above_its_limit_is_invalid(admin, home):
    wait_until_furnished(admin, home)
    with pytest.raises(PermanentError, match="must be less than or equal to cpu limit of 1") as caught:
        admin.create(pod(home, "odd", {"cpu": "2"}, cpu="1"))
    assert caught.value.reason == "Invalid"


def test_a_taken_name_is_found_only_after_the_quota(portal, admin, governed):
    """As in Kubernetes: who is over quota hears of that, even for something that is there already."""
    start(admin, pod(governed, "one", {"cpu": "100m"}, memory="100Mi"))
    start(admin, pod(governed, "two", {"cpu": "100m"}, memory="100Mi"))
    with pytest.raises(PermanentError, match="exceeded quota"):
        admin.create(pod(governed, "one", {"cpu": "100m"}, memory="100Mi"))


def _try(admin, manifest):
    """The object, None while it is refused: caches in the API server lag behind a little."""
    try:
        return admin.create(manifest)
    except PermanentError:
        return None


def _refusal(admin, manifest) -> str:
    """Why an object is refused; empty where it is not, and then it is taken away again."""
    try:
        admin.create(manifest)
    except PermanentError as error:
        return error.message
    admin.delete("Pod", manifest["metadata"]["name"], manifest["metadata"]["namespace"])
    return ""
