"""Names are always valid, whatever people are called and whatever they type."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import naming

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
        ("e" * 80 + "@example.com", "name", "e" * 47 + "-abcde"),
    ],
)
def test_a_namespace_is_made_of_owner_name_and_suffix(email, name, expected):
    assert naming.namespace(email, name, "abcde") == expected


@given(st.text(max_size=120), st.text(max_size=120), st.uuids())
def test_every_namespace_and_group_name_is_a_valid_label_and_no_systems_own(email, name, key):
    namespace = naming.namespace(email, name, naming.suffix_of(key))
    assert LABEL.fullmatch(namespace)
    assert not naming.is_reserved(namespace)
    for role in ("admin", "developer", "viewer"):
        assert len(naming.group(namespace, role)) <= naming.MAX_LABEL


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
