"""Host names: patterns, what they allow, and their way from a cluster to the namespace, the objects and the page."""

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from django.urls import reverse

from environments import actions
from environments.catalog.files import TemplateFile
from environments.catalog.files.content import Card
from environments.lib import hosts
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, TemplateVersion
from environments.routine import observe
from environments.spec import InvalidSpecError, parse
from tests.arranging import settle
from tests.pages.reading import facts, read
from tests.templates import publish

PATTERN = "*.${namespace}.apps.example.com"
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
    - host: "web.${host_domain}"
      http:
        paths: [{path: /, pathType: Prefix, backend: {service: {name: "${namespace}", port: {number: 80}}}}]
"""
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {hostnames: ["web.${host_domain}"], parentRefs: [{name: shared, namespace: gateways}]}
"""


@pytest.mark.parametrize(
    "pattern",
    [
        PATTERN,
        "*-${namespace}.apps.example.com",
        "${namespace}.apps.example.com",
        "*.${namespace}-dev.apps.example.com",
        "*.dev-${namespace}.x1.example.com",
    ],
)
def test_a_pattern_with_the_namespace_is_one(pattern):
    assert hosts.problem(pattern, needs_namespace=True) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.",
        "${namespace}",
        "*${namespace}.apps.example.com",  # would match every name that ends alike
        "*.*.${namespace}.example.com",
        "a.*.${namespace}.example.com",
        "*.${name}.apps.example.com",
        "*.${namespace}..example.com",
        "*.${namespace}.Apps.example.com",
        "*.${namespace}.apps.example.com.",
        "https://${namespace}.example.com",
        "*.${namespace}.example.com:8443",
        "*.${namespace}_.example.com",
        "*.${namespace}." + "a" * 64 + ".com",
        "*.${namespace}" + ".abcdefghi" * 25,
    ],
)
def test_others_are_not(pattern):
    sentence = f"“{pattern}” is not a pattern for host names. Use for example {PATTERN}."
    assert hosts.problem(pattern, needs_namespace=True) == sentence


def test_a_cluster_needs_the_namespace_in_it_and_a_template_does_not():
    assert hosts.problem("*.apps.example.com", needs_namespace=False) == ""
    assert hosts.problem("*.apps.example.com", needs_namespace=True) == (
        "Add ${namespace} to “*.apps.example.com”, so that no environment can use host names of another."
    )


@pytest.mark.parametrize(
    ("patterns", "domain"),
    [
        ([], ""),
        ([PATTERN, "${namespace}.example.org"], "team.apps.example.com"),
        (["*-${namespace}.example.org"], "team.example.org"),
        (["${namespace}.example.org"], "team.example.org"),
    ],
)
def test_the_domain_is_what_follows_the_star(patterns, domain):
    assert hosts.domain(patterns, "team") == domain


def test_a_templates_patterns_are_checked_at_their_field():
    with pytest.raises(InvalidSpecError) as caught:
        parse({"quota": {"pods": "1"}, "admission": {"host_names": ["shop.example.com", "*"]}})
    ((place, sentence),) = caught.value.problems
    assert place == ("admission", "host_names")
    assert sentence.startswith("“*” is not a pattern for host names.")


@pytest.fixture
def named(place) -> Cluster:
    """The cluster, with a pattern."""
    Cluster.objects.filter(pk=place.pk).update(host_names=f"{PATTERN}, ${{namespace}}.example.org")
    place.refresh_from_db()
    return place


def version_of(data: dict) -> TemplateVersion:
    card = Card(slug="shop", name="Shop", summary="A shop")
    return publish(TemplateFile(template=card, spec=parse(data)))


def request_one(people, place, **spec) -> Environment:
    version = version_of({"quota": {"pods": "9"}} | spec)
    draft = actions.Draft(version=version, name="shop", cluster=place)
    return settle(actions.request_environment(people[0], draft))


def annotation(world, environment) -> str | None:
    found = world(environment)["Namespace", environment.namespace]["metadata"]["annotations"]
    return found.get("allotment.internal/host-names")


