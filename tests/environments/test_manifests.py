"""The manifests are exactly these."""

from dataclasses import replace

import pytest

from environments import spec
from environments.catalog.files import read
from environments.kube import manifests, permits
from environments.kube.manifests import Binding
from environments.kube.network_policies import Neighbours
from environments.lib.phases import Role
from environments.management.commands.import_templates import SEEDS
from tests.environments.refunds import DESIRED, LABELS


def test_the_namespace_bears_labels_owner_and_pod_security():
    assert manifests.namespace(DESIRED) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "dana-checkout-abcde",
            "labels": LABELS
            | {
                "pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
            "annotations": {
                "example.org/owner": "dana@example.com",
                "example.org/name": "Checkout refunds",
                "example.org/purpose": "",
            },
        },
    }


def test_a_templates_labels_take_parameters_and_never_the_portals_place():
    template = {
        "quota": {"pods": "1"},
        "parameters": [{"name": "pr"}, {"name": "note"}],
        "labels": {"example.com/pr": "pr-${pr}", "tier": "test"},
        "annotations": {"example.com/note": "${note}"},
    }
    hostile = "1, app.kubernetes.io/managed-by: x\n${pr}"
    desired = replace(DESIRED, spec=spec.parse(template), parameters=(("pr", hostile), ("note", hostile)))
    metadata = manifests.namespace(desired)["metadata"]
    assert metadata["labels"]["example.com/pr"] == "pr-1_app.kubernetes.io_managed-by_x_pr"
    assert metadata["labels"]["tier"] == "test"
    assert LABELS.items() <= metadata["labels"].items()
    assert metadata["annotations"]["example.com/note"] == hostile


@pytest.mark.parametrize(
    "key", ["kubernetes.io/x", "pod-security.kubernetes.io/enforce", "allotment.internal/owner", "a b"]
)
def test_a_template_may_not_set_keys_that_have_a_meaning_of_their_own(key):
    for field in ("labels", "annotations"):
        with pytest.raises(ValueError, match=r"reserved for the cluster|is not a key"):
            spec.parse({"quota": {"pods": "1"}, field: {key: "x"}})


def test_the_quota_has_the_sizes_figures_and_the_parameters_values():
    quota = manifests.resource_quota(DESIRED)
    assert quota["metadata"] == {"name": "environment-quota", "namespace": "dana-checkout-abcde", "labels": LABELS}
    assert quota["spec"] == {"hard": {"requests.cpu": "2", "pods": "5"}}


def test_the_limit_range_has_the_templates_defaults():
    limits = manifests.limit_range(DESIRED)
    assert limits is not None
    assert limits["spec"] == {
        "limits": [{"type": "Container", "default": {"cpu": "100m"}, "defaultRequest": {"cpu": "2"}}]
    }


def test_there_is_no_limit_range_where_the_template_sets_no_defaults():
    assert manifests.limit_range(replace(DESIRED, spec=spec.parse({"quota": {"pods": "1"}}))) is None


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ({"dns": True}, ["deny-all", "allow-dns"]),
        ({"dns": False}, ["deny-all"]),
        ({"dns": True, "same_namespace": True}, ["deny-all", "allow-dns", "allow-same-namespace"]),
    ],
)
def test_deny_all_comes_first_and_only_what_is_ticked_is_let_through(network, names):
    desired = replace(DESIRED, spec=spec.parse({"quota": {"pods": "1"}, "network": network}))
    policies = manifests.network_policies(desired)
    assert [policy["metadata"]["name"] for policy in policies] == names
    assert policies[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_dns_goes_to_the_clusters_dns_namespace_and_port_only():
    desired = replace(DESIRED, neighbours=Neighbours("openshift-dns", 5353))
    policy = manifests.network_policies(desired)[1]
    assert policy["spec"]["egress"] == [
        {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}],
            "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}],
        }
    ]


def test_a_role_is_bound_to_the_group_and_to_people_by_name():
    binding = manifests.role_binding(DESIRED, Binding(Role.ADMIN, "oidc:g", ("oidc:dana@example.com",)))
    assert binding["metadata"]["name"] == "environment-admin"
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "environment-admin",
    }
    assert [(item["kind"], item["name"]) for item in binding["subjects"]] == [
        ("Group", "oidc:g"),
        ("User", "oidc:dana@example.com"),
    ]


def test_what_a_template_permits_pods_is_in_annotations_of_the_namespace():
    wanted = spec.parse(
        {
            "quota": {"pods": "3", "requests.nvidia.com/gpu": "1", "requests.cpu": "2", "limits.memory": "1Gi"},
            "sizes": [{"name": "big", "quota": {"requests.amd.com/gpu": "1"}}],
            "admission": {"priority_classes": ["batch", "urgent"], "control_plane_nodes": True},
        }
    )
    plain = permits.annotations(wanted, "", "example.org")
    assert plain == {
        "example.org/priority-classes": "batch,urgent",
        "example.org/extended-resources": "nvidia.com/gpu",
        "example.org/control-plane-nodes": "true",
    }
    big = permits.annotations(wanted, "big", "example.org")
    assert big == plain | {"example.org/extended-resources": "amd.com/gpu,nvidia.com/gpu"}
    assert permits.annotations(spec.parse({"quota": {"pods": "1"}}), "", "example.org") == {}


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_shipped_template_permits_the_gpus_that_it_counts_and_nothing_else(path):
    wanted = read(path).spec
    found = {
        size: permits.annotations(wanted, size, "example.org") for size in ("", *(one.name for one in wanted.sizes))
    }
    counted = "nvidia.com/gpu" in str(wanted.quota) + "".join(str(size.quota) for size in wanted.sizes)
    assert any(found.values()) == counted
    assert {key for each in found.values() for key in each} <= {"example.org/extended-resources"}
