"""Names are always valid, whatever people are called and whatever they type."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.lib import naming

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


@pytest.mark.parametrize(
    ("email", "name", "expected"),
    [
        ("dana@example.com", "Checkout refunds", "dana-checkout-refunds-abcde"),
        ("o'neil_+x.@example.com", "a", "oneil-x-a-abcde"),
        ("Zoë.Müller@example.com", "Größe", "zoe-muller-groe-abcde"),
        ("日本@example.com", "日本", "env-abcde"),
        ("kube@example.com", "system", "env-kube-system-abcde"),
        ("kube@example.com", "", "env-kube-abcde"),
        ("openshift@example.com", "x", "env-openshift-x-abcde"),
        ("-@example.com", "--", "env-abcde"),
        ("a@example.com", "x" * 200, "a-" + "x" * 45 + "-abcde"),
        ("e" * 80 + "@example.com", "name", "e" * 42 + "-name-abcde"),
    ],
)
def test_a_namespace_is_made_of_owner_name_and_suffix(email, name, expected):
    assert naming.namespace(naming.parts(owner_email=email, name=name), "abcde") == expected


PATTERNS = st.sampled_from(
    [
        naming.NAMESPACE_PATTERN,
        "${suffix}",
        "${suffix}-${owner}",
        "kube-${name}-${suffix}",
        "${team}-${template}-${size}-${name}-${suffix}",
        "--${name}--${suffix}--",
        "x" * 60 + "-${suffix}",
    ]
)


@given(st.text(max_size=120), st.text(max_size=120), st.uuids(), PATTERNS)
def test_every_namespace_and_group_name_is_valid_and_no_systems_own(text, other, key, pattern):
    parts = naming.parts(owner_email=text, name=other, team=text, template=other, size=text)
    suffix = naming.suffix_of(key)
    namespace = naming.namespace(parts, suffix, pattern)
    assert LABEL.fullmatch(namespace)
    assert suffix in namespace
    assert not naming.is_reserved(namespace)
    for role in ("admin", "developer", "viewer"):
        assert len(naming.group(parts, namespace, role)) <= naming.MAX_LABEL


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("${team}-${name}-${suffix}", "checkout-refunds-abcde"),
        ("${suffix}-${template}", "abcde-preview"),
        ("dev-${owner}-${size}-${suffix}", "dev-dana-small-abcde"),
        ("${name}${suffix}", "refundsabcde"),
    ],
)
def test_a_pattern_says_what_a_name_is_made_of(pattern, expected):
    parts = naming.parts(
        owner_email="dana@example.com", name="Refunds", team="Checkout", template="preview", size="small"
    )
    assert naming.namespace(parts, "abcde", pattern) == expected
    assert (
        naming.group(parts, expected, "admin", "k8s-${team}-${namespace}-${role}") == f"k8s-checkout-{expected}-admin"
    )


@given(st.text(max_size=200))
def test_every_text_becomes_a_valid_label_value(text):
    assert LABEL_VALUE.fullmatch(naming.label_value(text))
    assert len(naming.label_value(text)) <= naming.MAX_LABEL


def test_the_same_form_gives_the_same_suffix_and_two_forms_give_two():
    one, two = uuid.uuid4(), uuid.uuid4()
    assert naming.suffix_of(one) == naming.suffix_of(one)
    assert naming.suffix_of(one) != naming.suffix_of(two)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "openshift-x", "istio-system"])
def test_system_names_are_reserved(name):
    assert naming.is_reserved(name)
