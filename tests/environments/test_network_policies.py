"""Deny-all always; beside it exactly what is ticked, as policies and as sentences."""

import pytest

from environments.kube.network_policies import Neighbours, specs
from environments.spec import Network, parse

ALL = {"podSelector": {}}


def named(**namespaces: str) -> dict:
    return {"namespaceSelector": {"matchLabels": namespaces}}


@pytest.mark.parametrize(
    ("network", "name", "policy", "sentence"),
    [
        (
            {"ingress_controller": True},
            "allow-ingress-controller",
            {"ingress": [{"from": [named(**{"kubernetes.io/metadata.name": "edge"})]}], "policyTypes": ["Ingress"]},
            "The ingress controller can reach the pods.",
        ),
        (
            {"same_namespace": True},
            "allow-same-namespace",
            {
                "ingress": [{"from": [{"podSelector": {}}]}],
                "egress": [{"to": [{"podSelector": {}}]}],
                "policyTypes": ["Ingress", "Egress"],
            },
            "Pods in the namespace can reach each other.",
        ),
        (
            {"egress": [{"cidr": "10.20.0.0/16", "ports": ["443", "53/UDP"]}]},
            "allow-egress",
            {
                "egress": [
                    {
                        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
                        "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "UDP", "port": 53}],
                    }
                ],
                "policyTypes": ["Egress"],
            },
            "Pods can reach 10.20.0.0/16 on 443, 53/UDP.",
        ),
        (
            {"ingress": [{"label": "example.com/team", "value": "search"}]},
            "allow-ingress",
            {"ingress": [{"from": [named(**{"example.com/team": "search"})]}], "policyTypes": ["Ingress"]},
            "Namespaces labelled example.com/team=search can reach the pods.",
        ),
    ],
)
def test_each_allowance_is_one_policy_and_one_sentence(network, name, policy, sentence):
    allowed = Network.model_validate({"dns": False} | network)
    found = specs(allowed, Neighbours(ingress_namespace="edge"))
    assert list(found) == ["deny-all", name]
    assert found["deny-all"] == ALL | {"policyTypes": ["Ingress", "Egress"]}
    assert found[name] == ALL | policy
    assert allowed.sentences() == [sentence]


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ({"egress": [{"cidr": "10.0.0.1/8"}]}, "not a CIDR block"),
        ({"egress": [{"cidr": "everywhere"}]}, "not a CIDR block"),
        ({"egress": [{"cidr": "10.0.0.0/8", "ports": ["0"]}]}, "not a port"),
        ({"egress": [{"cidr": "10.0.0.0/8", "ports": ["443/HTTP"]}]}, "not a port"),
        ({"egress": [{"cidr": "10.0.0.0/8", "ports": ["65536"]}]}, "not a port"),
        ({"ingress": [{"label": "a b", "value": "x"}]}, "not a label"),
        ({"ingress": [{"label": "a", "value": "{}"}]}, "not a label value"),
    ],
)
def test_an_allowance_that_makes_no_sense_is_refused(network, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse({"quota": {"pods": "1"}, "network": network})
