"""A template's own objects against what the template permits: at publishing, and with the answers of a request."""

import textwrap

import pytest

from environments.spec import extras, parse

DEPLOYMENT = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      template:
        spec:
"""
CRON_JOB = """
    apiVersion: batch/v1
    kind: CronJob
    metadata: {name: web}
    spec:
      jobTemplate:
        spec:
          template:
            spec:
"""
INGRESS = """
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
"""
ROUTE = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: web}
    spec:
"""
PARAMETERS = [
    {"name": "any", "default": "web"},
    {"name": "one", "choices": ["good", "bad"], "default": "good"},
    {"name": "fixed", "mode": "fixed", "default": "evil"},
]
GOOD, EVIL = "registry.example.com/team/app:1", "evil.example/app:1"
REGISTRIES = {"image_registries": ["registry.example.com/team", "docker.io/library/nginx"]}
HOSTS = {"host_names": ["shop.example.com", "*.${namespace}.example.org"]}


def template(head: str, body: str, admission: dict | None = None, **more):
    indent = " " * (len(head.splitlines()[-1]) - len(head.splitlines()[-1].lstrip()) - 2)
    text = textwrap.dedent(head).strip() + "\n" + textwrap.indent(textwrap.dedent(body).strip(), indent)
    data = {"quota": {"pods": "1"}, "parameters": PARAMETERS, "manifests": text, "admission": admission or {}}
    return parse(data | more)


def said(head: str, body: str, admission: dict | None = None, **more) -> list[tuple[int, str]]:
    described = template(head, body, admission, **more)
    return extras.problems(described.manifests, described)


def container(image: str) -> str:
    return f'containers: [{{name: a, image: "{image}"}}]'


@pytest.mark.parametrize(
    ("body", "admission", "line", "words"),
    [
        ("priorityClassName: system-cluster-critical", {}, 7, "Add system-cluster-critical to the template's priority"),
        ("priorityClassName: urgent", {"priority_classes": ["batch"]}, 7, "Add urgent to the template's priority"),
        ("tolerations: [{operator: Exists}]", {}, 7, "tolerate every taint"),
        ("tolerations: [{key: a}, {key: node-role.kubernetes.io/master}]", {}, 7, "tolerate every taint"),
        (container(EVIL), REGISTRIES, 7, "Images can come only from registry.example.com/team"),
        (container("redis"), REGISTRIES, 7, "Images can come only from"),
        (container("registry.example.com/team-evil/a"), REGISTRIES, 7, "Images can come only from"),
        (container("${fixed}"), REGISTRIES, 7, "Images can come only from"),
        (container("${one}.example/${any}"), REGISTRIES, 7, "Images can come only from"),
        ("initContainers:\n  - name: a\n    image: redis", REGISTRIES, 9, "Images can come only from"),
        ("volumes: [{name: a, image: {reference: redis}}]", REGISTRIES, 7, "Images can come only from"),
        (
            "containers:\n  - name: a\n    resources:\n      limits: {nvidia.com/gpu: 1}",
            {"extended_resources": ["amd.com/gpu"]},
            10,
            "Add nvidia.com/gpu to the template's extended resources, or requests.nvidia.com/gpu to its quota.",
        ),
    ],
)
@pytest.mark.parametrize(("head", "shift"), [(DEPLOYMENT, 0), (CRON_JOB, 2)])
def test_what_the_template_does_not_permit_is_refused_at_its_line(head, shift, body, admission, line, words):
    found = said(head, body, admission)
    assert len(found) == 1, found
    assert found[0][0] == line + shift
    assert words in found[0][1]


