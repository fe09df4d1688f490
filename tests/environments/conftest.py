"""A simulated cluster for the tests of the workshop, and the world in it as a person would list it."""

from dataclasses import dataclass

import pytest

from environments.actions import environments as actions
from environments.catalog.files import publish, read
from environments.kube import manifests
from environments.kube.client import ClusterClient
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, TemplateVersion, User
from portal.demo.simulated import SimulatedCluster

KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")


@dataclass
class Account:
    """A way to the simulated cluster that is not the portal's."""

    server: str
    credential: str
    credential_kind: str = "token"
    certificate_authority: str = ""


@pytest.fixture
def simulated():
    """A simulated cluster of the test's own: what others left behind would be in its lists."""
    with SimulatedCluster(termination_delay=0.05) as cluster:
        yield cluster


@pytest.fixture
def admin(simulated):
    """The cluster's own administrator, for arranging and asserting."""
    return ClusterClient(Account(simulated.url, simulated.admin_token))


@pytest.fixture
def place(db, simulated):
    return Cluster.objects.create(
        slug="amsterdam", name="Amsterdam", server=simulated.url, credential=simulated.portal_token, is_simulated=True
    )


@pytest.fixture
def local_directory(db):
    return Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)


@pytest.fixture
def namespace_template(db) -> TemplateVersion:
    return publish(read(SEEDS / "namespace.yaml"))


@pytest.fixture
def people(db):
    """Dana, who asks, and Theo, who collaborates."""
    return [User.objects.create(username=name, email=f"{name}@example.com") for name in ("dana", "theo")]


@pytest.fixture
def ask(place, local_directory, namespace_template, people):
    """Ask for an environment as Dana."""

    def request(name: str = "checkout", **more) -> Environment:
        parameters = {"cpu": "1000m", "memory": "1024Mi"}
        more = {"team": people[0].teams.first()} | more
        return actions.request_environment(
            people[0],
            actions.Draft(version=namespace_template, name=name, cluster=place, parameters=parameters, **more),
        )

    return request


@pytest.fixture
def world(admin):
    """What there is on the cluster of an environment: (kind, name) -> object."""

    def look(environment: Environment) -> dict[tuple[str, str], dict]:
        selector = f"{manifests.environment_label('allotment.internal')}={environment.pk}"
        return {
            (kind, item["metadata"]["name"]): item
            for kind in KINDS
            for item in admin.list_objects(kind, labels=selector)
        }

    return look
