"""A template's content goes through the form unchanged, and what is wrong is said in the cell it concerns."""

import pytest
from django.http import QueryDict
from hypothesis import given, settings

from environments import spec as template_spec
from environments.catalog.files import read
from environments.catalog.forms import SpecForms, with_more_rows
from environments.catalog.forms.general import GROUPS, TOP
from environments.management.commands.import_templates import SEEDS
from environments.spec import Limits, Network, Parameter, PodSecurity, Size, TemplateSpec
from environments.spec.network import Egress, Ingress
from environments.spec.parts import Admission, Extension, Naming
from tests.environments.specs import browser, forty_parameters, spec_of, specs

SEED_FILES = sorted(SEEDS.glob("*.yaml"))


def sent(spec: TemplateSpec, **typed) -> SpecForms:
    return SpecForms(spec, browser(SpecForms(spec), **typed))


@pytest.mark.parametrize("path", SEED_FILES, ids=lambda path: path.stem)
def test_a_shipped_template_goes_through_the_form_unchanged(path):
    spec = read(path).spec
    forms = sent(spec)
    assert forms.is_valid(), forms.errors
    assert forms.spec == spec
    assert template_spec.dump(forms.spec) == template_spec.dump(spec)


def test_a_template_with_forty_parameters_goes_through_the_form_unchanged():
    spec = forty_parameters()
    forms = sent(spec)
    assert forms.is_valid()
    assert forms.spec == spec
    assert len(forms.spec.parameters) == 40


@given(specs())
@settings(max_examples=60, deadline=None)
def test_whatever_a_template_says_the_form_neither_loses_nor_invents(spec):
    forms = sent(spec)
    assert forms.is_valid(), [row.errors for table in forms.tables for row in table.forms]
    assert forms.spec == spec


def test_everything_that_a_template_can_say_has_its_place_on_the_page():
    """A field that somebody adds to the description must be added here, or nobody can ever change it."""
    known = {"parameters", "sizes", "quota", "limits", "labels", "annotations", *GROUPS, *TOP}
    assert set(TemplateSpec.model_fields) == known
    forms = SpecForms(spec_of())
    rows = {
        Parameter: forms.parameters,
        Size: forms.sizes,
        Limits: forms.limits,
        Egress: forms.egress,
        Ingress: forms.ingress,
    }
    for part, table in rows.items():
        shown = set(table.forms[0].fields) | ({"quota"} if part is Size else set())
        assert set(part.model_fields) <= shown, part
    for part, group in (
        (Network, "network"),
        (PodSecurity, "pod_security"),
        (Admission, "admission"),
        (Extension, "extension"),
        (Naming, "naming"),
    ):
        assert set(part.model_fields) - {"egress", "ingress"} == set(GROUPS[group])


def test_what_the_form_does_not_show_stays_as_it_is():
    spec = read(SEED_FILES[0]).spec
    forms = sent(spec)
    forms.base = forms.base | {"something_newer": 1}  # a field that a later portal adds
    assert not forms.is_valid()  # it reached the description, which knows no such field
    assert any("Extra" in sentence for sentence in forms.errors)


@pytest.mark.parametrize(
    ("typed", "table", "row", "cell", "sentence"),
    [
        ({"parameters-0-name": "Not A Name"}, "parameters", 0, "name", "lower-case letters"),
        ({"parameters-0-pattern": "[a-"}, "parameters", 0, "pattern", "not a regular expression"),
        ({"parameters-0-default": "9000m"}, "parameters", 0, "default", "Choose one of"),
        ({"parameters-0-choices": "1000m\nplenty"}, "parameters", 0, "choices", "“plenty” is not a quantity"),
        ({"parameters-0-choices": ""}, "parameters", 0, "choices", "needs the list"),
        ({"parameters-1-name": "cpu"}, "parameters", 1, "name", "cpu appears twice"),
        ({"parameters-2-default": ""}, "parameters", 2, "default", "needs a default"),
        ({"quota-0-all": "plenty"}, "quota", 0, "all", "“plenty” is not a quantity"),
        ({"quota-0-all": "${disk}"}, "quota", 0, "all", "${disk} is not a parameter"),
        ({"quota-0-resource": "CPU!"}, "quota", 0, "resource", "not a resource name"),
        ({"quota-1-resource": "requests.cpu"}, "quota", 1, "resource", "already has a row"),
        ({"quota-0-resource": ""}, "quota", 0, "resource", "Enter a resource"),
        ({"quota-0-all": ""}, "quota", 0, "resource", "Enter a value"),
        ({"limits-0-default": "-1"}, "limits", 0, "default", "must not be negative"),
    ],
)
def test_what_is_wrong_is_said_in_its_cell(typed, table, row, cell, sentence):
    spec = read(SEEDS / "namespace.yaml").spec
    forms = sent(spec, **typed)
    assert not forms.is_valid()
    assert sentence in " ".join(getattr(forms, table).forms[row].errors[cell])
    assert forms.error_count == 1


