"""A network opening on the cluster: its policy comes, follows the admin's change, is defended, and goes again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments import actions
from environments.actions import changes, openings, resizing
from environments.catalog.files import read
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, NetworkOpening, User
from environments.routine import observe
from environments.spec.openings import parse_lines
from tests.arranging import settle
from tests.templates import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(cluster_endpoint, settings):
    settings.LABEL_DOMAIN = "openings.example"  # of its own: the cluster is shared
    way = cluster_endpoint.portal
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    trust = {"certificate_authority": way.certificate_authority}
    return Cluster.objects.create(slug="here", name="Here", server=way.server, credential=way.credential, **trust)


@pytest.fixture
def dana(db):
    return User.objects.create(username="dana", email="dana@example.com")


@pytest.fixture
def ada(db):
    return User.objects.create(username="ada", email="ada@example.com", is_superuser=True)


@pytest.fixture
def environment(place, admin, dana):
    draft = actions.Draft(
        version=publish(read(SEEDS / "namespace.yaml")),
        name="shop",
        cluster=place,
        parameters={"cpu": "1000m", "memory": "1024Mi"},
    )
    made = settle(actions.request_environment(dana, draft))
    assert made.phase == Phase.READY, list(made.conditions.values_list("type", "status", "message"))
    yield made
    admin.delete("Namespace", made.namespace)


def offer(place, lines="10.20.0.5/32 5432\nteam=payments 8443/TCP", **more):
    rules = parse_lines(lines).model_dump(mode="json")
    return NetworkOpening.objects.create(
        cluster=place, slug="database", name="Orders database", destinations=rules, **({"decider": "nobody"} | more)
    )


def live(admin, environment):
    found = admin.get("NetworkPolicy", "opening-database", environment.namespace)
    return found and found["spec"]


def test_from_the_request_to_the_policy_and_back(admin, environment, place, dana, ada):
    opening = offer(place, decider="admins")
    change = openings.ask_to_open(environment, opening, dana, reason="The order service.")
    settle(environment)
    assert live(admin, environment) is None
    changes.approve(change, ada)
    environment = settle(Environment.objects.get(pk=environment.pk))
    assert environment.phase == Phase.READY
    assert live(admin, environment) == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "10.20.0.5/32"}}],
                "ports": [{"protocol": "TCP", "port": 5432}],
            },
            {
                "to": [{"namespaceSelector": {"matchLabels": {"team": "payments"}}}],
                "ports": [{"protocol": "TCP", "port": 8443}],
            },
        ],
    }
    assert admin.get("NetworkPolicy", "deny-all", environment.namespace)
    opening.destinations = parse_lines("10.20.0.6/32 5432").model_dump(mode="json")
    opening.save()
    assert openings.follow(opening) == 1
    settle(environment)
    assert live(admin, environment)["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.20.0.6/32"}}]
    openings.close(environment, "database", dana)
    settle(environment)
    assert live(admin, environment) is None


def test_the_pass_defends_it_and_does_not_take_it_for_a_strangers(admin, environment, place, dana):
    openings.ask_to_open(environment, offer(place), dana)
    environment = settle(environment)
    assert observe.observe(place.pk) == []
    assert environment.conditions.get(type="NetworkPolicy").reason == "Done"
    uid = admin.get("NetworkPolicy", "opening-database", environment.namespace)["metadata"]["uid"]
    admin.delete("NetworkPolicy", "opening-database", environment.namespace, uid=uid)
    assert observe.observe(place.pk) == [str(environment.pk)]
    settle(environment)
    assert live(admin, environment)


def test_its_time_ends(admin, environment, place, dana):
    openings.ask_to_open(environment, offer(place, days=1), dana)
    settle(environment)
    assert openings.end_due(timezone.now()) == 0
    assert openings.end_due(timezone.now() + timedelta(days=2)) == 1
    settle(environment)
    assert live(admin, environment) is None


def test_another_size_on_the_cluster(admin, environment, dana):
    """The quota is changed in place, and counted before the environment is ready again."""
    wanted = {"cpu": "2000m", "memory": "2048Mi"}
    resizing.resize(environment, dana, "", wanted)
    environment = settle(Environment.objects.get(pk=environment.pk))
    assert environment.phase == Phase.READY
    quota = admin.get("ResourceQuota", "environment-quota", environment.namespace)
    assert (quota["spec"]["hard"]["requests.cpu"], quota["status"]["hard"]["requests.cpu"]) == ("2", "2")
    resizing.resize(environment, dana, "", {"cpu": "1000m", "memory": "1024Mi"})
    environment = settle(Environment.objects.get(pk=environment.pk))
    quota = admin.get("ResourceQuota", "environment-quota", environment.namespace)
    assert (environment.phase, quota["status"]["hard"]["requests.cpu"]) == (Phase.READY, "1")