@pytest.mark.parametrize(
    ("body", "admission"),
    [
        ("priorityClassName: urgent", {"priority_classes": ["urgent"]}),
        ("priorityClassName: ${any}", {}),  # the request says which
        ("tolerations: [{operator: Exists}]", {"control_plane_nodes": True}),
        ("tolerations: [{key: example.com/dedicated, operator: Exists}]", {}),
        (container(EVIL), {}),
        (container(GOOD), REGISTRIES),
        (container("nginx:1"), REGISTRIES),
        (container("registry.example.com/team/${any}:${one}"), REGISTRIES),
        (container("${any}"), REGISTRIES),  # the request says which
        ("containers: [{name: a, resources: {limits: {amd.com/gpu: 1}}}]", {"extended_resources": ["amd.com/gpu"]}),
        ("containers: [{name: a, resources: {limits: {cpu: 1}}}]", {}),
    ],
)
def test_what_it_permits_passes(body, admission):
    assert said(DEPLOYMENT, body, admission) == []


def test_an_extended_resource_of_the_quota_or_of_a_size_passes():
    body = "containers: [{name: a, resources: {limits: {nvidia.com/gpu: 1}}}]"
    quota = {"pods": "1", "requests.nvidia.com/gpu": "1"}
    assert said(DEPLOYMENT, body, quota=quota) == []
    assert said(DEPLOYMENT, body, sizes=[{"name": "big", "quota": quota}]) == []


def test_one_of_the_choices_that_is_not_permitted_is_named():
    ((_, sentence),) = said(DEPLOYMENT, "priorityClassName: ${one}", {"priority_classes": ["good"]})
    assert sentence.endswith("or leave priorityClassName out. (with bad for ${one})")


@pytest.mark.parametrize(
    ("head", "body", "line", "words"),
    [
        (INGRESS, "rules: [{host: web.example.com}]", 5, "only the host names shop.example.com or *.team-a-web"),
        (INGRESS, "rules:\n  - host: shop.example.com\n  - http: {paths: []}", 7, "only the host names"),
        (INGRESS, 'rules: [{host: ""}]', 5, "only the host names"),
        (INGRESS, 'rules: [{host: "${any}.example.com"}]', 5, "only the host names"),
        (INGRESS, "defaultBackend: {service: {name: web}}", 5, "Leave defaultBackend out"),
        (INGRESS, "tls: [{secretName: a}]", 5, "Set hosts for each TLS certificate"),
        (INGRESS, "tls: [{secretName: a, hosts: [web.example.com]}]", 5, "only the host names"),
        (ROUTE, "hostnames: [shop.example.com, web.example.com]", 5, "only the host names"),
        (ROUTE, "parentRefs: [{name: shared}]", 4, "Set hostnames"),
        (ROUTE, "hostnames: []", 5, "Set hostnames"),
    ],
)
def test_host_names_that_the_template_does_not_permit_are_refused(head, body, line, words):
    found = said(head, body, HOSTS)
    assert len(found) == 1, found
    assert found[0][0] == line
    assert words in found[0][1]
    assert said(head, body) == []  # those of the cluster are not known here


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (INGRESS, 'rules: [{host: shop.example.com}, {host: "web.${namespace}.example.org"}]'),
        (INGRESS, 'rules: [{host: "${any}.${namespace}.example.org"}]'),
        (INGRESS, 'rules: [{host: "${any}"}]'),  # the request says which
        (INGRESS, "tls: [{}, {secretName: a, hosts: [shop.example.com]}]"),
        (ROUTE, "hostnames: [shop.example.com]"),
    ],
)
def test_host_names_that_it_permits_pass(head, body):
    assert said(head, body, HOSTS) == []


def test_the_domain_is_that_of_the_templates_own_host_names():
    own = {"host_names": ["*.${namespace}.example.org"]}
    assert said(ROUTE, 'hostnames: ["web.${host_domain}"]', own) == []


def test_answers_of_a_request_are_held_to_it_too():
    described = template(DEPLOYMENT, container("${any}"), REGISTRIES)
    assert extras.unpermitted(described, {"any": GOOD}) == []
    (sentence,) = extras.unpermitted(described, {"any": EVIL})
    assert "Images can come only from registry.example.com/team" in sentence
    assert extras.documents(described, {"any": EVIL})  # what is there already is the policies' to judge


def test_publishing_says_it_at_the_manifests():
    described = template(DEPLOYMENT, "priorityClassName: system-node-critical")
    assert [place for place, _ in described.objections()] == [("manifests", 7)]