@pytest.mark.django_db
class TestOnACluster:
    """From the cluster's row to the namespace."""

    def test_the_namespace_says_its_host_names(self, people, named, world, local_directory):
        environment = request_one(people, named)
        name = environment.namespace
        assert annotation(world, environment) == f"*.{name}.apps.example.com,{name}.example.org"

    def test_without_a_pattern_it_says_none(self, people, place, world, local_directory):
        assert annotation(world, request_one(people, place)) is None

    def test_a_templates_own_replace_them(self, people, named, world, local_directory):
        environment = request_one(people, named, admission={"host_names": ["shop.example.com"]})
        assert annotation(world, environment) == "shop.example.com"

    def test_objects_use_the_domain_and_the_namespace(self, people, named, admin, local_directory):
        environment = request_one(people, named, manifests=INGRESS)
        assert environment.phase == Phase.READY
        (rule,) = admin.get("Ingress", "web", environment.namespace)["spec"]["rules"]
        assert rule["host"] == f"web.{environment.namespace}.apps.example.com"
        assert rule["http"]["paths"][0]["backend"]["service"]["name"] == environment.namespace
        assert observe.observe(named.pk) == []

    def test_such_a_template_is_refused_where_the_cluster_has_no_pattern(self, people, place, local_directory):
        version = version_of({"quota": {"pods": "9"}, "manifests": INGRESS})
        with pytest.raises(ValidationError) as caught:
            actions.request_environment(people[0], actions.Draft(version=version, name="shop", cluster=place))
        text = f"This template needs host names, and {place} has no pattern for them. Ask a platform admin."
        assert caught.value.message_dict == {"cluster": [text]}

    def test_a_pattern_taken_away_later_is_said_at_the_step(self, people, named, local_directory):
        environment = request_one(people, named, manifests=INGRESS)
        Cluster.objects.update(host_names="")
        Environment.objects.owe()
        environment = settle(Environment.objects.get())
        message = environment.conditions.get(type="Objects").message
        assert "The cluster has no pattern for host names, so ${host_domain} has no value." in message

    def test_a_cluster_without_the_gateway_api_says_so(self, people, named, simulated, local_directory):
        simulated.faults.add(path_regex="/httproutes", status=404, times=20)
        environment = request_one(people, named, manifests=ROUTE)
        assert environment.conditions.get(type="Objects").message == (
            "This cluster does not have the kind HTTPRoute (gateway.networking.k8s.io/v1). "
            "Choose another cluster, or ask a platform admin."
        )
        assert environment.phase == Phase.FAILED

    def test_the_page_shows_them(self, client, people, named, local_directory):
        environment = request_one(people, named)
        client.force_login(people[0])
        shown = facts(read(client.get(f"/environments/{environment.namespace}/")))
        assert shown["Host names"] == (
            f"*.{environment.namespace}.apps.example.com {environment.namespace}.example.org"
        )
        Cluster.objects.update(host_names="")
        assert "Host names" not in facts(read(client.get(f"/environments/{environment.namespace}/")))


@pytest.mark.django_db
class TestInTheAdmin:
    """The field on the cluster's form."""

    @pytest.fixture
    def save(self, client, ada, place):
        client.force_login(ada)
        url = reverse("admin:environments_cluster_change", args=[place.pk])

        def post(text: str):
            form = client.get(url).context["adminform"].form
            data = {name: form[name].value() for name in form.fields}
            data = {name: value for name, value in data.items() if value not in (None, False, "")}
            return client.post(url, data | {"host_names": text})

        return post

    def test_a_wrong_pattern_is_said_at_the_field_and_kept(self, save, place):
        response = save(f"{PATTERN} *.apps.example.com, *")
        assert response.context["adminform"].form.errors == {
            "host_names": [
                "Add ${namespace} to “*.apps.example.com”, so that no environment can use host names of another.",
                f"“*” is not a pattern for host names. Use for example {PATTERN}.",
            ]
        }
        page = BeautifulSoup(response.content, "html.parser")
        assert page.select_one("#id_host_names")["value"] == f"{PATTERN} *.apps.example.com, *"
        place.refresh_from_db()
        assert place.host_names == ""

    def test_too_many_are_refused(self, save):
        many = " ".join(f"*.${{namespace}}.a{number}.example.com" for number in range(11))
        errors = save(many).context["adminform"].form.errors
        assert errors == {"host_names": ["Use at most 10 patterns; you entered 11."]}

    def test_environments_get_another_pattern_and_nobody_is_said_to_have_changed_them(
        self, save, people, place, world, local_directory
    ):
        environment = request_one(people, place)
        assert save(f" {PATTERN},${{namespace}}.example.org ").status_code == 302
        place.refresh_from_db()
        assert place.host_names == f"{PATTERN}, ${{namespace}}.example.org"
        observe.observe(place.pk)
        environment = settle(Environment.objects.get())
        assert annotation(world, environment).startswith(f"*.{environment.namespace}.apps.example.com,")
        assert not environment.events.filter(kind=Activity.CHANGED_BY_HAND).exists()
