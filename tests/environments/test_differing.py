"""How a live object differs from its manifest: whole where it governs, by value where Kubernetes has quantities."""

import pytest

from environments.kube import differing
from environments.kube.differing import Difference, attributed, loosens


def found(kind: str, wanted: dict, live: dict) -> list[str]:
    """The lines about two objects with these contents, without the object's name."""
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}} | wanted
    two = {"metadata": {"name": "x", "uid": "1"}} | live
    return [str(each).partition(": ")[2] for each in differing.differences(one, two, "example.org")]


@pytest.mark.parametrize(
    ("wanted", "live", "lines"),
    [
        ({"a": {"b": ""}}, {"a": {}}, []),
        ({"a": {"b": ""}}, {}, []),
        ({"a": {"b": None}}, {"a": {"b": 5}}, ["a.b was added (5)"]),
        ({"a": 1}, {"a": 2}, ["a is 2, not 1"]),
        ({"a": {"b": "x"}}, {}, ["a.b is missing, not x"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 1}]}, []),
        ({"a": [1]}, {"a": [1, 2]}, ["a is [1, 2], not [1]"]),
        ({"a": "5"}, {"a": "500"}, ["a is 500, not 5"]),
        ({"automountServiceAccountToken": False}, {}, ["automountServiceAccountToken is missing, not false"]),
    ],
)
def test_of_most_kinds_only_what_the_manifest_says_is_compared(wanted, live, lines):
    assert found("Service", wanted, live) == lines


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"metadata": {"name": "x", "labels": {"a": "0100"}}}, {"metadata": {"name": "x", "labels": {"a": "100"}}}),
        ({"data": {"VERSION": "1.10"}}, {"data": {"VERSION": "1.1"}}),
        ({"spec": {"env": [{"name": "a", "value": "1000m"}]}}, {"spec": {"env": [{"name": "a", "value": "1"}]}}),
        ({"spec": {"hostname": "1e3"}}, {"spec": {"hostname": "1k"}}),
    ],
)
def test_texts_that_look_like_quantities_are_texts(wanted, live):
    assert len(found("ConfigMap", wanted, live)) == 1


@pytest.mark.parametrize(
    ("kind", "wanted", "live"),
    [
        ("ResourceQuota", {"spec": {"hard": {"requests.cpu": "1000m"}}}, {"spec": {"hard": {"requests.cpu": "1"}}}),
        (
            "LimitRange",
            {"spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}},
            {
                "spec": {
                    "limits": [
                        {
                            "type": "Container",
                            "default": {"memory": "1024Mi"},
                            "defaultRequest": {"memory": "1024Mi"},
                        }
                    ]
                }
            },
        ),
        (
            "PersistentVolumeClaim",
            {"spec": {"resources": {"requests": {"storage": "1Gi"}}}},
            {"spec": {"resources": {"requests": {"storage": "1024Mi"}}}},
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"metrics": [{"resource": {"target": {"averageValue": "500m"}}}]}},
            {"spec": {"metrics": [{"resource": {"target": {"averageValue": "0.5"}}}]}},
        ),
        (
            "Deployment",
            {"spec": {"volumes": [{"emptyDir": {"sizeLimit": "1Gi"}}]}},
            {"spec": {"volumes": [{"emptyDir": {"sizeLimit": "1024Mi"}}]}},
        ),
    ],
)
def test_quantities_are_compared_by_value(kind, wanted, live):
    assert found(kind, wanted, live) == []


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ({"ingress": [{}]}, "spec.ingress was added ([{}])"),
        ({"ingress": []}, ""),
        ({"podSelector": {"matchLabels": {"a": "b"}}}, 'spec.podSelector.matchLabels was added ({"a": "b"})'),
        (
            {"egress": [{"to": [{"podSelector": {}, "namespaceSelector": {}}]}]},
            "spec.egress[0].to[0].namespaceSelector was added ({})",
        ),
        ({"egress": [{"to": [{"podSelector": {}}], "ports": []}]}, ""),
        ({"policyTypes": ["Ingress"]}, 'spec.policyTypes is ["Ingress"], not ["Ingress", "Egress"]'),
    ],
)
def test_a_network_policy_is_compared_whole(spec, line):
    rule = [{"to": [{"podSelector": {}}]}]
    wanted = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": rule}
    assert found("NetworkPolicy", {"spec": wanted}, {"spec": wanted | spec}) == ([line] if line else [])


