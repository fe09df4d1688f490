"""No answer becomes more than a value: whatever is typed, the objects keep their shape, their names and our labels."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from environments import spec as template_spec
from environments.actions import placement
from environments.kube import manifests
from environments.kube.manifests import Binding, Desired
from environments.lib import quantities
from environments.lib.phases import Phase, Role
from environments.models import Environment
from environments.reconcile import desired
from environments.spec.figures import check_amount
from environments.web.forms import RequestForm
from tests.arranging import settle

#: Every place that takes parameters.
OPEN = template_spec.parse(
    {
        "parameters": [
            {"name": "count", "type": "integer", "default": "3"},
            {"name": "memory", "type": "quantity", "default": "1Gi", "required": True},
            {"name": "cpu", "type": "quantity", "default": "200m"},
            {"name": "note", "type": "text"},
            {"name": "tag", "default": "one"},
            {"name": "loud", "type": "boolean", "default": "true"},
            {"name": "plan", "mode": "fixed", "default": "basic"},
        ],
        "quota": {"pods": "${count}", "requests.memory": "${memory}", "requests.cpu": "${cpu}", "secrets": "${count}0"},
        "limits": {"default": {"cpu": "${cpu}", "memory": "128Mi"}, "default_request": {"cpu": "50m"}},
        "collaborator_roles": [],
        "labels": {"example.com/tag": "${tag}-${plan}", "example.com/loud": "${loud}"},
        "annotations": {"example.com/note": "${note}", "example.com/both": "${tag}: ${note}"},
        "manifests": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: about}\n"
            'data:\n  note: ${note}\n  text: "tag: ${tag}"\n  ${plan}: fixed\n'.replace("${plan}", "plan")
        ),
    }
)
PLAIN = {"count": "3", "memory": "1Gi", "cpu": "200m", "note": "n", "tag": "t", "loud": "true", "plan": "basic"}
DESIRED = Desired(
    environment_id="0b5e",
    name="Checkout",
    namespace="dana-checkout-abcde",
    owner="dana@example.com",
    template="open",
    spec=OPEN,
    label_domain="allotment.internal",
    parameters=tuple(PLAIN.items()),
    bindings=(Binding(Role.ADMIN, "group", ("dana@example.com",)),),
)
HOSTILE = (
    "${note}",
    "${cpu}",
    "$${tag}",
    "a\nb: c",
    "---\nkind: ClusterRole",
    "{a: b}",
    '"}, "kind": "Secret", "x": {"',
    "*anchor",
    "!!python/object:os.system",
    "- item",
    "'; DROP TABLE x; --",
    "<script>alert(1)</script>",
    "{{ settings.SECRET_KEY }}",
    "app.kubernetes.io/managed-by: me",
    "\x1b[31m",
    "\u202e\u2028\x85",
    "../../etc/passwd",
    "null",
    "yes",
    "0x10",
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80))
AMOUNTS = st.one_of(
    TEXTS,
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?[0-9]{1,6}(\.[0-9]{1,5})?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


def shape(value: Any) -> Any:
    """What there is in an object but for the texts at its ends."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def names(made: list[dict]) -> list[tuple[str, str, str | None]]:
    """What the objects are and where."""
    return [(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in made]


def check(made: list[dict], values: dict[str, str]) -> None:
    """The objects are those of plain answers, with these answers at their ends."""
    plain = manifests.all_manifests(DESIRED)
    assert names(made) == names(plain)
    assert shape(made) == shape(plain)
    for one, other in zip(made, plain, strict=True):
        ours = {key: value for key, value in other["metadata"]["labels"].items() if "example.com" not in key}
        assert ours.items() <= one["metadata"]["labels"].items()
        assert one.get("roleRef") == other.get("roleRef")
        assert one.get("subjects") == other.get("subjects")
    metadata = made[0]["metadata"]
    assert metadata["annotations"]["example.com/note"] == values["note"]
    assert metadata["annotations"]["example.com/both"] == f"{values['tag']}: {values['note']}"
    for key in ("example.com/tag", "example.com/loud"):
        assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", metadata["labels"][key])
    about = next(item for item in made if item["kind"] == "ConfigMap")
    assert about["data"] == {"note": values["note"], "text": f"tag: {values['tag']}", "plan": "fixed"}


@given(note=TEXTS, tag=TEXTS)
@example(note="${tag}", tag="${note}")
@settings(max_examples=300, deadline=None)
def test_an_answer_stays_where_it_was_put(note, tag):
    values = PLAIN | {"note": note, "tag": tag}
    made = manifests.all_manifests(replace(DESIRED, parameters=tuple(values.items())))
    check(made, values)
    printable = [text for text in (note, tag) if text.isprintable()]
    if len(printable) == 2:  # what the pages show can be read back, and is the same
        assert list(yaml.safe_load_all(yaml.safe_dump_all(made, allow_unicode=True))) == made


@pytest.fixture
def open_version(make_template, place, local_directory):
    return make_template("open", spec=template_spec.dump(OPEN))


@pytest.mark.django_db
@given(
    answers=st.fixed_dictionaries({"count": AMOUNTS, "memory": AMOUNTS, "cpu": AMOUNTS, "note": TEXTS, "tag": TEXTS})
)
@example(answers={"count": "1.5", "memory": "1Gi", "cpu": "1", "note": "", "tag": ""})
@example(answers={"count": "-1", "memory": "-1Gi", "cpu": "1", "note": "", "tag": ""})
@example(answers={"count": "3", "memory": "1Gi", "cpu": "10m", "note": "", "tag": ""})  # a limit below its request
@example(answers={"count": "3", "memory": "1e400", "cpu": "9E", "note": "", "tag": ""})
@example(answers={"count": "3", "memory": "1Gi", "cpu": "9E", "note": "", "tag": ""})
@example(answers={"count": "٣", "memory": "1_0Gi", "cpu": "5u", "note": "", "tag": ""})
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_form_takes_leads_to_objects_of_the_same_shape_and_what_it_refuses_has_its_field(
    answers, people, open_version, place
):
    typed = {f"p_{name}": value for name, value in answers.items()}
    key = "7c0ff9f2-5d0c-4b2a-9c53-93d4b3d7f001"
    data = {"key": key, "version": open_version.pk, "name": "Checkout", "cluster": place.pk, "p_loud": "on"} | typed
    form = RequestForm(people[0], open_version, data)
    if not form.is_valid():
        assert set(form.errors) <= typed.keys()
        return
    values = form.checked.parameters
    made = manifests.all_manifests(replace(DESIRED, parameters=tuple(values.items())))
    check(made, values)
    hard = made[1]["spec"]["hard"]
    for resource, amount in hard.items():
        check_amount(resource, amount)
    (limits,) = (each for each in made if each["kind"] == "LimitRange")
    container = limits["spec"]["limits"][0]
    assert not quantities.exceeds(container["defaultRequest"]["cpu"], container["default"]["cpu"])
    cpu, memory = placement.reserved(hard)
    Environment._meta.get_field("reserved_cpu").clean(cpu, None)
    Environment._meta.get_field("reserved_memory").clean(memory, None)


@pytest.mark.django_db
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_answer_is_provisioned_as_a_text(hostile, client, people, open_version, place, world, admin):
    client.force_login(people[0])
    form = client.get("/catalog/open/request/").context["form"]
    data = {"key": form["key"].value(), "version": open_version.pk, "name": "Checkout", "cluster": place.pk}
    answers = {"p_memory": "1Gi", "p_note": hostile, "p_tag": hostile, "p_cpu": "1", "p_count": "3"}
    assert client.post("/catalog/open/request/", data | answers).status_code == 302
    environment = settle(Environment.objects.get())
    assert environment.phase == Phase.READY, list(environment.conditions.values_list("type", "message"))
    note, live = environment.parameters["note"], world(environment)
    assert note == hostile.strip()
    namespace = live["Namespace", environment.namespace]["metadata"]
    assert namespace["annotations"]["example.com/note"] == note
    assert admin.get("ConfigMap", "about", environment.namespace)["data"]["note"] == note
    made = manifests.all_manifests(desired.desired_with_bindings(environment))
    assert [(kind, name) for kind, name, _ in names(made) if kind != "ConfigMap"] == [
        ("Namespace", environment.namespace),
        ("ResourceQuota", "environment-quota"),
        ("ResourceQuota", "environment-critical-pods"),
        ("LimitRange", "environment-limits"),
        ("NetworkPolicy", "deny-all"),
        ("NetworkPolicy", "allow-dns"),
        ("RoleBinding", "environment-admin"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answers", "field", "sentence"),
    [
        ({"p_count": "-3"}, "p_count", "Pods: This must not be negative."),
        ({"p_memory": "-1Gi"}, "p_memory", "Memory requests: This must not be negative."),
        ({"p_memory": "1e3Gi"}, "p_memory", "is not a quantity"),
        ({"p_memory": "10E"}, "p_memory", "more than Kubernetes can count"),
        ({"p_cpu": "10m"}, "p_cpu", "The default request is above the default."),
        ({"p_cpu": "1.0005"}, "p_cpu", "CPU requests: The cluster would round this."),
    ],
)
def test_what_the_cluster_would_refuse_is_said_at_the_field(answers, field, sentence, people, open_version, place):
    data = {"version": open_version.pk, "name": "x", "cluster": place.pk, "p_memory": "1Gi", "p_cpu": "1"} | answers
    form = RequestForm(people[0], open_version, data | {"key": "7c0ff9f2-5d0c-4b2a-9c53-93d4b3d7f001"})
    assert list(form.errors) == [field]
    assert sentence in str(form.errors[field])
