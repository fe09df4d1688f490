"""The corpus of values is what a real API server says, and the simulated one says the same."""

import pytest

from environments.kube.client import ClusterClient, Manifest
from environments.lib import quantities
from environments.lib.errors import PermanentError
from tests.contract.arrange import eventually, limit_range, namespace, quota
from tests.published_values import NORMALISED, VALUES, Value, Verdict

LIMITS = ("defaultRequest", "default", "max")


def policy(home: str, side: str, rule: Manifest) -> Manifest:
    spec = {"podSelector": {}, "policyTypes": [side.capitalize()], side: [rule]}
    metadata = {"name": "corpus", "namespace": home}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def manifest(home: str, value: Value) -> Manifest:
    """An object with this value in it, as the portal would send it."""
    first, *rest = value.words
    match value.kind:
        case "quota key":
            return quota(home, {first: "5"}, "corpus")
        case "amount":
            return quota(home, {first: rest[0]}, "corpus")
        case "limit key":
            return limit_range(home, default={first: "2"})
        case "limits":
            return limit_range(
                home, **{key: {first: amount} for key, amount in zip(LIMITS, rest, strict=True) if amount}
            )
        case "block":
            return policy(home, "egress", {"to": [{"ipBlock": {"cidr": first}}]})
        case "port":
            number, _, protocol = first.partition("/")
            port = {"port": int(number) if number.lstrip("-").isdecimal() else number, "protocol": protocol or "TCP"}
            return policy(home, "egress", {"ports": [port]})
        case "label key":
            return namespace(home, labels={first: "value"})
        case "annotation key":
            return namespace(home, annotations={first: "value"})
    labels = {first: "value"} if value.kind == "selector key" else {"team": first}
    return policy(home, "ingress", {"from": [{"namespaceSelector": {"matchLabels": labels}}]})


def amounts(value: Value, found: Manifest) -> list[tuple[str, str]]:
    """The amounts that were sent, each with what the API server made of it."""
    first, *rest = value.words
    if value.kind == "amount":
        return [(rest[0], found["spec"]["hard"][first])]
    if value.kind == "limits":
        item = found["spec"]["limits"][0]
        return [(amount, item[key][first]) for key, amount in zip(LIMITS, rest, strict=True) if amount]
    return []


def is_same(sent: str, found: str) -> bool:
    """Whether two amounts are equal; “m” is none, although the API server takes it for 0."""
    try:
        return quantities.parse(sent) == quantities.parse(found)
    except ValueError:
        return False


def verdict(admin: ClusterClient, home: str, value: Value) -> Verdict:
    """What the API server makes of a value, by a dry run."""
    try:
        found = admin.apply(manifest(home, value), dry_run=True)
    except PermanentError:
        return Verdict.REFUSED
    return Verdict.TAKEN if all(is_same(*pair) for pair in amounts(value, found)) else Verdict.CHANGED


@pytest.mark.parametrize("kind", sorted({value.kind for value in VALUES} - {"quota key"}))
def test_the_api_server_makes_of_each_value_what_the_corpus_says(admin, home, kind):
    values = [value for value in VALUES if value.kind == kind]
    found = {str(value): verdict(admin, home, value).name for value in values}
    assert found == {str(value): value.verdict.name for value in values}


def test_the_api_server_takes_and_counts_the_keys_of_quotas_that_the_corpus_says(admin, home, cluster_endpoint):
    values = [value for value in VALUES if value.kind == "quota key"]
    taken = [value for value in values if verdict(admin, home, value) is Verdict.TAKEN]
    admin.apply(quota(home, {value.words[0]: "5" for value in taken}, "corpus"))

    def counted() -> Manifest | None:
        live = admin.get("ResourceQuota", "corpus", home) or {}
        return live["status"]["used"] if live.get("status", {}).get("hard") == live["spec"]["hard"] else None

    used = eventually(counted, "the quota's controller has counted")
    found = {
        value: Verdict.REFUSED if value not in taken else Verdict.TAKEN if value.words[0] in used else Verdict.UNCOUNTED
        for value in values
    }
    # No CustomResourceDefinitions are installed here, and no alpha resources are served.
    expected = {each: Verdict.UNCOUNTED if each.verdict is Verdict.DECIDED else each.verdict for each in values}
    if cluster_endpoint.name == "simulated":  # it serves the Gateway API
        expected |= {
            each: Verdict.TAKEN for each in values if each.words == ("count/httproutes.gateway.networking.k8s.io",)
        }
    assert {str(value): each.name for value, each in found.items()} == {str(v): e.name for v, e in expected.items()}


@pytest.mark.parametrize(("written", "sent"), NORMALISED.items())
def test_the_form_in_which_the_portal_sends_a_block_is_taken(admin, home, written, sent):
    assert verdict(admin, home, Value("block", (written,), Verdict.REFUSED)) is Verdict.REFUSED
    assert verdict(admin, home, Value("block", (sent,), Verdict.TAKEN)) is Verdict.TAKEN