@pytest.mark.parametrize(
    ("typed", "table", "cell", "sentence"),
    [
        ({"egress-0-cidr": "ten"}, "egress", "cidr", "not a CIDR block"),
        ({"egress-0-cidr": "10.0.0.0/8", "egress-0-ports": "80, http"}, "egress", "ports", "“http” is not a port"),
        ({"ingress-0-label": "team", "ingress-0-value": "a b"}, "ingress", "value", "not a label value"),
        ({"labels-0-key": "kubernetes.io/x", "labels-0-value": "y"}, "labels", "key", "reserved for the cluster"),
        ({"labels-0-key": "team", "labels-0-value": "${who}"}, "labels", "value", "not a parameter"),
        ({"annotations-0-value": "lonely"}, "annotations", "key", "Enter a key"),
    ],
)
def test_what_is_wrong_with_a_rule_or_a_label_is_said_in_its_cell(typed, table, cell, sentence):
    forms = sent(spec_of(), **typed)
    assert not forms.is_valid()
    assert sentence in " ".join(getattr(forms, table).forms[0].errors[cell])


def test_what_is_wrong_in_a_field_does_not_hide_what_is_wrong_in_a_cell():
    forms = sent(spec_of(), **{"lifetime_days": "0", "quota-0-all": "plenty", "namespace": "no suffix"})
    assert not forms.is_valid()
    assert set(forms.general.errors) == {"lifetime_days", "namespace"}
    anchors = [anchor for anchor, _ in forms.complaints()]
    assert "id_lifetime_days" in anchors


def test_a_name_pattern_that_could_collide_is_refused_at_its_field():
    forms = sent(spec_of(), namespace="${owner}-${name}")
    assert not forms.is_valid()
    assert "Add ${suffix}" in forms.general.errors["namespace"][0]


def test_a_wrong_figure_of_one_size_is_said_in_that_sizes_column():
    spec = read(SEEDS / "gpu-namespace.yaml").spec
    forms = sent(spec, **{"quota-3-size_2": "many"})
    assert not forms.is_valid()
    assert "is not a quantity" in forms.quota.forms[3].errors["size_2"][0]


def test_what_was_typed_stays_when_something_is_wrong():
    spec = read(SEEDS / "namespace.yaml").spec
    forms = sent(spec, **{"quota-0-all": "plenty", "parameters-0-label": "Cores", "lifetime_days": "forever"})
    assert not forms.is_valid()
    assert forms.quota.forms[0]["all"].value() == "plenty"
    assert forms.parameters.forms[0]["label"].value() == "Cores"
    assert forms.general["lifetime_days"].value() == "forever"
    assert "whole number" in forms.general.errors["lifetime_days"][0]


def test_a_size_can_be_renamed_while_its_figures_are_on_the_page():
    spec = read(SEEDS / "gpu-namespace.yaml").spec
    forms = sent(spec, **{"sizes-1-name": "middle", "quota-0-size_1": "750m"})
    assert forms.is_valid()
    assert forms.spec.sizes[1].name == "middle"
    assert forms.spec.sizes[1].quota["requests.cpu"] == "750m"
    assert forms.spec.sizes[0] == spec.sizes[0]


