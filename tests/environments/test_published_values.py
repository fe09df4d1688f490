"""The portal's own rules let pass what a real API server takes as it is and counts, and nothing else."""

import pytest

from environments import spec as template_spec
from environments.spec import InvalidSpecError
from tests.published_values import NORMALISED, VALUES, Value

#: Without these, a quota of CPU or memory is refused for another reason.
DEFAULTS = {"default": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"}}


def described(value: Value) -> dict:
    """A template with this value in it."""
    words = value.words
    match value.kind:
        case "quota key":
            return {"quota": {words[0]: "5"}, "limits": DEFAULTS}
        case "amount":
            return {"quota": {words[0]: words[1]}, "limits": DEFAULTS}
        case "limit key":
            return {"limits": {"default": {words[0]: "2"}}}
        case "limits":
            groups = zip(("default_request", "default", "maximum"), words[1:], strict=True)
            return {"limits": {group: {words[0]: amount} for group, amount in groups if amount}}
        case "block":
            return {"network": {"egress": [{"cidr": words[0]}]}}
        case "port":
            return {"network": {"egress": [{"cidr": "10.0.0.0/8", "ports": [words[0]]}]}}
        case "label key":
            return {"labels": {words[0]: "value"}}
        case "annotation key":
            return {"annotations": {words[0]: "value"}}
        case "selector key":
            return {"network": {"ingress": [{"label": words[0], "value": "value"}]}}
    return {"network": {"ingress": [{"label": "team", "value": words[0]}]}}


def objections(value: Value) -> str:
    try:
        spec = template_spec.parse({"quota": {"services": "1"}} | described(value))
    except InvalidSpecError as error:
        return str(error)
    return "\n".join(sentence for _, sentence in spec.objections())


def test_the_corpus_has_hundreds_of_values_and_both_verdicts_of_each_kind():
    assert len({(value.kind, value.words) for value in VALUES}) == len(VALUES) > 300
    for kind in {value.kind for value in VALUES}:
        assert {value.may_be_published for value in VALUES if value.kind == kind} == {True, False}, kind


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_may_be_published_if_the_api_server_takes_and_counts_it(value):
    is_normalised = value.kind == "block" and value.words[0] in NORMALISED
    assert (not objections(value)) is (value.may_be_published or is_normalised), objections(value)


@pytest.mark.parametrize(("written", "sent"), NORMALISED.items())
def test_a_block_is_sent_in_the_form_that_the_api_server_takes(written, sent):
    spec = template_spec.parse({"quota": {"pods": "1"}, "network": {"egress": [{"cidr": written}]}})
    assert spec.network.egress[0].cidr == sent


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("nvidia.com/gpu", "Use requests.nvidia.com/gpu."),
        ("limits.nvidia.com/gpu", "Use requests.nvidia.com/gpu."),
        ("count/deployments", "Use for example count/deployments.apps."),
        ("count/deployment.apps", "Use for example count/deployments.apps."),
        ("count/pod", "Use for example count/pods."),
        ("count/ingresses", "Use for example count/ingresses.networking.k8s.io."),
        ("count/networkpolicy", "Use for example count/networkpolicies.networking.k8s.io."),
        ("gold.storageclass.storage.k8s.io/storage", "gold.storageclass.storage.k8s.io/requests.storage"),
    ],
)
def test_a_key_that_counts_nothing_is_refused_with_the_one_that_is_meant(key, hint):
    assert hint in objections(Value("quota key", (key,), VALUES[0].verdict))


@pytest.mark.parametrize(
    ("quota", "limits", "sentence"),
    [
        ({"requests.cpu": "1"}, {}, "Add a container default request for CPU, for example 200m."),
        ({"cpu": "1"}, {"default_request": {"cpu": "100m"}}, ""),
        ({"requests.memory": "1Gi"}, {"default": {"memory": "128Mi"}}, ""),
        ({"limits.memory": "1Gi"}, {"default_request": {"memory": "128Mi"}}, "Add a container default for memory"),
        ({"limits.memory": "1Gi"}, {"default": {"memory": "128Mi"}}, ""),
        ({"limits.cpu": "0"}, {}, ""),
        ({"requests.ephemeral-storage": "0"}, {}, "counts only containers that set ephemeral storage themselves"),
        ({"limits.ephemeral-storage": "1Gi"}, {"default": {"ephemeral-storage": "1Gi"}}, ""),
        ({"pods": "1", "requests.storage": "1Gi", "hugepages-2Mi": "4Mi"}, {}, ""),
        ({"pods": "1"}, {"maximum": {"cpu": "4"}}, "Set a default, too."),
        ({"pods": "1"}, {"maximum": {"cpu": "4"}, "default": {"cpu": "200m"}}, ""),
    ],
)
def test_a_quota_of_what_containers_use_needs_container_defaults(quota, limits, sentence):
    found = template_spec.parse({"quota": quota, "limits": limits}).objections()
    assert [sentence in text for _, text in found] == ([True] if sentence else [])


def test_a_missing_default_is_said_once_at_the_first_place_that_needs_it():
    sizes = [{"name": name, "quota": {"requests.cpu": "1", "cpu": "1"}} for name in ("small", "large")]
    found = template_spec.parse({"sizes": sizes}).objections()
    assert [place for place, _ in found] == [("sizes", 0, "quota", "requests.cpu")]
