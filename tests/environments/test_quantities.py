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
        ("requests.memory", "1", "1 B"),
        ("requests.memory", "1023", "1023 B"),
        ("requests.memory", "1048575", "1 MiB"),
        ("requests.memory", "9223372036854775807", "8192 PiB"),
        ("requests.storage", "100Gi", "100 GiB"),
        ("requests.ephemeral-storage", "1536Mi", "1.5 GiB"),
        ("limits.ephemeral-storage", "1536Mi", "1.5 GiB"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "20Gi", "20 GiB"),
        ("gold.storageclass.storage.k8s.io/persistentvolumeclaims", "20", "20"),
        ("hugepages-2Mi", "4Mi", "4 MiB"),
        ("requests.hugepages-1Gi", "2Gi", "2 GiB"),
        ("requests.cpu", "0", "0 cores"),
        ("requests.cpu", "1u", "0.001m"),
        ("requests.cpu", "4m", "4m"),
        ("requests.cpu", "640m", "640m"),
        ("requests.cpu", "996m", "996m"),
        ("limits.cpu", "1", "1 core"),
        ("limits.cpu", "1250m", "1.25 cores"),
        ("cpu", "4", "4 cores"),
        ("pods", "23", "23"),
        ("requests.nvidia.com/gpu", "4", "4"),
        ("requests.example.com/gpu-memory", "4096", "4096"),
        ("example.com/fast.cpu", "3", "3"),
    ],
)
def test_a_value_is_shown_in_the_unit_people_read(resource, text, human):
    assert quantities.human(resource, quantities.parse(text)) == human


@pytest.mark.parametrize(
    ("resource", "used", "hard", "words", "percent"),
    [
        ("requests.cpu", "0", "1", "0 of 1 core", 0),
        ("requests.cpu", "4m", "1", "4m of 1 core", 1),
        ("requests.cpu", "996m", "1", "996m of 1 core", 99),
        ("requests.cpu", "999999u", "1", "999m of 1 core", 99),
        ("requests.cpu", "1", "1", "1 of 1 core", 100),
        ("requests.cpu", "1001m", "1", "1.01 of 1 core", 100),
        ("requests.cpu", "1999m", "2", "1.99 of 2 cores", 99),
        ("requests.cpu", "1500m", "2", "1.5 of 2 cores", 75),
        ("requests.cpu", "0", "500m", "0 of 500m", 0),
        ("requests.cpu", "250m", "500m", "250m of 500m", 50),
        ("requests.cpu", "2", "500m", "2 cores of 500m", 400),
        ("requests.memory", "1", "2Gi", "1 B of 2 GiB", 1),
        ("requests.memory", "1954210120", "2Gi", "1.82 GiB of 2 GiB", 91),
        ("requests.memory", "2147483647", "2Gi", "1.99 GiB of 2 GiB", 99),
        ("requests.memory", "2147483649", "2Gi", "2.01 GiB of 2 GiB", 100),
        ("requests.memory", "0", "0", "0 of 0", 0),
        ("pods", "0", "50", "0 of 50", 0),
        ("pods", "1", "0", "1 of 0", 100),
        ("pods", "999", "1000", "999 of 1000", 99),
    ],
)
def test_rounding_makes_neither_something_into_nothing_nor_a_quota_full(resource, used, hard, words, percent):
    figures = quantities.parse(used), quantities.parse(hard)
    assert quantities.used_of(resource, *figures) == words
    assert quantities.percent(*figures) == percent


AMOUNTS = st.integers(0, 2**50) | st.decimals(0, 2000, places=6)


@given(AMOUNTS, AMOUNTS, st.sampled_from(["requests.cpu", "requests.memory", "pods"]))
def test_only_equal_amounts_look_equal_and_only_nothing_looks_like_nothing(used, hard, resource):
    used, hard = Decimal(used), Decimal(hard)
    said, most = quantities.apart(resource, used, hard)
    assert (said == most) == (used == hard)
    assert (quantities.human(resource, used).partition(" ")[0] in ("0", "0m")) == (used == 0)
    assert (quantities.percent(used, hard) >= 100) == (used >= hard and used > 0)


def test_an_amount_that_is_over_and_one_that_is_allowed_have_both_their_units():
    assert quantities.apart("limits.cpu", Decimal("2.001"), Decimal(2)) == ("2.01 cores", "2 cores")