def test_a_removed_size_takes_its_figures_with_it_and_leaves_the_others():
    spec = read(SEEDS / "gpu-namespace.yaml").spec
    forms = sent(spec, **{"sizes-0-DELETE": "on"})
    assert forms.is_valid()
    assert forms.spec.sizes == spec.sizes[1:]


def test_rows_come_in_the_order_of_their_numbers():
    spec = read(SEEDS / "namespace.yaml").spec
    forms = sent(spec, **{"parameters-0-ORDER": "3", "parameters-2-ORDER": "1"})
    assert forms.is_valid()
    assert [parameter.name for parameter in forms.spec.parameters] == ["network_policy", "memory", "cpu"]


def test_blank_rows_mean_nothing():
    spec = spec_of()
    forms = sent(spec, **{"parameters-0-required": "on", "parameters-0-type": "integer"})
    assert forms.is_valid()
    assert forms.spec == spec


def test_a_row_that_is_ticked_to_go_may_be_wrong():
    spec = read(SEEDS / "namespace.yaml").spec
    forms = sent(spec, **{"limits-0-default": "wrong", "limits-0-DELETE": "on"})
    assert forms.is_valid()
    assert "cpu" not in forms.spec.limits.default
    assert "memory" in forms.spec.limits.default


def test_a_new_size_gets_its_column_with_the_next_rows_and_nothing_typed_is_lost():
    page = SpecForms(spec_of())
    data = browser(page, **{"sizes-0-name": "tiny", "sizes-0-label": "Tiny", "quota-0-all": "wrong"})
    forms = SpecForms(spec_of(), with_more_rows(data, 5))
    assert not forms.is_valid()
    assert ("size_0", "Tiny") in forms.columns
    assert len(forms.sizes.forms) == len(page.sizes.forms) + 5
    assert forms.quota.forms[0]["all"].value() == "wrong"


def test_there_is_an_end_to_more_rows():
    data = QueryDict("parameters-TOTAL_FORMS=199&sizes-TOTAL_FORMS=x")
    more = with_more_rows(data, 50)
    assert more["parameters-TOTAL_FORMS"] == "200"
    assert more["sizes-TOTAL_FORMS"] == "x"


def test_a_page_without_any_quota_says_so_once():
    forms = sent(spec_of(), **{"quota-0-DELETE": "on"})
    assert not forms.is_valid()
    assert forms.errors == ["A template needs a quota, or sizes that have one."]


def test_everything_that_is_wrong_with_extra_manifests_is_shown_with_its_line():
    text = "apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Node"
    tables = SpecForms(template_spec.parse({"quota": {"pods": "1"}, "manifests": text}))
    tables.show_objections()
    sentences = [sentence for _, sentence in tables.complaints()]
    assert [sentence.partition(":")[0] for sentence in sentences] == ["Line 2, document 1", "Line 5, document 2"]


def test_what_no_cluster_would_take_or_count_is_said_in_its_cell():
    spec = spec_of(
        quota={"nvidia.com/gpu": "1", "requests.cpu": "1"},
        limits={"maximum": {"memory": "1Gi"}},
        network={
            "egress": [{"cidr": "::ffff:10.0.0.0/104"}],
            "ingress": [{"label": "example..com/team", "value": "payments"}],
        },
        labels={"example..com/team": "checkout"},
    )
    forms = SpecForms(spec)
    forms.show_objections()
    cells = [
        (forms.quota, "nvidia.com/gpu", "all", "Use requests.nvidia.com/gpu."),
        (forms.quota, "requests.cpu", "all", "Add a container default request for CPU"),
        (forms.limits, "memory", "maximum", "Set a default, too."),
        (forms.egress, "::ffff:10.0.0.0/104", "cidr", "Write it as IPv4"),
        (forms.ingress, "example..com/team", "label", "is not a label"),
        (forms.labels, "example..com/team", "key", "is not a key"),
    ]
    for table, first, cell, sentence in cells:
        row = next(row for row in table.written() if first in (row.text(name) for name in row.fields))
        assert sentence in " ".join(row.errors[cell])
    assert forms.error_count == len(cells)
