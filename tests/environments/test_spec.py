"""A template says only what makes sense, and a value never becomes more than a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import spec as template_spec
from environments.catalog.files import read
from environments.management.commands.import_templates import SEEDS
from environments.spec import Parameter, Size

SEED_FILES = sorted(SEEDS.glob("*.yaml"))


@pytest.mark.parametrize("path", SEED_FILES, ids=lambda path: path.stem)
def test_a_shipped_template_reads_and_comes_back_the_same(path):
    spec = read(path).spec
    assert template_spec.parse(template_spec.dump(spec)) == spec


def test_a_portal_that_knows_no_approval_reads_what_needs_none():
    sizes = [{"name": "a", "quota": {"pods": "1"}}, {"name": "b", "quota": {"pods": "2"}, "approval": True}]
    stored = template_spec.dump(template_spec.parse({"sizes": sizes}))
    assert "approval" not in stored
    assert [size.get("approval") for size in stored["sizes"]] == [None, True]
    assert template_spec.dump(template_spec.parse({"quota": {"pods": "1"}, "approval": True}))["approval"] is True


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "needs a quota"),
        ({"quota": {"pods": "many"}}, "is not a quantity"),
        ({"quota": {"pods": "-1"}}, "must not be negative"),
        ({"quota": {"pods": "${n}"}}, "is not a parameter"),
        ({"quota": {"pods": "1"}, "pod_security": {"enforce": "strict"}}, "privileged, baseline or restricted"),
        ({"quota": {"pods": "1"}, "colour": "red"}, "colour: Extra inputs"),
        ({"sizes": [{"name": "a", "quota": {"pods": "1"}}] * 2}, "a appears twice"),
        ({"quota": {"pods": "1"}, "parameters": [{"name": "a", "mode": "restricted"}]}, "list of values"),
        ({"quota": {"pods": "1"}, "parameters": [{"name": "a", "mode": "fixed"}]}, "needs a default"),
        ({"quota": {"pods": "1"}, "parameters": [{"name": "A b"}]}, "parameters.0.name"),
        ({"quota": {"pods": "1"}, "lifetime_days": 0}, "lifetime_days"),
        ("text", "TemplateSpec"),
    ],
)
def test_a_template_that_makes_no_sense_is_refused_with_its_place(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        template_spec.parse(data)


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ({"mode": "restricted", "choices": ["a", "b"]}, "c", "Choose one of a, b"),
        ({"mode": "fixed", "default": "on"}, "off", "fixed to on"),
        ({"type": "integer"}, "1.5", "not a whole number"),
        ({"type": "integer", "minimum": "2"}, "1", "At least 2"),
        ({"type": "quantity", "maximum": "600Mi"}, "1Gi", "At most 600Mi"),
        ({"type": "quantity"}, "much", "is not a quantity"),
        ({"pattern": "[a-z]+"}, "A", "^“A” can't be used. Ask a platform admin which values can.$"),
        ({"pattern": "[a-z]+", "help": "Small letters."}, "A", "^“A” can't be used. Small letters.$"),
    ],
)
def test_a_value_outside_its_rules_gets_a_sentence(parameter, value, sentence):
    with pytest.raises(ValueError, match=sentence):
        Parameter(name="p", **parameter).check(value)


def test_quantities_compare_as_quantities():
    parameter = Parameter(name="cpu", type="quantity", mode="restricted", choices=("1000m",), maximum="2")
    parameter.check("1")
    Parameter(name="memory", type="quantity", maximum="600Mi").check("0.5Gi")


@given(st.text(max_size=60))
def test_a_value_is_put_in_once_and_never_read_again(value):
    assert template_spec.substitute("x${a}y", {"a": value, "b": "boom"}) == f"x{value}y"


def test_a_size_goes_over_the_templates_own_quota():
    spec = template_spec.parse(
        {"quota": {"pods": "1", "services": "2"}, "sizes": [{"name": "l", "quota": {"pods": "9"}}]}
    )
    assert template_spec.render_quota(spec, "l", {}) == {"pods": "9", "services": "2"}
    assert template_spec.render_quota(spec, "", {}) == {"pods": "1", "services": "2"}


@pytest.mark.parametrize(
    ("size", "title"),
    [
        ({"name": "medium_with_gpu"}, "Medium with GPU"),
        ({"name": "small"}, "Small"),
        ({"name": "xl"}, "XL"),
        ({"name": "high_cpu_2"}, "High CPU 2"),
        ({"name": "medium_with_gpu", "label": "Medium, one GPU"}, "Medium, one GPU"),
    ],
)
def test_a_size_is_called_by_its_label_or_by_its_name_in_words(size, title):
    assert Size(**size).title == title


def test_a_question_without_a_label_is_called_by_its_name_in_words():
    assert Parameter(name="cpu_limit").title == "CPU limit"