@pytest.mark.parametrize(
    ("resource", "text", "phrase"),
    [
        ("requests.cpu", "500m", "500m CPU"),
        ("requests.cpu", "1", "1 core"),
        ("cpu", "0", "no CPU"),
        ("requests.memory", "1Gi", "1 GiB memory"),
        ("memory", "0", "no memory"),
        ("requests.storage", "100Gi", "100 GiB storage"),
        ("pods", "1", "1 pod"),
        ("pods", "25", "25 pods"),
        ("requests.nvidia.com/gpu", "1", "1 GPU"),
        ("requests.nvidia.com/gpu", "0", "no GPUs"),
    ],
)
def test_an_amount_alone_says_what_it_is_of(resource, text, phrase):
    assert quantities.phrase(resource, quantities.parse(text)) == phrase


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("cpu", "CPU is"),
        ("requests.cpu", "CPU requests are"),
        ("limits.cpu", "CPU limits are"),
        ("memory", "Memory is"),
        ("requests.memory", "Memory requests are"),
        ("requests.storage", "Storage requests are"),
        ("requests.ephemeral-storage", "Ephemeral storage requests are"),
        ("limits.ephemeral-storage", "Ephemeral storage limits are"),
        ("persistentvolumeclaims", "Volume claims are"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "Storage requests (class gold) are"),
        ("gold.storageclass.storage.k8s.io/persistentvolumeclaims", "Volume claims (class gold) are"),
        ("fast.ssd.storageclass.storage.k8s.io/requests.storage", "Storage requests (class fast.ssd) are"),
        ("big.deviceclass.resource.k8s.io/devices", "Devices (class big) are"),
        ("hugepages-2Mi", "Huge pages (2 MiB) are"),
        ("requests.hugepages-2Mi", "Huge page requests (2 MiB) are"),
        ("hugepages-odd", "Huge pages (odd) are"),
        ("requests.nvidia.com/gpu", "NVIDIA GPUs are"),
        ("nvidia.com/gpu", "NVIDIA GPUs are"),
        ("requests.nvidia.com/mig-1g.5gb", "GPU slices (1g.5gb) are"),
        ("requests.amd.com/gpu", "AMD GPUs are"),
        ("requests.gpu.intel.com/xe", "Intel GPUs (Xe) are"),
        ("requests.example.com/gpu", "GPUs (example.com) are"),
        ("example.com/thing", "example.com/thing is"),
        ("requests.example.com/thing", "example.com/thing is"),
        ("pods", "Pods are"),
        ("count/pods", "Pods (including finished) are"),
        ("services", "Services are"),
        ("count/services", "Services (objects) are"),
        ("count/services.serving.knative.dev", "Services (serving.knative.dev) are"),
        ("services.loadbalancers", "Load balancers are"),
        ("count/deployments.apps", "Deployments are"),
        ("count/statefulsets.apps", "StatefulSets are"),
        ("count/ingresses.networking.k8s.io", "Ingresses are"),
        ("count/widgets.example.com", "Widgets (example.com) are"),
    ],
)
def test_a_resource_has_a_name_in_words_and_a_verb_that_fits_it(resource, words):
    assert f"{quantities.name(resource)} {quantities.verb(resource)}" == words


def test_no_two_resources_of_kubernetes_have_the_same_name():
    own = ("pods", "services", "secrets", "configmaps", "persistentvolumeclaims", "replicationcontrollers")
    measured = ("cpu", "memory", "ephemeral-storage", "hugepages-2Mi")
    keys = [*own, *(f"count/{key}" for key in own), *measured, "resourcequotas", "count/resourcequotas"]
    keys += [f"{part}.{key}" for part in ("requests", "limits") for key in measured] + ["requests.storage"]
    assert len({quantities.name(key) for key in keys}) == len(keys)


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


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("services.loadbalancers", "load balancers"),
        ("requests.nvidia.com/gpu", "NVIDIA GPUs"),
        ("configmaps", "ConfigMaps"),
        ("requests.cpu", "CPU requests"),
        ("count/resourceclaimtemplates.resource.k8s.io", "resource claim templates"),
        ("count/httproutes.gateway.networking.k8s.io", "HTTP routes"),
    ],
)
def test_inside_a_sentence_names_keep_their_capitals(resource, words):
    assert quantities.inside(quantities.name(resource)) == words
