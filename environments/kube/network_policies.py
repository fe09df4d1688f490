"""The NetworkPolicies of a namespace: deny-all, and one for each thing that is let through.

Policies add up: traffic passes if any of them lets it, so deny-all stays whatever comes beside it.
Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from environments.spec import Network
from environments.spec.network import Egress, Ingress, Ports
from environments.spec.openings import Destinations

Rule = dict[str, Any]

DENY_ALL = "deny-all"
_NAME_LABEL = "kubernetes.io/metadata.name"  # every namespace has it


@dataclass(frozen=True)
class Neighbours:
    """Where a cluster's own services are."""

    dns_namespace: str = "kube-system"
    dns_port: int = 53
    ingress_namespace: str = "ingress-nginx"


def specs(
    network: Network, neighbours: Neighbours, openings: Mapping[str, Destinations] | None = None
) -> dict[str, Rule]:
    """The policies' names and specs, deny-all first; `openings` by slug, each a policy of its own."""
    policies = {DENY_ALL: _spec(ingress=[], egress=[])}
    if network.dns:
        policies["allow-dns"] = _spec(egress=[_dns(neighbours)])
    if network.same_namespace:
        policies["allow-same-namespace"] = _spec(
            ingress=[{"from": [{"podSelector": {}}]}], egress=[{"to": [{"podSelector": {}}]}]
        )
    if network.ingress_controller:
        peer = _namespaces(_NAME_LABEL, neighbours.ingress_namespace)
        policies["allow-ingress-controller"] = _spec(ingress=[{"from": [peer]}])
    if network.egress:
        policies["allow-egress"] = _spec(egress=[_out(rule) for rule in network.egress])
    if network.ingress:
        policies["allow-ingress"] = _spec(ingress=[_in(rule) for rule in network.ingress])
    for slug, destinations in (openings or {}).items():
        policies[f"opening-{slug}"] = opening(destinations)
    return policies


def opening(destinations: Destinations) -> Rule:
    """The spec of the policy that lets all pods reach some destinations."""
    rules = [_out(rule) for rule in destinations.blocks]
    rules += [{"to": [_namespaces(rule.label, rule.value)]} | _ports(rule) for rule in destinations.namespaces]
    return _spec(egress=rules)


def denying(side: str) -> Rule:
    """The spec of a policy that denies all traffic on one side, `Ingress` or `Egress`, and none on the other."""
    return _spec(ingress=[]) if side == "Ingress" else _spec(egress=[])


def _spec(*, ingress: list[Rule] | None = None, egress: list[Rule] | None = None) -> Rule:
    """A policy for all pods. An empty list denies; it is left out, as the API server does.

    Sent in an apply, it would be a change each time, and a write. What someone puts there is removed by a patch instead
    (`differing.removal`).
    """
    sides = {"Ingress": ingress, "Egress": egress}
    types = [side for side, rules in sides.items() if rules is not None]
    return {"podSelector": {}, "policyTypes": types} | {side.lower(): rules for side, rules in sides.items() if rules}


def _dns(neighbours: Neighbours) -> Rule:
    ports = [{"protocol": protocol, "port": neighbours.dns_port} for protocol in ("UDP", "TCP")]
    return {"to": [_namespaces(_NAME_LABEL, neighbours.dns_namespace)], "ports": ports}


def _out(rule: Egress) -> Rule:
    return {"to": [{"ipBlock": {"cidr": rule.cidr}}]} | _ports(rule)


def _in(rule: Ingress) -> Rule:
    return {"from": [_namespaces(rule.label, rule.value)]} | _ports(rule)


def _ports(rule: Ports) -> Rule:
    ports = [{"protocol": protocol, "port": port} for port, protocol in rule.parsed()]
    return {"ports": ports} if ports else {}


def _namespaces(label: str, value: str) -> Rule:
    return {"namespaceSelector": {"matchLabels": {label: value}}}
