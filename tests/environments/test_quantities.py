"""Quantities mean what Kubernetes says they mean."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.lib import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("2", "2"), ("0.5Gi", "536870912"), ("1e3", "1000"), ("1k", "1000"), ("600Mi", "629145600")],
)
def test_a_quantity_has_an_exact_value(text, value):
    assert quantities.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1x", "nan", "inf", "-inf", "1e", "½", "1 2", "Mi"])
def test_what_is_no_quantity_gets_a_sentence(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_finite_quantity_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert quantities.parse(text).is_finite()


@pytest.mark.parametrize(
    ("resource", "text", "human"),
    [
        ("requests.memory", "1954210120", "1.82 GiB"),
        ("requests.memory", "0", "0"),
        ("requests.storage", "100Gi", "100 GiB"),
        ("requests.cpu", "640m", "0.64 cores"),
        ("limits.cpu", "1", "1 core"),
        ("pods", "23", "23"),
        ("requests.nvidia.com/gpu", "4", "4"),
    ],
)
def test_a_value_is_shown_in_the_unit_people_read(resource, text, human):
    assert quantities.human(resource, quantities.parse(text)) == human


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("requests.memory", "Memory requested"),
        ("limits.cpu", "CPU limit"),
        ("requests.storage", "Storage"),
        ("requests.nvidia.com/gpu", "NVIDIA GPUs"),
        ("count/deployments.apps", "Deployments"),
        ("services.loadbalancers", "Load balancers"),
        ("example.com/thing", "example.com/thing"),
    ],
)
def test_a_resource_has_a_name_in_words(resource, words):
    assert quantities.name(resource) == words


def test_a_quota_of_zero_is_full_only_when_something_is_in_it():
    assert quantities.ratio(Decimal(0), Decimal(0)) == 0
    assert quantities.ratio(Decimal(1), Decimal(0)) == 1
    assert quantities.ratio(Decimal(1), Decimal(4)) == Decimal("0.25")


def test_resources_stand_in_the_order_in_which_people_ask_for_them():
    mixed = ["services", "configmaps", "pods", "count/jobs.batch", "requests.memory", "requests.cpu"]
    assert sorted(mixed, key=quantities.rank) == [
        "requests.cpu",
        "requests.memory",
        "pods",
        "configmaps",
        "count/jobs.batch",
        "services",
    ]
