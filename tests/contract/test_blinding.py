"""Objects that are made to keep the portal from reading a cluster, where no admission policy forbids them."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from environments import actions
from environments.catalog.files import read
from environments.kube import manifests
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import observe
from tests.arranging import drop_policy, settle
from tests.contract.arrange import eventually, namespace
from tests.reference import WEB_PREVIEW
from tests.templates import publish

pytestmark = pytest.mark.django_db

MANY, BIG = 100, 40_000  # objects, and bytes of each: a fortieth of what an API server would take
OURS = {manifests.MANAGED_BY_LABEL: manifests.MANAGED_BY}


@pytest.fixture
def place(cluster_endpoint, settings):
    settings.LABEL_DOMAIN = "blinded.example"  # of its own: the cluster is shared
    way = cluster_endpoint.portal
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    trust = {"certificate_authority": way.certificate_authority}
    return Cluster.objects.create(slug="here", name="Here", server=way.server, credential=way.credential, **trust)


@pytest.fixture
def ask(place, admin):
    """Ask for an environment whose template has a Deployment and a Service, and wait for it."""
    dana = User.objects.create(username="dana", email="dana@example.com")
    version, made = publish(read(SEEDS / "web-preview.yaml")), []

    def request(name: str) -> Environment:
        wanted = WEB_PREVIEW | {"host": f"{name}.preview.example.com"}
        draft = actions.Draft(version=version, name=name, cluster=place, parameters=wanted)
        made.append(settle(actions.request_environment(dana, draft)))
        return made[-1]

    yield request
    for environment in made:
        admin.delete("Namespace", environment.namespace)


@pytest.fixture
def forge(admin):
    """Make Deployments of someone else's that bear the portal's label, so many and so big."""
    name = f"blinding-{secrets.token_hex(4)}"
    admin.create(namespace(name))

    def make(count: int, size: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: admin.create(deployment(name, f"big-{number}", size)), range(count)))

    yield make
    admin.delete("Namespace", name)
    eventually(lambda: admin.get("Namespace", name) is None, "the forged objects are gone")


def deployment(home: str, name: str, size: int) -> dict:
    labels = {"app": name}
    main = {"name": "main", "image": "registry.example.com/app:1", "env": [{"name": "PADDING", "value": "x" * size}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [main]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": home, "labels": OURS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.fixture
def readable(monkeypatch):
    """How many bytes the portal takes of one answer."""
    return lambda size: monkeypatch.setattr("environments.kube.client.MAX_BYTES", size)


def looks_of(place: Cluster) -> dict:
    place.refresh_from_db()
    return {look.kind: look for look in place.looks}


def test_a_hundred_big_objects_hide_nothing_of_others(ask, place, admin, forge, readable):
    """Four times what one answer may have; the real limit is 32 MiB, and 25 objects of 1.4 MB are more."""
    environment = ask("shop")
    forge(MANY, BIG)
    readable(MANY * BIG // 4)
    assert observe.observe(place.pk) == []
    before = looks_of(place)
    assert not any(look.error for look in before.values()), before
    drop_policy(admin, environment)
    admin.delete("Deployment", "web", environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]
    said = environment.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert "NetworkPolicy deny-all is missing" in said
    assert "Deployment web is missing" in said
    assert settle(environment).phase == Phase.READY
    assert admin.get("NetworkPolicy", "deny-all", environment.namespace) is not None
    assert looks_of(place)["Deployment"].at >= before["Deployment"].at
    assert ask("another").phase == Phase.READY
    assert observe.observe(place.pk) == []


def test_an_object_that_is_too_big_for_any_page_hides_its_own_kind_alone(ask, place, admin, forge, readable):
    environment = ask("shop")
    assert observe.observe(place.pk) == []
    before = looks_of(place)
    forge(1, 2 * BIG)
    readable(BIG)
    drop_policy(admin, environment)
    Environment.objects.update(usage_at=None, usage={})
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []
    after = looks_of(place)
    assert {kind for kind, look in after.items() if look.error} == {"Deployment"}
    assert after["Deployment"].at == before["Deployment"].at, "it says since when it does not know"
    assert after["Deployment"].error == "The cluster's answer is too large to read."
    assert place.check_error == "Deployment: The cluster's answer is too large to read."
    environment.refresh_from_db()
    assert environment.usage