@pytest.mark.parametrize(
    ("kind", "path", "wanted", "live", "is_looser"),
    [
        ("ResourceQuota", ("spec", "hard", "pods"), "30", "7", False),
        ("ResourceQuota", ("spec", "hard", "pods"), "7", "30", True),
        ("ResourceQuota", ("spec", "hard", "pods"), "7", None, True),
        ("ResourceQuota", ("spec", "hard", "secrets"), None, "7", False),
        ("ResourceQuota", ("spec", "scopes"), None, ["Terminating"], True),
        ("LimitRange", ("spec", "limits", 0, "default", "cpu"), "1", "2", False),
        ("LimitRange", ("spec", "limits", 0, "max", "cpu"), "1", "2", True),
        ("LimitRange", ("spec", "limits", 0, "max", "cpu"), "2", "1", False),
        ("LimitRange", ("spec", "limits", 0, "max"), {"cpu": "1"}, None, True),
        ("LimitRange", ("spec", "limits"), [{}], [], True),
        ("NetworkPolicy", ("spec", "ingress"), None, [{}], True),
        ("RoleBinding", ("subjects",), [], [{}], True),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline", "privileged", True),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline", "restricted", False),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline", "odd", True),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline", None, True),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce-version"), None, "latest", False),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/enforce-version"), None, "v1.20", True),
        ("Namespace", ("metadata", "labels", "pod-security.kubernetes.io/warn"), "restricted", "baseline", False),
        ("Namespace", ("metadata", "labels", "example.org/environment"), "a", "b", True),
        ("NetworkPolicy", ("metadata", "labels", "app.kubernetes.io/managed-by"), "allotment", None, True),
        ("Namespace", ("metadata", "labels", "tier"), "test", "prod", False),
        ("Namespace", ("metadata", "annotations", "example.org/owner"), "a", "b", False),
        ("Deployment", ("spec", "replicas"), 1, 2, False),
    ],
)
def test_what_loosens_a_limit_is_told_from_what_does_not(kind, path, wanted, live, is_looser):
    assert loosens(Difference(kind, "x", path, wanted, live)) is is_looser


def test_only_what_others_added_is_removed_by_a_patch():
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "n", "labels": {}}}
    quota |= {"spec": {"hard": {"pods": "3"}}}
    live = {"metadata": {"name": "q", "labels": {"example.org/x": "1", "theirs": "1"}}}
    live |= {"spec": {"hard": {"pods": "7", "services": "2"}}}
    assert differing.removal(quota, differing.differences(quota, live, "example.org")) == {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "n", "labels": {"example.org/x": None}},
        "spec": {"hard": {"services": None}},
    }
    assert differing.removal(quota, [Difference("ResourceQuota", "q", ("spec", "hard", "pods"), "3", "7")]) is None


FIELDS = {"f:spec": {"f:hard": {"f:pods": {}}}}


@pytest.mark.parametrize(
    ("managers", "manager"),
    [
        ([("kubectl-edit", "Update", FIELDS)], "kubectl-edit"),
        ([("kubectl-edit", "Update", {"f:spec": {"f:hard": {"f:cpu": {}}}})], ""),
        ([("allotment", "Apply", FIELDS)], ""),
        ([("allotment", "Update", FIELDS)], "allotment"),
        ([("old", "Update", {"f:spec": {}}), ("new", "Update", FIELDS)], "new"),
        ([("odd", "Update", None), ("odder", "Update", {"f:spec": "x"})], ""),
    ],
)
def test_the_manager_of_a_field_is_read_from_managed_fields(managers, manager):
    entries = [{"manager": name, "operation": what, "fieldsV1": tree, "time": "t"} for name, what, tree in managers]
    difference = Difference("ResourceQuota", "q", ("spec", "hard", "pods"), "3", "7")
    assert attributed(difference, {"metadata": {"managedFields": entries}}).manager == manager
