"""Templates' contents of every sort, and what a browser sends of the page on which they are edited."""

from urllib.parse import urlencode

from django.http import QueryDict
from hypothesis import strategies as st

from environments import spec as template_spec
from environments.catalog.forms import SpecForms
from environments.spec import TemplateSpec


def browser(forms: SpecForms, **typed: str | list[str] | None) -> QueryDict:
    """What a browser sends of the page: every control as it stands, and what was typed over it (None: unticked)."""
    pairs: dict[str, list[str]] = {}
    for table in forms.tables:
        for field in table.management_form:
            pairs[field.html_name] = [str(field.value())]
        for row in table.forms:
            for field in row:
                add(pairs, field)
    for field in forms.general:
        add(pairs, field)
    for name, value in typed.items():
        pairs.pop(name, None)
        if value is not None:
            pairs[name] = [value] if isinstance(value, str) else value
    # Browsers end lines in text areas with CR LF.
    pairs = {name: [value.replace("\n", "\r\n") for value in values] for name, values in pairs.items()}
    return QueryDict(urlencode(pairs, doseq=True))


def add(pairs, field):
    value = field.value()
    if value is True:
        pairs[field.html_name] = ["on"]
    elif isinstance(value, list):
        chosen = [choice for choice, _ in field.field.choices if choice in value]  # in the order of the page
        pairs[field.html_name] = [str(item) for item in chosen]
    elif field.widget_type != "checkbox":
        pairs[field.html_name] = ["" if value is None else str(value)]


def spec_of(**data) -> TemplateSpec:
    return template_spec.parse({"quota": {"pods": "10"}} | data)


def forty_parameters() -> TemplateSpec:
    parameters = [
        {
            "name": f"setting_{number}",
            "label": f"Setting {number}",
            "help": f"What {number} is for.",
            "type": ["string", "integer", "quantity", "choice", "boolean", "text"][number % 6],
            "required": number % 2 == 0,
            "choices": ["one", "two", "three"] if number % 6 == 3 else [],
            "default": "line one\nline two" if number % 6 == 5 else "",
            "minimum": "1" if number % 6 in (1, 2) else "",
            "pattern": "[a-z,]+" if number % 6 == 0 else "",
        }
        for number in range(40)
    ]
    return spec_of(parameters=parameters)


names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
# A resource that Kubernetes could know, an amount it could mean.
resources = st.sampled_from(
    ["pods", "requests.cpu", "requests.memory", "requests.nvidia.com/gpu", "count/deployments.apps", "services"]
)
amounts = st.sampled_from(["0", "1", "500m", "1.5Gi", "2e3", "${figure}"])
quotas = st.dictionaries(resources, amounts, min_size=1, max_size=5)
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
FIGURE = {"name": "figure", "type": "quantity", "default": "1", "required": True}


words = st.from_regex(r"[A-Za-z][A-Za-z ]{0,8}[a-z]", fullmatch=True)
ports = st.lists(st.sampled_from(["80", "443/TCP", "53/UDP"]), unique=True)


@st.composite
def networks(draw) -> dict:
    cidrs = draw(st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]), max_size=2))
    return {
        "dns": draw(st.booleans()),
        "same_namespace": draw(st.booleans()),
        "ingress_controller": draw(st.booleans()),
        "egress": [{"cidr": cidr, "ports": draw(ports)} for cidr in cidrs],
        "ingress": [
            {"label": "team", "value": value, "ports": draw(ports)} for value in draw(st.lists(names, max_size=2))
        ],
    }


@st.composite
def specs(draw) -> TemplateSpec:
    parameters = [
        {
            "name": name,
            "label": draw(texts),
            "help": draw(texts),
            "default": draw(texts),
            "required": draw(st.booleans()),
        }
        for name in draw(st.lists(names.filter(lambda name: name != "figure"), unique=True, max_size=4))
    ]
    sizes = [
        {
            "name": name,
            "label": draw(texts),
            "quota": draw(quotas),
            "teams": draw(st.lists(words, max_size=2)),
            "approval": draw(st.booleans()),
        }
        for name in draw(st.lists(names, unique=True, max_size=4))
    ]
    data = {
        "parameters": [*parameters, FIGURE],
        "sizes": sizes,
        "quota": draw(quotas),
        "limits": {"default": draw(quotas)},
        "network": draw(networks()),
        "pod_security": {"enforce": draw(st.sampled_from(["privileged", "baseline", "restricted"]))},
        "admission": {
            "priority_classes": draw(st.lists(st.sampled_from(["batch", "urgent"]), unique=True)),
            "image_registries": draw(
                st.lists(st.sampled_from(["docker.io", "registry.example.com/team"]), unique=True)
            ),
            "control_plane_nodes": draw(st.booleans()),
            "external_ips": draw(st.booleans()),
        },
        "owner_role": draw(st.sampled_from(["admin", "developer", "viewer"])),
        "collaborator_roles": draw(st.permutations(["admin", "developer", "viewer"]))[: draw(st.integers(0, 3))],
        "lifetime_days": draw(st.none() | st.integers(1, 3650)),
        "extension": {"maximum_days": draw(st.none() | st.just(3650)), "times": draw(st.none() | st.integers(0, 9))},
        "approval": draw(st.booleans()),
        "automount_token": draw(st.booleans()),
        "labels": draw(st.dictionaries(names, words, max_size=2)),
        "annotations": draw(st.dictionaries(names, words, max_size=2)),
    }
    return template_spec.parse(data)
